"""Two mailings side by side, or a span of time and the one before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

from bot.charts import draw_comparison, drawn
from bot.dialogs.spoken import Compared
from bot.dialogs.talk import Rows, Screens, Talk, button, card, footer, paragraphs, short
from bot.numbers import RECEIPTS, Figures, Row, notes, percent, receipts_named, rows_of, silent
from bot.periods import PERIODS, days_of
from bot.texts import Html, Texts, _
from storage.records import Mailing, Status

_UNTOLD = "–"
_ROWS = ("planned", "sent", "failed", "delivered", "read", "clicked", "unsubscribed", "orders", "sales")


@dataclass(frozen=True, slots=True)
class _Side:
    head: str  # over its column
    name: Html
    figures: Figures


async def hear(talk: Talk, compared: Compared) -> Screens:
    """ "compare with the last one", "compare 7 and 5", "compare this week"."""
    if compared.numbers:
        return await open_two(talk, *compared.numbers)
    if compared.period:
        return await open_before(talk, compared.period)
    return await open_with(talk, str(talk.state.get("stats") or 0))


async def open_with(talk: Talk, mailing_id: str) -> Screens:
    """A mailing and the one that began before it, or after it where it was the first; 0 is the last one of all."""
    t = talk.t
    this = await _asked(talk, int(mailing_id))
    that = await talk.operations.find_beside(this.id) if this else None
    if this is None or that is None:
        talk.ask("s.which")
        text = t("There are no two mailings yet that could be compared.")
        return [card(text, [footer(talk, button(t("◀ Statistics"), "s", 0))])]
    return await open_two(talk, this.id, that.id)


async def open_pressed(talk: Talk, this_id: str, that_id: str) -> Screens:
    return await open_two(talk, int(this_id), int(that_id))


async def open_two(talk: Talk, this_id: int, that_id: int) -> Screens:
    this, that = await talk.operations.get(this_id), await talk.operations.get(that_id)
    figures = await talk.operations.figures_of([this, that])
    sides = [_Side(f"#{one.id}", _named(talk.t, one), told) for one, told in zip((this, that), figures, strict=True)]
    talk.state["stats"] = this.id
    t = talk.t
    choice = button(f"#{this.id} {short(this.draft.name, 20)}", "s:of", this.id)
    other = button(f"#{that.id} {short(that.draft.name, 20)}", "s:of", that.id)
    earlier = await talk.operations.find_before(that.id)
    rows: Rows = [(choice, other)]
    if earlier is not None and earlier.id != this.id:
        label = t("With #{id} {name}", id=earlier.id, name=short(earlier.draft.name, 20))
        rows.append((button(label, "s:two", this.id, earlier.id),))
    hint = t("Any two: type their numbers, such as <code>{two}</code>.", two=f"{this.id} {that.id}")
    return await _card(talk, sides, rows, hint)


async def open_before(talk: Talk, period: str) -> Screens:
    """A span of time and the one before it, as long."""
    t = talk.t
    period = period if period in PERIODS and period != "all" else "week"
    days = days_of(period, talk.clock.now(), t.timezone)
    sides = [
        _Side(head, Html(one.told(t)), (await talk.operations.period(one.begin, one.end)).figures)
        for head, one in ((t("now"), days), (t("before"), days.before))
    ]
    rows: Rows = [
        tuple(button(t(PERIODS[name]), "s:before", name) for name in ("today", "week", "month") if name != period),
        (button(t(PERIODS[period]), "s:since", period),),
    ]
    return await _card(talk, sides, rows, None)


async def _asked(talk: Talk, mailing_id: int) -> Mailing | None:
    """That mailing where it has numbers, else the last one that has."""
    if mailing_id:
        mailing = await talk.operations.get(mailing_id)
        if mailing.status not in (Status.DRAFT, Status.SCHEDULED):
            return mailing
    days = days_of("all", talk.clock.now(), talk.t.timezone)
    return next(iter(await talk.operations.begun(days.begin, days.end, limit=1)), None)


async def _card(talk: Talk, sides: Sequence[_Side], rows: Rows, hint: Html | None) -> Screens:
    t = talk.t
    talk.ask("s.which")
    told = [rows_of(t, side.figures, talk.settings) for side in sides]
    text = paragraphs(
        t("<b>Compared</b>"),
        Html("\n".join(t("{head}: {name}", head=side.head, name=side.name) for side in sides)),
        _columns(t, [side.head for side in sides], told),
        Html("\n".join(_untold(talk, sides))) or None,
        hint,
    )
    named = [(side.head, unescape(side.name), one) for side, one in zip(sides, told, strict=True)]
    picture = await drawn(draw_comparison, t, t.plain("Compared"), named)
    back = footer(talk, button(t("◀ Statistics"), "s", 0))
    return [card(text, [*rows, back], picture=picture, ask=t.plain("Two numbers of mailings"))]


def _untold(talk: Talk, sides: Sequence[_Side]) -> list[Html]:
    """Who does not report what, of each side, and of how many it is told where it is told of some."""
    t = talk.t
    told: list[Html] = []
    for side in sides:
        missing = [name for name in RECEIPTS if side.figures[name] is None]
        for who in dict.fromkeys(silent(side.figures, name, talk.settings) for name in missing):
            names = [name for name in missing if silent(side.figures, name, talk.settings) == who]
            if who:
                sentence = _("{head}: {numbers} – not reported by {messengers}.")
                told.append(t(sentence, head=side.head, numbers=receipts_named(t, names), messengers=who))
        if some := notes(t, side.figures, talk.settings):
            told.append(t("{head}: {note}", head=side.head, note=some))
    return told


def _columns(t: Texts, heads: Sequence[str], told: Sequence[Sequence[Row]]) -> Html:
    """Words left, a column of numbers for each side; shares where they differ in size."""
    sides = [{row.name: row for row in rows} for rows in told]
    lines = [("", *heads)]
    lines += [(sides[0][name].words, *(_told(t, side[name]) for side in sides)) for name in _ROWS]
    wide = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    body = [_line(line, wide) for line in lines]
    return Html("<pre>" + "\n".join(body) + "</pre>")


def _line(cells: Sequence[str], wide: Sequence[int]) -> str:
    numbers = (f"{cell:>{width}}" for cell, width in zip(cells[1:], wide[1:], strict=True))
    return "  ".join([f"{cells[0]:<{wide[0]}}", *numbers])


def _told(t: Texts, row: Row) -> str:
    if row.share is not None:
        return percent(t, row.share)
    return t.number(row.amount) if row.amount is not None else _UNTOLD


def _named(t: Texts, mailing: Mailing) -> Html:
    began = mailing.started_at or mailing.launched_at or mailing.created_at
    return t("{name}, {day}", name=mailing.draft.name, day=t.day(began))
