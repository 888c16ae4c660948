"""The check card with its question, and the launch."""

from bot.dialogs import compose
from bot.dialogs.approval import is_waiting, said_needs
from bot.dialogs.audience import difference
from bot.dialogs.checking import said_check, said_question
from bot.dialogs.live import live_card
from bot.dialogs.sending import said_start
from bot.dialogs.talk import (
    Rows,
    Screens,
    Talk,
    button,
    card,
    footer,
    lines,
    paragraphs,
    primary,
)
from bot.dialogs.written import said_missing
from bot.screens import Button, Screen, with_note
from engine.check import CheckCard
from engine.errors import Refused
from storage.records import Mailing, Status


async def open_check(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return [await check_card(talk, await compose.draft_at(talk, mailing_id, revision))]


async def check_by_command(talk: Talk, words: str = "") -> Screens:
    """/check 7, and /launch 7 of a draft: never a launch without its question."""
    return [await check_card(talk, await compose.draft_of(talk, words))]


async def open_fresh_check(talk: Talk, mailing_id: str, *rest: str) -> Screens:
    mailing = await talk.operations.get(int(mailing_id))
    if mailing.status == Status.DRAFT:
        return [await check_card(talk, mailing)]
    return await compose.open_fresh(talk, mailing_id, *rest)


async def check_card(talk: Talk, mailing: Mailing, note: str = "") -> Screen:
    t = talk.t
    here = compose.at(mailing)
    check = await talk.operations.check(mailing.id)
    planned = check.count.planned
    gaps, mending = await said_missing(talk, mailing)
    since = await difference(talk, mailing, planned) if check.count.audience else None
    text = paragraphs(
        t("<b>Check</b> · “{name}”", name=mailing.draft.name),
        note or None,
        said_check(talk, mailing, check, since),
        lines(*gaps) or None,
        said_needs(talk, check),
        _asks(talk, mailing, check),
    )
    rows: Rows = [*mending]
    if not check.problems:
        rows.append((_way_on(talk, mailing, check),))
    rows.append((button(t("Preview"), "o:see", *here), button(t("Test to myself"), "o:test", *here)))
    rows.append((button(t("Who they are"), "who", "l", mailing.id, "all"), button(t("Check again"), "l:check", *here)))
    rows.append(footer(talk, button(t("◀ Back"), "l", *here), leave=mailing.id))
    return card(text, rows, ask=t.plain("Press the button to launch"))


def _asks(talk: Talk, mailing: Mailing, check: CheckCard) -> str | None:
    t = talk.t
    if check.problems:
        return t("Mend that first; then it can be launched.")
    if check.may_go:
        return said_question(talk, mailing, check.count.planned)
    if is_waiting(check):
        return t("It starts by itself when somebody approves it. Change anything, and it has to be asked about anew.")
    return t("<b>Ask for the approval of “{name}”?</b>", name=mailing.draft.name)


def _way_on(talk: Talk, mailing: Mailing, check: CheckCard) -> Button:
    t = talk.t
    here = compose.at(mailing)
    if is_waiting(check):
        return button(t("Take the question back"), "ap:back", mailing.id)
    if not check.may_go:
        return primary(t("✋ Ask for approval"), "ap:ask", *here)
    label = t.plain_plural("🚀 Send to {count} client", "🚀 Send to {count} clients", check.count.planned)
    return primary(label if mailing.draft.start == "now" else t("🗓 Schedule it"), "l:go", *here)


async def go(talk: Talk, mailing_id: str, revision: str) -> Screens:
    """Launch it. Once, however often it is pressed and by whom: the second press finds it launched."""
    mailing = await talk.operations.get(int(mailing_id))
    if _is_launched(mailing):
        return await _launched_already(talk, mailing)
    await compose.draft_at(talk, mailing_id, revision)
    try:
        launched = await talk.operations.launch(int(mailing_id), talk.actor, revision=int(revision))
    except Refused as error:
        mailing = await talk.operations.get(int(mailing_id))
        if _is_launched(mailing):  # somebody else pressed in between
            return await _launched_already(talk, mailing)
        return [with_note(await check_card(talk, mailing), talk.t("⛔ {why}", why=talk.t.error(error)))]
    return await launched_card(talk, launched)


def _is_launched(mailing: Mailing) -> bool:
    return mailing.status != Status.DRAFT and mailing.launched_at is not None


async def _launched_already(talk: Talk, mailing: Mailing) -> Screens:
    from bot.dialogs import mailings

    note = talk.t("It was launched already; once is enough.")
    return [await mailings.mailing_card(talk, mailing, note)]


async def launched_card(talk: Talk, mailing: Mailing) -> Screens:
    """What stands where the question stood."""
    t = talk.t
    if mailing.status == Status.SCHEDULED:
        text = paragraphs(
            t("🗓 <b>{name}</b> – scheduled.", name=mailing.draft.name),
            t("It starts {start}. The audience is formed then.", start=said_start(talk, mailing)),
        )
        rows: Rows = [(button(t("Open"), "m:open", mailing.id), button(t("Menu"), "h"))]
        return [card(text, rows, toast=t.plain("Scheduled"))]
    figures = await talk.operations.figures(mailing.id)
    return [live_card(t, mailing, figures, talk.clock.now())]
