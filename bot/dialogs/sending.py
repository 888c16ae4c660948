"""When it starts and how fast it goes."""

import re
from zoneinfo import ZoneInfo

from bot.dialogs import compose
from bot.dialogs.canary import said_canary
from bot.dialogs.live import SPEEDS, speed_of
from bot.dialogs.talk import (
    Reads,
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
)
from bot.screens import Said, Screen
from bot.texts import _
from engine.errors import Invalid
from engine.schedule import NOW
from storage.records import Mailing, Status

_SPEED = re.compile(
    r"^(\d{1,3}(?:[.,]\d)?)\s*"
    r"(?:/\s*(?:s(?:ec)?|сек|с)\.?|a second|per second|(?:в|за|на) секунду|(?:messages|сообщени|повідомлен).*)?$",
    re.IGNORECASE,
)


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
    speed = speed_of(mailing, max_rate(talk))
    text = paragraphs(
        t("<b>When and how fast?</b> “{name}”", name=draft.name),
        note or None,
        lines(
            t("Start: {start}", start=said_start(talk, mailing)),
            t("Speed: {speed} messages a second on each channel", speed=t.number(speed)),
            await _lasts(talk, mailing),
            said_canary(talk, draft.canary),
        ),
    )
    speeds = [
        button(f"✓ {one}" if one == speed else str(one), "l:speed", one, *here)
        for one in SPEEDS
        if one <= max_rate(talk)
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
    few = t("✓ A few clients first…") if draft.canary else t("A few clients first…")
    rows.append((button(few, "l:few", *here),))
    rows.append((primary(t("Next: check ▶"), "l:check", *here),))
    rows.append(footer(talk, button(t("◀ Back"), "a", *here), leave=mailing.id))
    return card(text, rows, ask=t.plain("A date such as: tomorrow 10:00. Or a speed such as: 10"))


def said_start(talk: Reads, mailing: Mailing) -> str:
    """When it starts, the zone always beside it."""
    from datetime import datetime

    t = talk.t
    draft = mailing.draft
    if draft.start == "now":
        return t("at once, when you launch it")
    local = t.local(datetime.fromisoformat(draft.start))
    if draft.timezone == "client":
        return t("{local}, by each client's own clock", local=local)
    zone = draft.timezone or talk.settings.timezone
    if mailing.status is Status.SCHEDULED and mailing.start_at is not None:
        # The hour that was typed may be missing on that day, and then it is a later one.
        local = t.local(mailing.start_at.astimezone(ZoneInfo(zone)))
    return t("{local} ({zone})", local=local, zone=zone)


async def _lasts(talk: Talk, mailing: Mailing) -> str | None:
    try:
        count, most = await talk.operations.checker.duration(mailing.draft)
    except Invalid as error:
        return talk.t("⚠ {why}", why=talk.t.error(error))
    return talk.t.plural(
        "For about {count} client that takes about {span}.",
        "For about {count} clients that takes about {span}.",
        count.planned,
        span=talk.t.span(max(most, 1.0)),
    )


def max_rate(talk: Reads) -> float:
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
    if words.casefold() in NOW:
        return await set_now(talk, mailing_id, revision)
    start = _understood(talk, words)
    zone = "client" if mailing.draft.timezone == "client" else talk.t.timezone
    return [await _card(talk, await compose.change(talk, mailing, start=start, timezone=zone))]


def _speed(talk: Talk, words: str) -> float:
    speed = float(words.replace(",", "."))
    most = max_rate(talk)
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
