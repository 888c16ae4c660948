"""When and how fast, the test to oneself, the check card, and the launch."""

import re
from typing import Any
from zoneinfo import ZoneInfo

from bot.dialogs import compose
from bot.dialogs.audience import said_audience
from bot.dialogs.live import SPEEDS, live_card, speed_of
from bot.dialogs.talk import (
    Rows,
    Screens,
    Talk,
    button,
    card,
    footer,
    in_rows,
    lines,
    paragraphs,
    plain_words,
    primary,
    short,
)
from bot.screens import Said, Screen, with_note
from bot.texts import Html, _
from engine.errors import Invalid, Refused
from engine.operations import CheckCard
from storage.records import Mailing, Status

_SPEED = re.compile(r"^(\d{1,3}(?:[.,]\d)?)\s*(?:/\s*s(?:ec)?|a second|per second|messages.*)?$", re.IGNORECASE)


async def open_sending(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return [await _card(talk, await compose.draft_at(talk, mailing_id, revision))]


async def open_by_command(talk: Talk, words: str = "") -> Screens:
    """/send 7"""
    return [await _card(talk, await compose.draft_of(talk, words))]


async def _card(talk: Talk, mailing: Mailing, note: str = "") -> Screen:
    t = talk.t
    here = compose.at(mailing)
    talk.ask("l.typed", *here)
    draft = mailing.draft
    speed = speed_of(mailing, _max_rate(talk))
    text = paragraphs(
        t("<b>When and how fast?</b> “{name}”", name=draft.name),
        note or None,
        lines(
            t("Start: {start}", start=said_start(talk, mailing)),
            t("Speed: {speed} messages a second on each channel", speed=t.number(speed)),
            await _lasts(talk, mailing, speed),
        ),
    )
    speeds = [
        button(f"✓ {one}" if one == speed else str(one), "l:speed", one, *here)
        for one in SPEEDS
        if one <= _max_rate(talk)
    ]
    is_now = draft.start == "now"
    rows: Rows = [
        *in_rows(speeds, 6),
        (
            button(t("✓ Now") if is_now else t("Now"), "l:now", *here),
            button(t("At a date…") if is_now else t("✓ At a date…"), "l:when", *here),
        ),
    ]
    if not is_now:
        own = draft.timezone == "client"
        label = t("✓ At each client's own hour") if own else t("At each client's own hour")
        rows.append((button(label, "l:zone", *here),))
    rows.append((primary(t("Next: check ▶"), "l:check", *here),))
    rows.append(footer(talk, button(t("◀ Back"), "a", *here), leave=mailing.id))
    return card(text, rows, ask=t.plain("A date such as: tomorrow 10:00. Or a speed such as: 10"))


def said_start(talk: Talk, mailing: Mailing) -> str:
    """When it starts, the zone always beside it."""
    from datetime import datetime

    t = talk.t
    draft = mailing.draft
    if draft.start == "now":
        return t("at once, when you launch it")
    local = t.local(datetime.fromisoformat(draft.start))
    if draft.timezone == "client":
        return t("{local}, by each client's own clock", local=local)
    return t("{local} ({zone})", local=local, zone=draft.timezone or talk.settings.timezone)


async def _lasts(talk: Talk, mailing: Mailing, speed: float) -> str | None:
    try:
        count = await talk.operations.count_audience(
            mailing.draft.audience, mailing.draft.routing, mailing.draft.channels
        )
    except Invalid as error:
        return talk.t("⚠ {why}", why=talk.t.error(error))
    most = max((n / min(speed, _rate(talk, channel)) for channel, n in count.by_channel.items()), default=0.0)
    return talk.t.plural(
        "For about {count} client that takes about {span}.",
        "For about {count} clients that takes about {span}.",
        count.planned,
        span=talk.t.span(most),
    )


def _rate(talk: Talk, channel: str) -> float:
    found = talk.settings.channels.get(channel)
    return found.rate if found else 25.0


def _max_rate(talk: Talk) -> float:
    return max((channel.max_rate for channel in talk.settings.channels.values()), default=25.0)


async def set_speed(talk: Talk, speed: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    return [await _card(talk, await compose.change(talk, mailing, speed=float(speed)))]


async def set_now(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    return [await _card(talk, await compose.change(talk, mailing, start="now", timezone=None))]


async def ask_when(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    talk.ask("l.typed", *compose.at(mailing))
    t = talk.t
    text = t(
        "When shall it start? Type it: <code>tomorrow 10:00</code>, <code>Friday 18:30</code>, "
        "<code>1 December 9:00</code>. "
        "Times are in {zone}.",
        zone=t.timezone,
    )
    back = button(t("◀ Back"), "l", *compose.at(mailing))
    return [card(text, [footer(talk, back, leave=mailing.id)], ask=t.plain("A date, such as: tomorrow 10:00"))]


async def turn_zone(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    zone = talk.t.timezone if mailing.draft.timezone == "client" else "client"
    return [await _card(talk, await compose.change(talk, mailing, timezone=zone))]


async def hear_typed(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    """A date or a speed, typed on the card."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    words = plain_words(said)
    if speed := _SPEED.match(words):
        return [await _card(talk, await compose.change(talk, mailing, speed=_speed(talk, speed[1])))]
    if words.casefold() in ("now", "at once"):
        return await set_now(talk, mailing_id, revision)
    start = _understood(talk, words)
    zone = "client" if mailing.draft.timezone == "client" else talk.t.timezone
    return [await _card(talk, await compose.change(talk, mailing, start=start, timezone=zone))]


def _speed(talk: Talk, words: str) -> float:
    speed = float(words.replace(",", "."))
    most = _max_rate(talk)
    if not 1 <= speed <= most:
        raise Invalid(_("The speed is from 1 to {most} messages a second."), most=f"{most:g}")
    return speed


def _understood(talk: Talk, words: str) -> str:
    """The local start that words mean. Raises Invalid where they mean none, or one that is past."""
    from engine.schedule import understand

    if not words:
        raise Invalid(_("Type a date such as: tomorrow 10:00."))
    at = understand(words, talk.t.timezone, talk.clock.now())
    return at.astimezone(ZoneInfo(talk.t.timezone)).replace(tzinfo=None).isoformat(timespec="minutes")


# --- a test to oneself ---


async def open_test(talk: Talk, mailing_id: str, revision: str) -> Screens:
    """Send the mailing to the person's own account, on each channel where that is known."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    t = talk.t
    here = compose.at(mailing)
    back = button(t("◀ Back"), "c:m", *here)
    mine = _own_accounts(talk)
    if len(mine) == 1:
        channel, address = mine[0]
        return await _send_test(talk, mailing, channel, address)
    talk.ask("l.address", *here)
    if not mine:
        text = t(
            "I don't know your own account on a messenger: it stands beside your name in [[people]]. "
            "Or type where to send the test: a channel and an address, such as {example}.",
            example=Html(f"<code>{next(iter(talk.settings.channels), 'tg-shop')} 100200300</code>"),
        )
    else:
        text = t("By which channel shall the test come to you?")
    rows = [
        *in_rows([button(short(channel, 24), "l:to", place, *here) for place, (channel, _to) in enumerate(mine)], 2),
        footer(talk, back, leave=mailing.id),
    ]
    return [card(text, rows, ask=t.plain("A channel and an address"))]


async def open_test_by_command(talk: Talk, words: str = "") -> Screens:
    """/test 7"""
    mailing = await compose.draft_of(talk, words)
    return await open_test(talk, str(mailing.id), str(mailing.revision))


async def send_test_by_channel(talk: Talk, place: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    mine = _own_accounts(talk)
    if int(place) >= len(mine):
        raise Invalid(_("That channel is no longer set up."))
    return await _send_test(talk, mailing, *mine[int(place)])


async def hear_address(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    channel, _space, address = plain_words(said).partition(" ")
    if not address and len(talk.settings.channels) == 1:
        channel, address = next(iter(talk.settings.channels)), channel
    if channel not in talk.settings.channels or not address.strip():
        raise Invalid(
            _("Type a channel and an address. The channels are: {channels}."),
            channels=", ".join(talk.settings.channels),
        )
    return await _send_test(talk, mailing, channel, address.strip())


def _own_accounts(talk: Talk) -> list[tuple[str, str]]:
    accounts = {talk.event.surface: talk.event.account, **talk.person.accounts}
    return [(one.id, accounts[one.kind]) for one in talk.settings.channels.values() if one.kind in accounts]


async def _send_test(talk: Talk, mailing: Mailing, channel: str, address: str) -> Screens:
    t = talk.t
    try:
        await talk.operations.send_test(mailing.id, channel, address, talk.actor)
    except Invalid as error:
        note = t("⚠ The test did not arrive by {channel}: {why}", channel=channel, why=t.error(error))
        return [compose.message_card(talk, mailing, note)]
    note = t("✓ The test is sent to you by {channel}. It counts in no statistics.", channel=channel)
    return [compose.message_card(talk, mailing, note)]


# --- check and launch ---


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
        ),
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
    speed, span = t.number(speed_of(mailing, _max_rate(talk))), t.span(check.duration_s)
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
    told = [
        t("⚠ {kind}: {loss}", kind=talk.house.title(kind), loss=t(loss.words, **loss.values))
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
    return talk.t.error(words) if isinstance(words, Invalid) else talk.t("{words}", words=str(words))


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
