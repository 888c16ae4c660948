"""Numbers as pictures; what they say stands in words beside them too. `drawn` draws away from the loop."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from html import unescape
from itertools import accumulate
from typing import Any, Final
from zoneinfo import ZoneInfo

from bot.drawing import LIGHT, Look, Pieces, Sheet, drawable
from bot.numbers import RECEIPTS, Figures, Row, percent
from bot.texts import Texts
from storage.timelines import Span

_FUNNEL: Final = ("planned", "sent", "delivered", "read", "clicked")
_BESIDE: Final = ("failed", "waiting")
_COMPARED: Final = ("sent", "failed", "delivered", "read", "clicked", "unsubscribed", "orders", "sales")
MOST_REASONS: Final = 8
MOST_MAILINGS: Final = 5
_DAY_S: Final = 86_400
_STEPS_S: Final = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 3 * 3600, 6 * 3600, 12 * 3600),
    *(_DAY_S * days for days in (1, 2, 4, 7, 14, 30, 60, 120, 365)),
)

_KEPT: Final = 24  # pictures of about 0.1 MB: whoever asks again for the same numbers has them at once

_drawing = threading.Lock()  # matplotlib is not made for several threads, and two pictures at once would be no sooner
_kept: OrderedDict[str, bytes] = OrderedDict()


async def drawn(draw: Callable[..., bytes], t: Texts, *args: Any, **more: Any) -> bytes:
    """The picture, drawn in a thread."""
    name = repr((draw.__name__, t.locale, t.timezone, args, more))
    picture = _kept.get(name)
    if picture is None:
        picture = _kept[name] = await asyncio.to_thread(partial(_in_turn, draw, t, *args, **more))
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return picture


def _in_turn(draw: Callable[..., bytes], *args: Any, **more: Any) -> bytes:
    with _drawing:
        return draw(*args, **more)


def draw_mailing(
    t: Texts, title: str, under: str, rows: Sequence[Row], timeline: Sequence[Span], *, look: Look = LIGHT
) -> bytes:
    """How far it came, and how it went out."""
    sheet = _sheet(look, title, under)
    _funnel(sheet, t, rows)
    sheet.heading(t.plain("As it went out"))
    if timeline:
        sheet.plot(1.9, 0.95, partial(_over_time, t, look, timeline))
        sheet.legend([(t.plain("Sent"), look.sent), (t.plain("Failed"), look.failed)])
    else:
        sheet.line(t.plain("Nothing went out yet."))
    return sheet.png()


def draw_reasons(t: Texts, title: str, under: str, figures: Figures, *, look: Look = LIGHT) -> bytes:
    """Who did not get it, by reason."""
    sheet = _sheet(look, title, under)
    sections = (
        (t.plain("Failed"), figures["failures"], figures["planned"], look.failed),
        (t.plain("Skipped"), figures["skips"], figures["planned"], look.other),
        (t.plain("Left out before the start"), figures["left_out"], figures["audience"], look.other),
    )
    for words, amounts, of, colour in sections:
        if any(amounts.values()):
            sheet.heading(words)
            _reasons(sheet, t, amounts, of, colour)
    return sheet.png()


def draw_channels(
    t: Texts, title: str, under: str, channels: Sequence[tuple[str, Sequence[Row]]], *, look: Look = LIGHT
) -> bytes:
    """Channels side by side, each with its name and its rows."""
    sheet = _sheet(look, title, under)
    for name, rows in channels:
        of = _by_name(rows)
        planned = of["planned"].amount or 0
        sheet.row(
            drawable(name), of["sent"].told, t.plain("of {planned}", planned=t.number(planned)), [_parts(of, look)]
        )
        sheet.line(_in_short(t, [of[one] for one in ("delivered", "read", "clicked")]))
    sheet.legend(_parts_legend(t, [_by_name(rows) for _name, rows in channels], look))
    return sheet.png()


def draw_period(
    t: Texts,
    title: str,
    under: str,
    rows: Sequence[Row],
    mailings: Sequence[tuple[str, Figures]],
    more: int = 0,
    *,
    look: Look = LIGHT,
) -> bytes:
    """How far all of them came together, and each with a bar of its own; `more` others are only counted."""
    sheet = _sheet(look, title, under)
    _funnel(sheet, t, rows)
    most = max([figures["planned"] for _name, figures in mailings] + [1])
    sheet.heading(t.plain("The mailings"))
    for name, figures in mailings[:MOST_MAILINGS]:
        bar = [(figures["sent"] / most, look.sent), (figures["failed"] / most, look.failed)]
        of = t.plain("of {planned}", planned=t.number(figures["planned"]))
        sheet.row(drawable(name), t.number(figures["sent"]), of, [bar])
    if left := more + len(mailings[MOST_MAILINGS:]):
        sheet.line(t.plain_plural("and {count} more", "and {count} more", left))
    sheet.legend([(t.plain("Sent"), look.sent), (t.plain("Failed"), look.failed)])
    return sheet.png()


def draw_comparison(
    t: Texts, title: str, sides: Sequence[tuple[str, str, Sequence[Row]]], *, look: Look = LIGHT
) -> bytes:
    """Two mailings or two spans of time, each with a short name, its name and its rows, measure by measure: shares,
    because they seldom are of one size."""
    (this, named, here), (that, other_named, there) = sides
    sheet = _sheet(look, title, "")
    sheet.legend([(drawable(f"{this} · {named}"), look.sent), (drawable(f"{that} · {other_named}"), look.other)])
    of, of_other = _by_name(here), _by_name(there)
    for name in _COMPARED:
        one, other = of[name], of_other[name]
        weights = _weights(one, other)
        most = max(weights)
        bars = [[(weights[0] / most, look.sent)], [(weights[1] / most, look.other)]] if most else []
        if most or name in RECEIPTS:
            sheet.row(one.words, _short_told(t, one), f"{that}: {_short_told(t, other)}", bars)
    return sheet.png()


# --- within


def _sheet(look: Look, title: str, under: str) -> Sheet:
    """With a title, but where it would repeat what stands above the picture."""
    sheet = Sheet(look)
    if title or under:
        sheet.title(drawable(title), drawable(under))
    return sheet


def _by_name(rows: Sequence[Row]) -> Mapping[str, Row]:
    return {row.name: row for row in rows}


def _colours(look: Look) -> Mapping[str, str]:
    return {
        "planned": look.quiet,
        "sent": look.sent,
        "delivered": look.good,
        "read": look.good,
        "clicked": look.acted,
        "failed": look.failed,
    }


def _funnel(sheet: Sheet, t: Texts, rows: Sequence[Row]) -> None:
    """From all who were meant to those who did something; then those whom it did not reach."""
    of, colours = _by_name(rows), _colours(sheet.look)
    most = max([of[name].amount or 0 for name in (*_FUNNEL, "failed")] + [1])
    for name in (*_FUNNEL, *(name for name in _BESIDE if name in of)):
        row = of[name]
        bars: list[Pieces] = [[((row.amount or 0) / most, colours.get(name, sheet.look.other))]]
        share = percent(t, row.share) if row.share is not None and name != "planned" else ""
        sheet.row(row.words, row.told, share, bars if row.amount is not None else [])


def _reasons(sheet: Sheet, t: Texts, amounts: Mapping[str, int], of: int, colour: str) -> None:
    most_first = sorted(amounts.items(), key=lambda item: (-item[1], item[0]))
    shown, others = most_first[:MOST_REASONS], most_first[MOST_REASONS:]
    named = [(unescape(t.reason(reason)), amount) for reason, amount in shown]
    if others:
        named.append((t.plain("other reasons"), sum(amount for _reason, amount in others)))
    most = max(amount for _words, amount in named)
    for words, amount in named:
        share = percent(t, amount / of) if of else ""
        sheet.row(drawable(words), t.number(amount), share, [[(amount / most, colour)]])


def _parts(of: Mapping[str, Row], look: Look) -> Pieces:
    """All who were planned: sent, failed, waiting, and the rest."""
    planned = of["planned"].amount or 1
    rest = sum(of[name].amount or 0 for name in ("skipped", "cancelled", "unknown") if name in of)
    pieces = [((of["sent"].amount or 0) / planned, look.sent), ((of["failed"].amount or 0) / planned, look.failed)]
    return [*pieces, (rest / planned, look.other)]


def _parts_legend(t: Texts, channels: Sequence[Mapping[str, Row]], look: Look) -> list[tuple[str, str]]:
    """What stands in any of the bars."""
    entries = (
        (("sent",), t.plain("Sent"), look.sent),
        (("failed",), t.plain("Failed"), look.failed),
        (("skipped", "cancelled", "unknown"), t.plain("Skipped, cancelled, unknown"), look.other),
        (("waiting",), t.plain("Waiting"), look.track),
    )
    there = {name for of in channels for name, row in of.items() if row.amount}
    return [(words, colour) for names, words, colour in entries if there & set(names)]


def _short_told(t: Texts, row: Row) -> str:
    return percent(t, row.share) if row.share is not None else row.told


def _in_short(t: Texts, rows: Sequence[Row]) -> str:
    """Several numbers in a line, those that are told alike together."""
    alike: dict[str, list[str]] = {}
    for row in rows:
        alike.setdefault(_short_told(t, row), []).append(row.words)
    return " · ".join(f"{', '.join(words)}: {told}" for told, words in alike.items())


def _weights(one: Row, other: Row) -> tuple[float, float]:
    if one.share is not None or other.share is not None:
        return one.share or 0.0, other.share or 0.0
    return float(one.amount or 0), float(other.amount or 0)


def _over_time(t: Texts, look: Look, timeline: Sequence[Span], axes: Any) -> None:
    """Sent and failed as they added up, over seconds since the midnight before the first."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

    first = timeline[0].begin.astimezone(ZoneInfo(t.timezone)).replace(tzinfo=None)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    begin_s = (first - midnight).total_seconds()
    ends = [begin_s + (span.begin - timeline[0].begin).total_seconds() + span.width_s for span in timeline]
    times = [begin_s, *ends]
    for name, colour in (("failed", look.failed), ("sent", look.sent)):
        amounts = [0, *accumulate(int(getattr(span, name)) for span in timeline)]
        axes.plot(times, amounts, color=colour, linewidth=3, solid_capstyle="round")
        axes.fill_between(times, amounts, color=colour, alpha=0.12, linewidth=0)
    axes.set_ylim(bottom=0)
    axes.set_xlim(times[0], times[-1])
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda amount, _place: t.number(amount)))
    step_s, ticks = _ticks(times[0], times[-1])
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(partial(_moment, t, midnight, step_s)))
    edge_s = (times[-1] - times[0]) / 12  # half the width of a label, and a little
    for tick_s, label in zip(ticks, axes.get_xticklabels(), strict=True):
        if tick_s > times[-1] - edge_s:
            label.set_horizontalalignment("right")  # in the middle it would be cut off; at the left there is room


def _ticks(begin_s: float, end_s: float) -> tuple[int, list[float]]:
    """Three to five round moments, and how far they are apart."""
    for step_s in reversed(_STEPS_S):
        first = -(-begin_s // step_s) * step_s
        ticks = [first + number * step_s for number in range(5) if first + number * step_s <= end_s]
        if len(ticks) >= 3:
            return step_s, ticks
    return 1, [begin_s, end_s]


def _moment(t: Texts, midnight: datetime, step_s: int, at_s: float, _place: int) -> str:
    from babel.dates import format_datetime

    is_day = step_s >= _DAY_S // 4 and at_s % _DAY_S == 0
    shape = "d MMM" if is_day else "HH:mm" if step_s >= 60 else "HH:mm:ss"
    return format_datetime(midnight + timedelta(seconds=at_s), shape, locale=t.locale)
