"""For which messengers a message is: all of them, or one alone; and what each changes of it."""

from bot.dialogs import compose
from bot.dialogs.talk import Rows, Screens, Talk, button, card, footer, in_rows, lines, paragraphs
from bot.screens import Screen
from storage.records import Mailing


def titles(talk: Talk) -> dict[str, str]:
    """The kinds of messenger that are set up, and what people call them."""
    return {channel.kind: channel.able.title for channel in talk.settings.channels.values()}


async def open_kinds(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return [await _card(talk, await compose.draft_at(talk, mailing_id, revision))]


async def only_for(talk: Talk, kind: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    mailing = await talk.operations.only_for(mailing.id, kind, talk.actor, revision=mailing.revision)
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
    )
    alone = [
        button(_alone(talk, title, is_so=kinds == {kind}), "c:only", kind, *here)
        for kind, title in sorted(known.items())
    ]
    rows: Rows = [
        (button(t("For all messengers") if kinds else t("✓ For all messengers"), "c:all", *here),),
        *in_rows(alone, 2),
        (button(t("Preview"), "c:see", *here),),
        footer(talk, button(t("◀ Back"), "c:m", *here), leave=mailing.id),
    ]
    return card(text, rows)


def _alone(talk: Talk, title: str, *, is_so: bool) -> str:
    return talk.t.plain("✓ Only {title}", title=title) if is_so else talk.t.plain("Only {title}", title=title)


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
            told[t("⚠ {title}: {loss}", title=title, loss=t(loss.words, **loss.values))] = None
    return list(told)
