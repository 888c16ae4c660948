"""For which messengers a message is: all of them or some; what each changes of it, and has of its own."""

from bot.dialogs import compose
from bot.dialogs.loads import said_loss
from bot.dialogs.talk import Rows, Screens, Talk, button, card, footer, in_rows, lines, paragraphs
from bot.dialogs.work import has_own
from bot.screens import Screen
from bot.texts import _
from engine.errors import Invalid
from gateways.message import only_for
from storage.records import Mailing


def titles(talk: Talk) -> dict[str, str]:
    """The kinds of messenger that are set up, and what people call them."""
    return {channel.kind: channel.able.title for channel in talk.settings.channels.values()}


async def open_kinds(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return [await _card(talk, await compose.draft_at(talk, mailing_id, revision))]


async def turn(talk: Talk, kind: str, mailing_id: str, revision: str) -> Screens:
    """The first one is alone; each further one is added, and taken away again; without any it is for all."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    if kind not in titles(talk):
        raise Invalid(_("That messenger is no longer set up."))
    message = mailing.draft.message
    mailing = await compose.change(talk, mailing, message=only_for(message, *(message.kinds ^ {kind})))
    return [await _card(talk, mailing, talk.t("Changed, and saved."))]


async def export_to_all(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    mailing = await talk.operations.export_to_all(mailing.id, talk.actor, revision=mailing.revision)
    return [await _card(talk, mailing, talk.t("Changed, and saved."))]


async def _card(talk: Talk, mailing: Mailing, note: str = "") -> Screen:
    t = talk.t
    here = compose.at(mailing)
    kinds = mailing.draft.message.kinds
    known = titles(talk)
    text = paragraphs(
        t("<b>Messengers of “{name}”</b>", name=mailing.draft.name),
        note or None,
        t("It is for everybody, on whichever messenger.")
        if not kinds
        else t(
            "It is only for {messengers}: everybody who can be reached there gets it, whatever their main channel.",
            messengers=t.listed(talk.operations.checker.titles(kinds)),
        ),
        lines(*await _fits(talk, mailing)) or None,
        t("Press ✎ to write another version for one messenger."),
    )
    chosen = [button(_choice(talk, kind, kinds), "c:only", kind, *here) for kind in sorted(known)]
    versions = [
        button(_version(talk, mailing, kind), "e", kind, *here) for kind in sorted(known) if not kinds or kind in kinds
    ]
    rows: Rows = [
        (button(t("For all messengers") if kinds else t("✓ For all messengers"), "c:all", *here),),
        *in_rows(chosen, 2),
        *in_rows(versions, 2),
        (button(t("Preview"), "c:see", *here),),
        footer(talk, button(t("◀ Back"), "c:m", *here), leave=mailing.id),
    ]
    return card(text, rows)


def _choice(talk: Talk, kind: str, kinds: frozenset[str]) -> str:
    t, title = talk.t, titles(talk)[kind]
    if not kinds:
        return t.plain("Only {title}", title=title)
    return t.plain("✓ {title}", title=title) if kind in kinds else t.plain("+ {title}", title=title)


def _version(talk: Talk, mailing: Mailing, kind: str) -> str:
    t, title = talk.t, titles(talk)[kind]
    if has_own(mailing.draft.message, kind):
        return t.plain("✎ {title}: its own", title=title)
    return t.plain("✎ Another for {title}", title=title)


async def _fits(talk: Talk, mailing: Mailing) -> list[str]:
    """How each messenger that it goes to would carry it, a line for each change."""
    t = talk.t
    told: dict[str, None] = {}
    for fit in (await talk.operations.checker.fits(mailing.draft)).values():
        title = fit.able.title
        if fit.problem is not None:
            told[t("⛔ {title}: {why}", title=title, why=t.error(fit.problem))] = None
        elif not fit.losses:
            told[t("✓ {title}: as it is written", title=title)] = None
        for loss in fit.losses:
            told[said_loss(t, title, loss)] = None
    return list(told)
