"""Digests of a chat: numbers that come each day or week by themselves, at an hour that the person chooses."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from bot.dialogs.talk import (
    Rows,
    Screens,
    Talk,
    button,
    card,
    danger,
    footer,
    in_rows,
    lines,
    paragraphs,
    plain_words,
    primary,
    short,
)
from bot.digests import digest_screen, due_after
from bot.languages import LANGUAGES
from bot.screens import Said, Screen
from bot.texts import Html, Texts, _
from engine.errors import Invalid, NotFound, Refused
from storage.digests import Digest, Every, NewDigest

_HOURS: Final = (7, 8, 9, 10, 12, 15, 18, 20)
_NO_DAY: Final = 7  # beside the weekdays, 0 to 6, in a token
_HOUR = re.compile(r"(?:at|в|о|об)?\s*(\d{1,2})(?:[:.](\d{2}))?\s*(am|pm)?", re.IGNORECASE)
_EVERY: Final = {
    Every.DAY: ["day", "daily", "день", "ежедневно", "щодня", "каждый", "кожен"],
    Every.WEEK: ["week", "weekly", "неделя", "неделю", "еженедельно", "тиждень", "щотижня"],
}
_OFF: Final = frozenset(["off", "stop", "none", "выкл", "отключить", "стоп", "вимкнути"])


async def open_digests(talk: Talk) -> Screens:
    """What comes to this chat, and what can."""
    t = talk.t
    mine = await _mine(talk)
    rows: Rows = [(button(_label(t, one), "d:of", one.id),) for one in mine]
    there = {one.every for one in mine}
    new = [button(t(words), "d:new", every.value) for every, words in _NEW.items() if every not in there]
    rows += in_rows(new, 2)
    text = paragraphs(
        t("<b>Numbers that come by themselves</b>"),
        Html("\n".join(f"• {_told(t, one)}" for one in mine))
        if mine
        else t(
            "Nothing comes to this chat by itself yet. Each day I tell of the day before, each week of the last 7 days."
        ),
        t("Or type <code>/digest day 9:00</code>, <code>/digest week monday 9:00</code>, <code>/digest off</code>."),
    )
    return [card(text, [*rows, footer(talk, button(t("◀ Statistics"), "s", 0))])]


async def by_command(talk: Talk, words: str = "") -> Screens:
    """/digest, /digest day 9:00, /digest week monday 9:00, /digest off"""
    said = words.casefold().split()
    if not said:
        return await open_digests(talk)
    if said[0] in _OFF:
        return await _stop_all(talk)
    every = next((every for every, known in _EVERY.items() if said[0] in known), None)
    if every is None:
        raise Invalid(_("Type /digest day 9:00, or /digest week monday 9:00; /digest off ends them."))
    rest = said[1:]
    weekday = _weekday(rest[0]) if rest and every is Every.WEEK else None
    if weekday is not None:
        rest = rest[1:]
    if every is Every.WEEK and weekday is None:
        return await open_new(talk, every.value)
    if not rest:
        return await open_hours(talk, every.value, str(_NO_DAY if weekday is None else weekday))
    return await _put(talk, every, weekday, _minute(" ".join(rest)))


async def open_new(talk: Talk, every: str) -> Screens:
    """A daily one asks for the hour, a weekly one for the day before that."""
    t = talk.t
    if _every(every) is Every.DAY:
        return await open_hours(talk, every, str(_NO_DAY))
    days = [button(name, "d:hours", Every.WEEK.value, number) for number, name in enumerate(_weekdays(t.locale))]
    text = t("On which day of the week shall the numbers come?")
    return [card(text, [*in_rows(days, 2), footer(talk, button(t("◀ Back"), "d"))])]


async def open_hours(talk: Talk, every: str, weekday: str) -> Screens:
    t = talk.t
    talk.ask("d.hour", _every(every).value, weekday)
    hours = [button(f"{hour:02}:00", "d:at", every, weekday, hour * 60) for hour in _HOURS]
    text = t(
        "At what hour shall the numbers come? Press it, or type one such as <code>8:30</code>. "
        "The clock is that of {zone}.",
        zone=await _zone(talk, _every(every)),
    )
    return [
        card(text, [*in_rows(hours, 4), footer(talk, button(t("◀ Back"), "d"))], ask=t.plain("An hour, such as 8:30"))
    ]


async def hear_hour(talk: Talk, said: Said, every: str, weekday: str) -> Screens:
    return await _put(talk, _every(every), _day(weekday), _minute(plain_words(said)))


async def set_hour(talk: Talk, every: str, weekday: str, minute: str) -> Screens:
    return await _put(talk, _every(every), _day(weekday), min(int(minute), 24 * 60 - 1))


async def open_digest(talk: Talk, digest_id: str) -> Screens:
    return [_card(talk, await _get(talk, digest_id))]


async def send_now(talk: Talk, digest_id: str) -> Screens:
    """What it would say at this moment; the next one comes in time all the same."""
    digest = await _get(talk, digest_id)
    t = Texts(talk.t.locale, digest.timezone)
    return [await digest_screen(t, talk.operations, replace(digest, due_at=talk.clock.now()))]


async def stop(talk: Talk, digest_id: str) -> Screens:
    t, digest = talk.t, await _get(talk, digest_id)
    await talk.store.digests.remove(digest.id)
    screens = await open_digests(talk)
    note = t("It has ended: {digest}.", digest=_told(t, digest))
    return [replace(screens[0], text=paragraphs(note, screens[0].text))]


async def ask_zone(talk: Talk, digest_id: str) -> Screens:
    t, digest = talk.t, await _get(talk, digest_id)
    talk.ask("d.zone", digest.id)
    text = t(
        "By which clock? It is {zone} now. Type a city, such as <code>Warsaw</code>, or a zone, such as "
        "<code>Europe/Kyiv</code>.",
        zone=digest.timezone,
    )
    back = button(t("◀ Back"), "d:of", digest.id)
    return [card(text, [footer(talk, back)], ask=t.plain("A city, such as Warsaw"))]


async def hear_zone(talk: Talk, said: Said, digest_id: str) -> Screens:
    digest = await _get(talk, digest_id)
    return await _keep(talk, replace(digest, timezone=_zone_called(plain_words(said))))


# --- within

_NEW: Final = {Every.DAY: _("Each day…"), Every.WEEK: _("Each week…")}


async def _put(talk: Talk, every: Every, weekday: int | None, minute: int) -> Screens:
    event = talk.event
    new = NewDigest(
        surface=event.surface,
        account=event.account,
        chat=event.chat,
        every=every,
        weekday=weekday,
        minute=minute,
        timezone=await _zone(talk, every),
        due_at=talk.clock.now(),
    )
    return await _keep(talk, new)


async def _keep(talk: Talk, new: NewDigest) -> Screens:
    digest_id = await talk.store.digests.put(replace(new, due_at=due_after(new, talk.clock.now())))
    return [_card(talk, await _get(talk, str(digest_id)))]


async def _stop_all(talk: Talk) -> Screens:
    for one in await _mine(talk):
        await talk.store.digests.remove(one.id)
    text = talk.t("Nothing comes to this chat by itself any more.")
    return [card(text, [(button(talk.t("Numbers each day or week"), "d"), button(talk.t("Menu"), "h"))])]


def _card(talk: Talk, digest: Digest) -> Screen:
    t = talk.t
    text = paragraphs(
        lines(
            t("<b>{digest}</b>", digest=_told(t, digest)),
            t("The next one: {when}.", when=t.moment(digest.due_at, digest.timezone)),
        ),
        t("It tells of the whole day before.")
        if digest.every is Every.DAY
        else t("It tells of the 7 whole days before."),
    )
    weekday = _NO_DAY if digest.weekday is None else digest.weekday
    rows: Rows = [
        (primary(t("Show it now"), "d:now", digest.id),),
        (
            button(t("Another hour"), "d:hours", digest.every.value, weekday),
            button(t("Another clock"), "d:zone", digest.id),
        ),
        (danger(t("End it"), "d:off", digest.id),),
        footer(talk, button(t("◀ Back"), "d")),
    ]
    return card(text, rows)


def _label(t: Texts, digest: Digest) -> str:
    hour = f"{digest.minute // 60:02}:{digest.minute % 60:02}"
    if digest.weekday is None:
        return t.plain("Each day, {hour}", hour=hour)
    return t.plain("{day}, {hour}", day=_weekdays(t.locale)[digest.weekday].capitalize(), hour=hour)


def _told(t: Texts, digest: NewDigest) -> Html:
    hour = f"{digest.minute // 60:02}:{digest.minute % 60:02}"
    if digest.weekday is None:
        return t("Each day at {hour} ({zone})", hour=hour, zone=digest.timezone)
    day = _weekdays(t.locale)[digest.weekday]
    return t("Each week, {day} at {hour} ({zone})", day=day, hour=hour, zone=digest.timezone)


async def _mine(talk: Talk) -> list[Digest]:
    event = talk.event
    return list(await talk.store.digests.of(event.surface, event.account, event.chat))


async def _get(talk: Talk, digest_id: str) -> Digest:
    """One of this chat's. Raises NotFound, and Refused for somebody else's."""
    for one in await _mine(talk):
        if str(one.id) == digest_id:
            return one
    if await talk.store.digests.find(int(digest_id)) is not None:
        raise Refused(_("That digest was ordered by somebody else, who alone can change it; /digest shows yours."))
    raise NotFound(_("That digest has ended already; /digest shows what there is."))


async def _zone(talk: Talk, every: Every) -> str:
    """The clock of the digest that is there already, else the person's."""
    return next((one.timezone for one in await _mine(talk) if one.every is every), talk.t.timezone)


def _every(word: str) -> Every:
    return Every.WEEK if word == Every.WEEK else Every.DAY


def _day(weekday: str) -> int | None:
    return int(weekday) if weekday.isdecimal() and int(weekday) < _NO_DAY else None


def _minute(words: str) -> int:
    """Of the day. Raises Invalid."""
    found = _HOUR.fullmatch(words.strip())
    hour, minute = (int(found[1]), int(found[2] or 0)) if found else (24, 0)
    if found and found[3] and 1 <= hour <= 12:
        hour = hour % 12 + (12 if found[3].lower() == "pm" else 0)
    if hour > 23 or minute > 59:
        raise Invalid(_("“{words}” is no hour: type one such as 8:30."), words=short(words, 40))
    return hour * 60 + minute


def _weekdays(locale: str) -> Sequence[str]:
    from babel.dates import get_day_names

    names = get_day_names("wide", "stand-alone", locale)
    return [str(names[number]) for number in range(7)]


def _weekday(word: str) -> int | None:
    """The day that is meant, in any of our languages: "monday", "mon", "понедельник", "пн"."""
    from babel.dates import get_day_names

    for language in LANGUAGES:
        for width in ("wide", "abbreviated"):
            for number, name in get_day_names(width, "format", language).items():
                if word in (name.casefold(), name.casefold().rstrip(".")):
                    return int(number)
        for number, name in enumerate(_weekdays(language)):
            if word == name.casefold():
                return number
    return None


def _zone_called(words: str) -> str:
    """The zone of that name, or of that city. Raises Invalid."""
    wanted = words.strip().replace(" ", "_").casefold()
    known = sorted(available_timezones())
    found = [one for one in known if wanted in (one.casefold(), one.rpartition("/")[2].casefold())]
    if not found:
        raise Invalid(
            _("I know no clock of “{words}”: type a zone such as Europe/Kyiv."), words=short(words.strip(), 40)
        )
    return ZoneInfo(next((one for one in found if "/" in one), found[0])).key
