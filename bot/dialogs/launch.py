"""The check card with its question, and the launch."""

from typing import Any

from bot.dialogs import compose
from bot.dialogs.audience import difference, said_audience
from bot.dialogs.live import live_card, speed_of
from bot.dialogs.loads import said_loads, said_ways
from bot.dialogs.sending import max_rate, said_start
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
from bot.screens import Screen, with_note
from engine.check import CheckCard
from engine.errors import Invalid, Refused
from storage.records import Mailing, Status


async def open_check(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return [await _check_card(talk, await compose.draft_at(talk, mailing_id, revision))]


async def check_by_command(talk: Talk, words: str = "") -> Screens:
    """/check 7, and /launch 7 of a draft: never a launch without its question."""
    return [await _check_card(talk, await compose.draft_of(talk, words))]


async def open_fresh_check(talk: Talk, mailing_id: str, *rest: str) -> Screens:
    mailing = await talk.operations.get(int(mailing_id))
    if mailing.status == Status.DRAFT:
        return [await _check_card(talk, mailing)]
    return await compose.open_fresh(talk, mailing_id, *rest)


async def _check_card(talk: Talk, mailing: Mailing) -> Screen:
    t = talk.t
    here = compose.at(mailing)
    check = await talk.operations.check(mailing.id)
    planned = check.count.planned
    draft = mailing.draft
    text = paragraphs(
        t("<b>Check</b> · “{name}”", name=draft.name),
        lines(
            t("To: {audience}", audience=said_audience(talk, draft.audience)),
            _planned(talk, check.count),
            _left_out(talk, check.count),
            await difference(talk, mailing, planned) if check.count.audience else None,
        ),
        said_ways(talk, check),
        said_loads(talk, check),
        lines(
            t("Start: {start}", start=said_start(talk, mailing)),
            t("⚠ {note}", note=check.start_note) if check.start_note else None,
            _duration(talk, mailing, check),
        ),
        _dropped(talk, check.losses),
        _package(talk, check.package_left),
        lines(*(t("⚠ {warning}", warning=_said(talk, warning)) for warning in check.warnings)) or None,
        lines(*(t("⛔ {problem}", problem=_said(talk, problem)) for problem in check.problems)) or None,
        _question(talk, mailing, planned) if not check.problems else t("Mend that first; then it can be launched."),
    )
    rows: Rows = []
    if not check.problems:
        label = t.plain_plural("🚀 Send to {count} client", "🚀 Send to {count} clients", planned)
        rows.append((primary(label if draft.start == "now" else t("🗓 Schedule it"), "l:go", *here),))
    rows.append((button(t("Test to myself"), "l:test", *here), button(t("Check again"), "l:check", *here)))
    rows.append((button(t("Who they are"), "who", "l", mailing.id, "all"),))
    rows.append(footer(talk, button(t("◀ Back"), "l", *here), leave=mailing.id))
    return card(text, rows, ask=t.plain("Press the button to launch"))


def _question(talk: Talk, mailing: Mailing, planned: int) -> str:
    t = talk.t
    name = mailing.draft.name
    if mailing.draft.start == "now":
        return t.plural(
            "<b>Send “{name}” to {count} client now?</b>",
            "<b>Send “{name}” to {count} clients now?</b>",
            planned,
            name=name,
        )
    return t.plural(
        "<b>Send “{name}” to about {count} client, {start}?</b>",
        "<b>Send “{name}” to about {count} clients, {start}?</b>",
        planned,
        name=name,
        start=said_start(talk, mailing),
    )


def _planned(talk: Talk, count: Any) -> str:
    t = talk.t
    channels = [
        t("{channel} {count}", channel=channel, count=t.number(amount))
        for channel, amount in sorted(count.by_channel.items())
    ]
    total = t.plural("<b>{count} client</b>", "<b>{count} clients</b>", count.planned)
    return t("{total}: {channels}", total=total, channels=t.listed(list(channels))) if channels else total


def _left_out(talk: Talk, count: Any) -> str | None:
    t = talk.t
    left = {reason: amount for reason, amount in count.left_out.items() if amount}
    if not left:
        return None
    return t("Left out {count}: {reasons}", count=t.number(sum(left.values())), reasons=t.reasons(left))


def _duration(talk: Talk, mailing: Mailing, check: CheckCard) -> str:
    t = talk.t
    speed, span = t.number(speed_of(mailing, max_rate(talk))), t.span(check.duration_s)
    if mailing.draft.timezone == "client":
        return t("Speed: {speed} a second; each time zone takes {span} at most", speed=speed, span=span)
    return t(
        "Speed: {speed} a second, takes about {span}, ends about {ends}",
        speed=speed,
        span=span,
        ends=t.moment(check.ends_at),
    )


def _dropped(talk: Talk, losses: Any) -> str | None:
    """What each messenger changes or drops."""
    t = talk.t
    titles = {channel.kind: channel.able.title for channel in talk.settings.channels.values()}
    told = [
        t("⚠ {kind}: {loss}", kind=titles.get(kind, kind), loss=t(loss.words, **loss.values))
        for kind, found in sorted(losses.items())
        for loss in found
    ]
    return lines(*told) or None


def _package(talk: Talk, package_left: Any) -> str | None:
    t = talk.t
    told = [
        t.plural(
            "{channel}: {count} message left in the package",
            "{channel}: {count} messages left in the package",
            left,
            channel=channel,
        )
        for channel, left in sorted(package_left.items())
        if left is not None
    ]
    return lines(*told) or None


def _said(talk: Talk, words: Any) -> str:
    return talk.t.error(words) if isinstance(words, Invalid) else talk.t.told(str(words))


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
        return [with_note(await _check_card(talk, mailing), talk.t("⛔ {why}", why=talk.t.error(error)))]
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
