"""The page of statistics: the same numbers and pictures as in the chat, each picture with its table beside it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from bot.charts import (
    MOST_MAILINGS,
    draw_channels,
    draw_comparison,
    draw_mailing,
    draw_period,
    draw_reasons,
    drawn,
)
from bot.drawing import DARK, LIGHT, Look
from bot.numbers import Figures, Row, notes, percent, rows_of, title_of
from bot.periods import PERIODS, Days, days_of
from bot.texts import Texts, _
from engine.clock import Clock
from storage.records import Mailing, Status

if TYPE_CHECKING:
    from engine.operations import Operations

PAGE: Final = 25  # mailings
_DOT: Final = "\N{NO-BREAK SPACE}·\N{NO-BREAK SPACE}"
_COLUMNS: Final = ("planned", "sent", "failed", "delivered", "read", "clicked", "unsubscribed", "orders", "sales")
_MAX_ID: Final = 10**15

WORDS: Final = {
    "statistics": _("Statistics"),
    "to_chat": _("Chat with the bot"),
    "period": _("Time"),
    "together": _("All together"),
    "by_channel": _("By channel"),
    "mailings": _("Mailings"),
    "mailing": _("Mailing"),
    "numbers": _("Numbers"),
    "number": _("Amount"),
    "share": _("Share"),
    "reason": _("Reason"),
    "why_not": _("Why some did not get it"),
    "compared": _("Compared with the one before"),
    "chart": _("Chart of the numbers in the table"),
    "nothing": _("No mailing was launched in this time."),
    "not_yet": _("There are no numbers before it starts."),
    "started": _("Started ({zone})"),
    "status": _("Status"),
    "earlier": _("Earlier ones"),
    "later": _("Later ones"),
    "all_statistics": _("All statistics"),
    "refresh": _("Refresh"),
}


@dataclass(frozen=True, slots=True)
class Table:
    """Its heads, and rows of cells; a row's first cell is its head, `links` lead from there."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    links: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    table: Table
    picture: str = ""  # its address without the look
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the template shows."""

    title: str
    under: str
    sections: Sequence[Section]
    empty: str = ""
    earlier: str = ""
    later: str = ""


Draws = Callable[[Texts, str, Look], Awaitable[bytes]]


class Statistics:
    """Numbers for one person's page at a time. Raises Invalid and its kinds."""

    def __init__(self, operations: "Operations", clock: Clock) -> None:
        self._operations = operations
        self._settings = operations.settings
        self._clock = clock
        self._draws: Mapping[str, Draws] = {
            "period": self._draw_period,
            "channels": self._draw_channels,
            "mailing": self._draw_mailing,
            "reasons": self._draw_reasons,
            "by-channel": self._draw_by_channel,
            "compared": self._draw_compared,
        }

    # --- pages

    async def of_period(self, t: Texts, name: str, page: int) -> Sheet:
        """Everything that began in that time, and a page of its mailings, newest first."""
        days = self._days(t, name)
        period = await self._operations.period(days.begin, days.end)
        title, under = t.plain(PERIODS[name]), "" if name == "all" else days.told(t)
        if not period.mailings:
            return Sheet(title, under, (), empty=t.plain(WORDS["nothing"]))
        found = await self._operations.begun(days.begin, days.end, limit=PAGE + 1, offset=page * PAGE)
        sections = [
            self._numbers(t, WORDS["together"], period.figures, f"period/{name}"),
            *self._channels(t, period.channels, f"channels/{name}"),
            await self._mailings(t, found[:PAGE]),
        ]
        return Sheet(
            title,
            under,
            sections,
            earlier=_address(name, page + 1) if len(found) > PAGE else "",
            later=_address(name, page - 1) if page else "",
        )

    async def of_mailing(self, t: Texts, mailing_id: int) -> Sheet:
        mailing = await self._operations.get(mailing_id)
        (figures,) = await self._operations.figures_of([mailing])
        title = mailing.draft.name
        if mailing.status in (Status.DRAFT, Status.SCHEDULED):
            return Sheet(title, _under(t, mailing), (), empty=t.plain(WORDS["not_yet"]))
        channels = await self._operations.channels_of(mailing_id)
        sections = [
            self._numbers(t, WORDS["numbers"], figures, f"mailing/{mailing_id}"),
            *_reasons(t, figures, f"reasons/{mailing_id}"),
            *(self._channels(t, channels, f"by-channel/{mailing_id}") if len(channels) > 1 else ()),
            *await self._compared(t, mailing, figures),
        ]
        return Sheet(title, _under(t, mailing), sections)

    # --- pictures

    async def picture(self, t: Texts, kind: str, which: str, *, dark: bool) -> bytes | None:
        """None where there is no such picture."""
        draw = self._draws.get(kind)
        is_period = kind in ("period", "channels")
        if draw is None or not (which in PERIODS if is_period else which.isdecimal() and int(which) < _MAX_ID):
            return None
        return await draw(t, which, DARK if dark else LIGHT)

    async def _draw_period(self, t: Texts, which: str, look: Look) -> bytes:
        days = self._days(t, which)
        period = await self._operations.period(days.begin, days.end)
        newest = await self._operations.begun(days.begin, days.end, limit=MOST_MAILINGS)
        named = [(f"#{one['id']} {one['name']}", one) for one in await self._operations.figures_of(newest)]
        rows = rows_of(t, period.figures, self._settings)
        more = period.mailings - len(newest)
        return await drawn(draw_period, t, "", "", rows, named, more, look=look)

    async def _draw_channels(self, t: Texts, which: str, look: Look) -> bytes:
        days = self._days(t, which)
        channels = (await self._operations.period(days.begin, days.end)).channels
        return await drawn(draw_channels, t, "", "", self._named(t, channels), look=look)

    async def _draw_mailing(self, t: Texts, which: str, look: Look) -> bytes:
        mailing, figures = await self._mailing(which)
        timeline = await self._operations.timeline(mailing.id)
        rows = rows_of(t, figures, self._settings)
        return await drawn(draw_mailing, t, "", "", rows, timeline, look=look)

    async def _draw_reasons(self, t: Texts, which: str, look: Look) -> bytes:
        _mailing, figures = await self._mailing(which)
        return await drawn(draw_reasons, t, "", "", figures, look=look)

    async def _draw_by_channel(self, t: Texts, which: str, look: Look) -> bytes:
        mailing, _figures = await self._mailing(which)
        named = self._named(t, await self._operations.channels_of(mailing.id))
        return await drawn(draw_channels, t, "", "", named, look=look)

    async def _draw_compared(self, t: Texts, which: str, look: Look) -> bytes:
        mailing, figures = await self._mailing(which)
        before = await self._operations.find_before(mailing.id) or mailing
        sides = [
            (f"#{one.id}", one.draft.name, rows_of(t, told, self._settings))
            for one, told in ((mailing, figures), (before, await self._operations.figures(before.id)))
        ]
        return await drawn(draw_comparison, t, "", sides, look=look)

    async def _mailing(self, which: str) -> tuple[Mailing, Figures]:
        mailing = await self._operations.get(int(which))
        return mailing, await self._operations.figures(mailing.id)

    def _named(self, t: Texts, channels: Mapping[str, Figures]) -> list[tuple[str, Sequence[Row]]]:
        return [
            (f"{channel} · {title_of(channel, self._settings)}", rows_of(t, one, self._settings))
            for channel, one in channels.items()
        ]

    # --- sections

    def _numbers(self, t: Texts, title: str, figures: Figures, picture: str) -> Section:
        rows = rows_of(t, figures, self._settings)
        heads = [t.plain(WORDS[name]) for name in ("numbers", "number", "share")]
        cells = [
            (unescape(row.words), unescape(row.told), percent(t, row.share) if row.share is not None else "")
            for row in rows
        ]
        return Section(t.plain(title), Table(heads, cells), picture, self._note(t, figures))

    def _channels(self, t: Texts, channels: Mapping[str, Figures], picture: str) -> list[Section]:
        if not channels:
            return []
        named = self._named(t, channels)
        heads = [t.plain(WORDS["numbers"]), *(name for name, _rows in named)]
        cells = [
            (unescape(line[0].words), *(_with_share(t, row) for row in line))
            for line in zip(*(_picked(rows) for _name, rows in named), strict=True)
        ]
        return [Section(t.plain(WORDS["by_channel"]), Table(heads, cells), picture)]

    async def _mailings(self, t: Texts, found: Sequence[Mailing]) -> Section:
        figures = await self._operations.figures_of(found)
        rows = [rows_of(t, one, self._settings) for one in figures]
        started = t.plain(WORDS["started"], zone=t.timezone)
        heads = [t.plain(WORDS["mailing"]), started, t.plain(WORDS["status"])]
        heads += _heads(rows[0]) if rows else []
        cells = [
            (f"#{one.id} {one.draft.name}", _local(t, one), unescape(t.status(one.status)), *_cells(t, told))
            for one, told in zip(found, rows, strict=True)
        ]
        return Section(t.plain(WORDS["mailings"]), Table(heads, cells, [f"/stats/{one.id}" for one in found]))

    async def _compared(self, t: Texts, mailing: Mailing, figures: Figures) -> list[Section]:
        before = await self._operations.find_before(mailing.id)
        if before is None:
            return []
        here = rows_of(t, figures, self._settings)
        there = rows_of(t, await self._operations.figures(before.id), self._settings)
        heads = [t.plain(WORDS["numbers"]), *(f"#{one.id} {one.draft.name}" for one in (mailing, before))]
        both = zip(_picked(here), _picked(there), strict=True)
        cells = [(unescape(one.words), _with_share(t, one), _with_share(t, other)) for one, other in both]
        return [Section(t.plain(WORDS["compared"]), Table(heads, cells), f"compared/{mailing.id}")]

    def _note(self, t: Texts, figures: Figures) -> str:
        return unescape(notes(t, figures, self._settings) or "")

    def _days(self, t: Texts, name: str) -> Days:
        return days_of(name, self._clock.now(), t.timezone)


def _reasons(t: Texts, figures: Figures, picture: str) -> list[Section]:
    told = (("failures", _("Failed")), ("skips", _("Skipped")), ("left_out", _("Left out before the start")))
    cells = [
        (unescape(t.reason(reason)), t.plain(words), t.number(amount))
        for name, words in told
        for reason, amount in sorted(figures[name].items(), key=lambda item: (-item[1], item[0]))
    ]
    heads = [t.plain(WORDS[name]) for name in ("reason", "status", "number")]
    return [Section(t.plain(WORDS["why_not"]), Table(heads, cells), picture)] if cells else []


def _picked(rows: Sequence[Row]) -> list[Row]:
    of = {row.name: row for row in rows}
    return [of[name] for name in _COLUMNS]


def _heads(rows: Sequence[Row]) -> list[str]:
    return [unescape(row.words) for row in _picked(rows)]


def _cells(t: Texts, rows: Sequence[Row]) -> list[str]:
    """In short: the page of the mailing says who does not report a number."""
    return [t.plain("not reported") if row.amount is None else unescape(row.told) for row in _picked(rows)]


def _with_share(t: Texts, row: Row) -> str:
    told = unescape(row.told)
    return f"{told}{_DOT}{percent(t, row.share)}" if row.share else told


def _began(mailing: Mailing) -> datetime:
    return mailing.started_at or mailing.start_at or mailing.launched_at or mailing.created_at


def _local(t: Texts, mailing: Mailing) -> str:
    return t.local(_began(mailing).astimezone(ZoneInfo(t.timezone)))


def _under(t: Texts, mailing: Mailing) -> str:
    return f"#{mailing.id} · {unescape(t.status(mailing.status))} · {t.moment(_began(mailing))}"


def _address(period: str, page: int) -> str:
    return f"/stats?{urlencode({'period': period, 'page': page})}"


def period_of(request: web.BaseRequest) -> tuple[str, int]:
    """The period and the page that an address asks for; what makes no sense is the last 7 days, from the newest on."""
    name, page = request.query.get("period", ""), request.query.get("page", "")
    return name if name in PERIODS else "week", int(page) if page.isdecimal() and len(page) < 6 else 0
