"""After sending: what can still be done about a mailing that clients have; taking it back, and how far that is."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bot.dialogs import mailings
from bot.dialogs.talk import Rows, Screens, Talk, button, card, danger, footer, lines, paragraphs, primary
from bot.screens import Screen, with_note
from bot.texts import Html, Texts, _
from engine.errors import Refused
from engine.reporting import ENDED
from storage.records import AmendmentKind, AmendmentStatus, Mailing, Status

if TYPE_CHECKING:
    from engine.amending import Hope, Progress

_BAR_LENGTH = 12
_HOPELESS: Mapping[str, str] = {
    "never": _("what was sent there stays as it is: {title} lets nobody change it"),
    "shape": _("only words and buttons can be changed where they stand, not pictures, files or the number of messages"),
    "same": _("nothing changes there: {title} has a version of its own"),
    "too_old": _("too late: it was sent too long ago"),
    "channel_missing": _("the channel stands in no configuration any more"),
}
_HEADS: Mapping[tuple[AmendmentKind, AmendmentStatus], str] = {
    (AmendmentKind.TAKE_BACK, AmendmentStatus.RUNNING): _("↩ <b>“{name}” is being taken back</b>"),
    (AmendmentKind.TAKE_BACK, AmendmentStatus.DONE): _("↩ <b>“{name}” was taken back</b>"),
    (AmendmentKind.TAKE_BACK, AmendmentStatus.STOPPED): _("↩ <b>Taking “{name}” back was stopped</b>"),
    (AmendmentKind.CORRECT, AmendmentStatus.RUNNING): _("✏ <b>“{name}” is being corrected</b>"),
    (AmendmentKind.CORRECT, AmendmentStatus.DONE): _("✏ <b>“{name}” was corrected</b>"),
    (AmendmentKind.CORRECT, AmendmentStatus.STOPPED): _("✏ <b>Correcting “{name}” was stopped</b>"),
}


# --- what can still be done ---


async def open_after(talk: Talk, mailing_id: str, *_rest: str) -> Screens:
    mailing = await talk.operations.get(int(mailing_id))
    return await not_yet(talk, mailing) or [await after_card(talk, mailing)]


async def not_yet(talk: Talk, mailing: Mailing) -> Screens:
    """What to do first with one that has not ended; nothing for one that has."""
    if mailing.status in ENDED:
        return []
    t = talk.t
    if mailing.status in (Status.DRAFT, Status.SCHEDULED):
        note = t("Not sent yet ({status}): nobody has it.", status=t.status(mailing.status))
    else:
        note = t("It is {status}: cancel it first, so that nobody gets it any more.", status=t.status(mailing.status))
    return [await mailings.mailing_card(talk, mailing, note)]


async def after_card(talk: Talk, mailing: Mailing, note: str = "") -> Screen:
    """What every channel still allows, what was done already, and who can be written to again."""
    t = talk.t
    talk.state.pop("fix", None)
    back = hopes_by_channel(await talk.operations.hopes(mailing.id, AmendmentKind.TAKE_BACK))
    fix = hopes_by_channel(await talk.operations.hopes(mailing.id, AmendmentKind.CORRECT))
    done = await talk.operations.amendments(mailing.id)
    figures = await talk.operations.figures(mailing.id)
    text = paragraphs(
        t("<b>What can still be done about “{name}”</b>", name=mailing.draft.name),
        lines(*(_channel_line(t, back[channel], fix[channel]) for channel in back))
        or (t("Nobody has it any more.") if done else t("Nobody has it.")),
        lines(*(_done_line(t, one) for one in done)) or None,
    )
    made = card(text, _ways(talk, mailing, [*back.values()], [*fix.values()], done, figures))
    return with_note(made, note) if note else made


def hopes_by_channel(hopes: Sequence["Hope"]) -> dict[str, "Hope"]:
    return {hope.channel: hope for hope in hopes}


def _channel_line(t: Texts, back: "Hope", fix: "Hope") -> Html:
    if back.hopeless == fix.hopeless is not None:
        can: str = t(_HOPELESS[fix.hopeless or "never"], title=fix.title)
    elif back.hopeless is not None or back.until is None:
        can = t("too late to take it back, but it can be corrected")
    else:
        can = t("it can be corrected, and until {until} taken back", until=t.moment(back.until))
    got = t.plural("{count} client has it", "{count} clients have it", back.got)
    return t("• {channel}: {got}; {can}", channel=back.channel, got=got, can=can)


def _done_line(t: Texts, one: "Progress") -> Html:
    reached = t.plural("{count} client reached", "{count} clients reached", one.reached)
    if one.amendment.kind is AmendmentKind.TAKE_BACK:
        what = t(
            "Taken back on {day} by {name}", day=t.day(one.amendment.started_at), name=one.amendment.started_by.name
        )
    else:
        what = t(
            "Corrected on {day} by {name}", day=t.day(one.amendment.started_at), name=one.amendment.started_by.name
        )
    missed = one.all_missed
    more = t(", {n} not", n=t.number(missed)) if missed else ""
    return t("✓ {what}: {reached}{more}", what=what, reached=reached, more=Html(more))


def _ways(
    talk: Talk,
    mailing: Mailing,
    back: Sequence["Hope"],
    fix: Sequence["Hope"],
    done: Sequence["Progress"],
    figures: Mapping[str, int],
) -> Rows:
    t, number = talk.t, mailing.id
    rows: Rows = []
    running = [one for one in done if one.amendment.status is AmendmentStatus.RUNNING]
    if talk.may("amend") and not running:
        first = []
        if any(hope.hopeless is None for hope in back):
            first.append(danger(t("↩ Take it back"), "af:back?", number))
        if any(hope.hopeless is None for hope in fix):
            first.append(button(t("✏ Correct it"), "af:fix", number))
        if first:
            rows.append(tuple(first))
    rows += [(primary(t("How far it is"), "af:at", one.amendment.id),) for one in running]
    rows += [(button(t("Last result"), "af:at", one.amendment.id),) for one in done[-1:] if not running]
    if talk.may("copy"):
        if figures["sent"]:
            rows.append((button(t("✉ Write to those who got it"), "af:who", number),))
        if figures["failed"]:
            again = t.plain("Send to the {n} it failed for", n=t.number(figures["failed"]))
            rows.append((button(again, "af:failed", number),))
    if figures["unknown"]:
        rows.append((button(t.plain("Unknown ones: {n}", n=t.number(figures["unknown"])), "m:unknown", number, 0),))
    last = [button(t("Copy"), "m:copy", number)] if talk.may("copy") else []
    if figures["failed"]:
        last.append(button(t("Who failed"), "m:failed", number, 0))
    rows.append(tuple(last))
    return [*(row for row in rows if row), footer(talk, button(t("◀ Back"), "m:open", number))]


# --- taking back ---


async def ask_take_back(talk: Talk, mailing_id: str) -> Screens:
    """The question, with whom it reaches and whom not."""
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    if first := await not_yet(talk, mailing):
        return first
    hopes = await talk.operations.hopes(mailing.id, AmendmentKind.TAKE_BACK)
    got = sum(hope.got for hope in hopes if hope.hopeless is None)
    if not got:
        return [await after_card(talk, mailing, t("It can't be taken back from anybody."))]
    text = paragraphs(
        t.plural(
            "<b>Take “{name}” back from {count} client?</b>",
            "<b>Take “{name}” back from {count} clients?</b>",
            got,
            name=mailing.draft.name,
        ),
        t("It disappears from their chats. Some may have read it already. It can't be put back."),
        left_alone(t, hopes),
        pace(talk, hopes),
    )
    rows: Rows = [(danger(t("Yes, take it back"), "af:back", mailing.id), button(t("No, leave it"), "af", mailing.id))]
    return [card(text, rows)]


def left_alone(t: Texts, hopes: Sequence["Hope"]) -> str | None:
    """Who keeps what they have, and why."""
    told = [
        t(
            "{channel}: {got} will keep it – {why}",
            channel=hope.channel,
            got=t.plural("{count} client", "{count} clients", hope.got),
            why=t(_HOPELESS[hope.hopeless], title=hope.title),
        )
        for hope in hopes
        if hope.hopeless is not None
    ]
    return lines(*told) or None


def pace(talk: Talk, hopes: Sequence["Hope"]) -> str:
    """How long it takes, at the pace of the slowest channel."""
    spans = [
        hope.got / talk.settings.channels[hope.channel].rate
        for hope in hopes
        if hope.hopeless is None and hope.channel in talk.settings.channels
    ]
    return talk.t("It takes about {span}.", span=talk.t.span(max(*spans, 1.0, 1.0)))


async def take_back(talk: Talk, mailing_id: str) -> Screens:
    try:
        made = await talk.operations.take_back(int(mailing_id), talk.actor)
    except Refused as error:
        mailing = await talk.operations.get(int(mailing_id))
        return [await after_card(talk, mailing, talk.t.error(error))]
    return await open_amendment(talk, str(made.id))


# --- how far it is ---


async def open_amendment(talk: Talk, amendment_id: str) -> Screens:
    progress = await talk.operations.amendment(int(amendment_id))
    mailing = await talk.operations.get(progress.amendment.mailing_id)
    return [amendment_card(talk.t, mailing, progress, may_stop=talk.may("amend"), may_write=talk.may("copy"))]


async def stop(talk: Talk, amendment_id: str) -> Screens:
    stopped = await talk.operations.stop_amendment(int(amendment_id), talk.actor)
    note = talk.t("Stopped. What is done stays done.") if stopped else talk.t("It had ended already.")
    (screen,) = await open_amendment(talk, amendment_id)
    return [with_note(screen, note)]


def amendment_card(
    t: Texts, mailing: Mailing, progress: "Progress", *, may_stop: bool = True, may_write: bool = True
) -> Screen:
    """Reached, not reached and why; with what can be done next."""
    one = progress.amendment
    running = one.status is AmendmentStatus.RUNNING
    text = paragraphs(
        t(_HEADS[one.kind, one.status], name=mailing.draft.name),
        _bar(t, progress) if running else None,
        _tally(t, progress) if one.planned_all or progress.reached else None,
        t("Not reached: {reasons}", reasons=t.reasons(progress.missed)) if progress.missed else None,
        _by_channel(t, progress),
        t("Why: {why}", why=one.reason_words) if one.reason_words else None,
    )
    rows: Rows = []
    if running:
        row = [primary(t("How far is it now?"), "af:at", one.id)]
        rows.append(tuple([*row, danger(t("Stop"), "af:stop", one.id)] if may_stop else row))
    elif may_write and (progress.all_missed or progress.waiting):
        rows.append((primary(t("✉ Write to those who have it still"), "af:to", mailing.id, "kept"),))
    rows.append((button(t("◀ Back"), "af", mailing.id), button(t("Menu"), "h")))
    return card(text, rows)


def _bar(t: Texts, progress: "Progress") -> str:
    if not progress.amendment.planned_all:
        return t("Finding out who has it…")
    ended = progress.reached + progress.all_missed
    share = ended / max(ended + progress.waiting, 1)
    full = int(share * _BAR_LENGTH)
    return f"{'█' * full}{'░' * (_BAR_LENGTH - full)} {t.share(share)}"


def _tally(t: Texts, progress: "Progress") -> Html:
    told = [
        t("reached {n}", n=t.number(progress.reached)),
        t("not reached {n}", n=t.number(progress.all_missed)),
    ]
    if progress.waiting:
        running = progress.amendment.status is AmendmentStatus.RUNNING
        told.append(t(_("waiting {n}") if running else _("left as it was {n}"), n=t.number(progress.waiting)))
    return Html(" · ".join(told))


def _by_channel(t: Texts, progress: "Progress") -> str | None:
    if len(progress.by_channel) < 2:
        return None
    told = [
        t("{channel}: {reached} reached, {missed} not", channel=channel, reached=t.number(got), missed=t.number(missed))
        for channel, (got, _waiting, missed) in progress.by_channel.items()
    ]
    return lines(*told)
