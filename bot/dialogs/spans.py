"""Numbers of a span of time: of all mailings that began in it together, of each of them, and of one channel."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.charts import MOST_MAILINGS, draw_channels, draw_period, drawn
from bot.dialogs import spoken
from bot.dialogs.talk import Rows, Screens, Talk, button, card, chosen, digest, footer, in_rows, paragraphs, short
from bot.numbers import columns, notes, rows_of, title_of
from bot.periods import PERIODS, Days, days_of
from bot.screens import Button, Document, Screen
from bot.sheets import csv_of, xlsx_of
from bot.texts import Html, Texts
from engine.reporting import Period
from engine.settings import EngineSettings

if TYPE_CHECKING:
    from engine.operations import Operations

_CHOICE = ("today", "week", "month", "all")
_MOST_ROWS = 5_000  # mailings in a table


async def open_period(talk: Talk, name: str) -> Screens:
    """All mailings of the time together, with a picture."""
    t = talk.t
    name = name if name in PERIODS else "week"
    talk.ask("s.which")
    days = _days(talk, name)
    ways: Rows = [
        tuple(button(t(PERIODS[one]), "s:since", one) for one in _CHOICE if one != name),
        footer(talk, button(t("◀ Statistics"), "s", 0)),
    ]
    told = await told_period(t, talk.operations, talk.settings, days)
    if told is None:
        return [card(paragraphs(*_head(talk, name, days), t("No mailing was launched in this time.")), ways)]
    text, picture, period = told
    found = await talk.operations.begun(days.begin, days.end, limit=4)
    rows = in_rows([button(f"#{one.id} {short(one.draft.name, 20)}", "s:of", one.id) for one in found], 2)
    asked: list[Button] = []
    if name != "all":
        asked.append(button(t("Compare with the time before"), "s:before", name))
    if len(period.channels) > 1:
        asked.append(button(t("By channel"), "s:chan", name))
    asked.append(button(t("As a table"), "s:files", name))
    ask = t.plain("A mailing's number or name, or week")
    shown = paragraphs(*_head(talk, name, days), text)
    return [card(shown, [*rows, *in_rows(asked, 2), *ways], picture=picture, ask=ask)]


async def told_period(
    t: Texts, operations: "Operations", settings: EngineSettings, days: Days
) -> tuple[Html, bytes, Period] | None:
    """The numbers of those days in words and as a picture; None where nothing was launched in them."""
    period = await operations.period(days.begin, days.end)
    if not period.mailings:
        return None
    newest = await operations.begun(days.begin, days.end, limit=MOST_MAILINGS)
    named = list(
        zip([f"#{one.id} {one.draft.name}" for one in newest], await operations.figures_of(newest), strict=True)
    )
    rows = rows_of(t, period.figures, settings)
    count = t.plural("{count} mailing was launched.", "{count} mailings were launched.", period.mailings)
    text = paragraphs(count, columns(t, rows), notes(t, period.figures, settings))
    more = period.mailings - len(newest)
    picture = await drawn(draw_period, t, count, days.told(t), rows, named, more)
    return text, picture, period


async def open_by_channel(talk: Talk, name: str) -> Screens:
    """The channels side by side over a span of time."""
    t = talk.t
    name = name if name in PERIODS else "month"
    days = _days(talk, name)
    period = await talk.operations.period(days.begin, days.end)
    ways: Rows = [
        tuple(button(t(PERIODS[one]), "s:chan", one) for one in _CHOICE if one != name),
        footer(talk, button(t("◀ Statistics"), "s", 0)),
    ]
    if not period.channels:
        return [card(paragraphs(*_head(talk, name, days), t("No mailing was launched in this time.")), ways)]
    named = [
        (f"{channel} · {title_of(channel, talk.settings)}", rows_of(t, one, talk.settings))
        for channel, one in period.channels.items()
    ]
    one_by_one = [button(channel, "s:on", digest(channel), name) for channel in period.channels]
    text = paragraphs(
        *_head(talk, name, days), channels_text(talk, period.channels), notes(t, period.figures, talk.settings)
    )
    picture = await drawn(draw_channels, t, t(PERIODS[name]), days.told(t), named)
    return [card(text, [*in_rows(one_by_one, 2), *ways], picture=picture)]


async def open_channel(talk: Talk, channel: str, name: str) -> Screens:
    """One channel over a span of time; it is named by its digest, because a token has no room for more."""
    return await _channel(talk, chosen(await _channels(talk), channel), name)


async def hear_channel(talk: Talk, words: str) -> Screens | None:
    """ "tg-shop", "tg-shop week"; None where the first word is no channel."""
    first, _space, rest = words.strip().partition(" ")
    known = {channel.casefold(): channel for channel in talk.settings.channels}
    if first.casefold() not in known:
        return None
    period = spoken.time_of(rest) if rest.strip() else "month"
    return await _channel(talk, known[first.casefold()], period or "month")


async def _channel(talk: Talk, channel: str, name: str) -> Screens:
    t = talk.t
    name = name if name in PERIODS else "month"
    days = _days(talk, name)
    period = await talk.operations.period(days.begin, days.end)
    rows: Rows = [
        tuple(button(t(PERIODS[one]), "s:on", digest(channel), one) for one in _CHOICE if one != name),
        footer(talk, button(t("◀ Back"), "s:chan", name)),
    ]
    head = t("<b>{channel}</b> · {messenger}", channel=channel, messenger=title_of(channel, talk.settings))
    figures = period.channels.get(channel)
    if figures is None:
        return [card(paragraphs(head, *_head(talk, name, days), t("Nothing went by it in this time.")), rows)]
    told = [row for row in rows_of(t, figures, talk.settings) if row.name != "audience"]  # it belongs to no channel
    named = [(f"{channel} · {title_of(channel, talk.settings)}", told)]
    picture = await drawn(draw_channels, t, t(PERIODS[name]), days.told(t), named)
    return [card(paragraphs(head, *_head(talk, name, days), columns(t, told)), rows, picture=picture)]


async def send_tables(talk: Talk, name: str) -> Screens:
    """The mailings of a span of time as files, a row each."""
    t = talk.t
    name = name if name in PERIODS else "week"
    days = _days(talk, name)
    found = await talk.operations.begun(days.begin, days.end, limit=_MOST_ROWS)
    back = footer(talk, button(t("◀ Back"), "s:since", name))
    if not found:
        return [card(t("No mailing was launched in this time."), [back])]
    rows = await talk.operations.figures_of(found)
    file = f"mailings-{days.begin:%Y-%m-%d}"
    tables = await asyncio.to_thread(
        lambda: (Document(f"{file}.csv", csv_of(rows)), Document(f"{file}.xlsx", xlsx_of(rows)))
    )
    text = t.plural(
        "The numbers of {count} mailing as tables: CSV for programs, XLSX for Excel.",
        "The numbers of {count} mailings as tables: CSV for programs, XLSX for Excel.",
        len(found),
    )
    return [Screen(text, rows=(back,), files=tables)]


def channels_text(talk: Talk, by_channel: Mapping[str, Mapping[str, Any]]) -> Html:
    """A line for each channel."""
    t = talk.t
    told = [
        t(
            "<b>{channel}</b>: {sent} of {planned}, failed {failed}",
            channel=channel,
            sent=t.number(one["sent"]),
            planned=t.number(one["planned"]),
            failed=t.number(one["failed"]),
        )
        for channel, one in sorted(by_channel.items())
    ]
    return Html("\n".join(told))


def _days(talk: Talk, name: str) -> Days:
    return days_of(name, talk.clock.now(), talk.t.timezone)


def _head(talk: Talk, name: str, days: Days) -> list[Html | None]:
    t = talk.t
    told = f" · {days.told(t)}" if name != "all" else ""
    return [Html(t("<b>{period}</b>", period=t(PERIODS[name])) + told)]


async def _channels(talk: Talk) -> list[str]:
    """Those that are set up, and those that were."""
    days = _days(talk, "all")
    used = (await talk.operations.period(days.begin, days.end)).channels
    return list(dict.fromkeys([*talk.settings.channels, *used]))
