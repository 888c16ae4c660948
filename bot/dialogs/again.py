"""Writing once more to some of a mailing's clients: those it failed for, those who got it; and the unknown ones."""

from collections.abc import Mapping

from bot.dialogs import after, compose, mailings
from bot.dialogs.said import message_from
from bot.dialogs.talk import PAGE, Rows, Screens, Talk, button, card, danger, footer, lines, paragraphs, primary
from bot.screens import Said
from bot.texts import _
from engine.errors import Invalid, Refused
from storage.filters import MailingResult
from storage.records import Mailing

_WHO: Mapping[str, str] = {
    "sent": _("who got it"),
    "read": _("who read it"),
    "kept": _("who have it still as it was sent"),
}


async def send_to_failed(talk: Talk, mailing_id: str) -> Screens:
    """A new draft with the same message, to exactly those it failed for; it is launched as any other."""
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    if first := await after.not_yet(talk, mailing):
        return first
    figures = await talk.operations.figures(mailing.id)
    if not figures["failed"]:
        return [await after.after_card(talk, mailing, t("It failed for nobody."))]
    name = _named(t.plain("{name} – again", name=mailing.draft.name))
    made = await talk.operations.follow_up(mailing.id, MailingResult.FAILED, talk.actor, name=name)
    note = lines(
        t.plural(
            "A new draft to the {count} client it failed for, saved. Failed: {reasons}.",
            "A new draft to the {count} clients it failed for, saved. Failed: {reasons}.",
            figures["failed"],
            reasons=t.reasons(figures["failures"]),
        ),
        t("Who blocked us or is gone can't be reached there again: the check before the launch tells how many."),
    )
    return [compose.message_card(talk, await talk.operations.get(made), note)]


async def open_who(talk: Talk, mailing_id: str) -> Screens:
    """To whom of those who got it."""
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    figures = await talk.operations.figures(mailing.id)
    rows: Rows = [(primary(t.plain("All who got it: {n}", n=t.number(figures["sent"])), "af:to", mailing.id, "sent"),)]
    if figures["read"]:
        rows.append((button(t.plain("Who read it: {n}", n=t.number(figures["read"])), "af:to", mailing.id, "read"),))
    if await talk.operations.amendments(mailing.id):
        rows.append((button(t("Who have it still as it was sent"), "af:to", mailing.id, "kept"),))
    text = paragraphs(
        t("<b>Write to those who got “{name}”</b>", name=mailing.draft.name),
        t("A new mailing, such as a correction, to exactly them. Whom shall it go to?"),
    )
    return [card(text, [*rows, footer(talk, button(t("◀ Back"), "af", mailing.id))])]


async def ask_message(talk: Talk, mailing_id: str, whom: str) -> Screens:
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    if whom not in _WHO:
        return await open_who(talk, mailing_id)
    talk.ask("af.write", mailing.id, whom)
    text = paragraphs(
        t("<b>Send me the message for those {who}.</b>", who=t(_WHO[whom])),
        t("It becomes a new draft; nothing goes out before you launch it."),
    )
    return [card(text, [footer(talk, button(t("◀ Back"), "af", mailing.id))], ask=t.plain("The message"))]


async def hear_message(talk: Talk, said: Said, mailing_id: str, whom: str) -> Screens:
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    if whom not in _WHO:
        raise Invalid(_("Choose first whom it shall go to."))
    name = _named(t.plain("{name} – correction", name=mailing.draft.name))
    made = await talk.operations.follow_up(
        mailing.id, MailingResult(whom), talk.actor, name=name, message=message_from(said)
    )
    note = t("Saved as a draft, to those {who}.", who=t(_WHO[whom]))
    return await compose.show(talk, await talk.operations.get(made), note)


def _named(name: str) -> str:
    return name if len(name) <= compose.MAX_NAME else f"{name[: compose.MAX_NAME - 1]}…"


# --- the unknown ones ---


async def open_unknown(talk: Talk, mailing_id: str, after_id: str = "0") -> Screens:
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    found = await talk.operations.unknown_page(mailing.id, int(after_id), PAGE + 1)
    count = (await talk.operations.figures(mailing.id))["unknown"]
    back = footer(talk, button(t("◀ Back"), "m:open", mailing.id))
    if not count:
        return [card(t("Nobody is unknown: each is settled."), [back])]
    text = paragraphs(
        t.plural(
            "<b>{count} client may or may not have got “{name}”.</b>",
            "<b>{count} clients may or may not have got “{name}”.</b>",
            count,
            name=mailing.draft.name,
        ),
        t(
            "The connection broke between our question and the messenger's answer. "
            "Sent again, some may get it twice; left as it is, some may never."
        ),
        lines(*(t("• {name}, {channel}", name=row.client_name, channel=row.channel) for row in found[:PAGE])),
    )
    rows: Rows = []
    if len(found) > PAGE:
        rows.append((button(t("More ▶"), "m:unknown", mailing.id, found[PAGE - 1].id),))
    if talk.may("repeat"):
        rows.append((danger(t("Send it to them again"), "m:repeat", mailing.id),))
        rows.append((button(t("Leave them"), "m:leave", mailing.id),))
    return [card(text, [*rows, back])]


async def repeat_unknown(talk: Talk, mailing_id: str) -> Screens:
    t = talk.t
    try:
        count = await talk.operations.repeat_unknown(int(mailing_id), talk.actor)
    except Refused as error:
        return await _told(talk, mailing_id, t.error(error))
    note = t.plural("{count} client gets it again.", "{count} clients get it again.", count)
    return await _told(talk, mailing_id, note if count else t("Nobody is unknown: each is settled."))


async def leave_unknown(talk: Talk, mailing_id: str) -> Screens:
    await talk.operations.leave_unknown(int(mailing_id), talk.actor)
    return await _told(talk, mailing_id, talk.t("Left as it is: nobody gets it a second time. /unknown has them."))


async def _told(talk: Talk, mailing_id: str, note: str) -> Screens:
    mailing: Mailing = await talk.operations.get(int(mailing_id))
    return [await mailings.mailing_card(talk, mailing, note)]
