"""When a step's deliveries ended: what a chart over time is drawn from."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Select, bindparam, column, func, select, values

from storage.database import Database
from storage.records import DeliveryState
from storage.schema import Instant, counters, deliveries

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDTHS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
_ENDS = ("sent", "failed", "skipped", "cancelled", "unknown")
_KEPT = 50
_SENT = (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ)


@dataclass(frozen=True, slots=True)
class Span:
    """How many deliveries ended how between `begin` and `begin + width_s`."""

    begin: datetime
    width_s: int
    sent: int
    failed: int
    other: int  # skipped, unknown


@dataclass(frozen=True, slots=True)
class Timelines:
    """Counting a million rows takes a second, so what was counted is kept until the step's counters have moved."""

    database: Database
    _kept: OrderedDict[tuple[int, int], tuple[Mapping[str, int], Sequence[Span]]] = field(default_factory=OrderedDict)

    async def of_step(self, step_id: int, most: int = 120) -> Sequence[Span]:
        """The whole time of a step in at most about `most` spans of equal width; those in which nothing ended are left
        out."""
        ended = await self._ended(step_id)
        before, spans = self._kept.get((step_id, most), ({}, ()))
        if not ended or ended != before:
            spans = await self._counted(step_id, most)
            self._kept[step_id, most] = ended, spans
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return spans

    async def _ended(self, step_id: int) -> Mapping[str, int]:
        """The counters of what `Span` tells apart."""
        statement = (
            select(counters.c.name, func.sum(counters.c.amount))
            .where(counters.c.step_id == step_id, counters.c.name.in_(_ENDS))
            .group_by(counters.c.name)
        )
        async with self.database.read() as connection:
            return {name: int(amount) for name, amount in await connection.execute(statement)}

    async def _counted(self, step_id: int, most: int) -> Sequence[Span]:
        async with self.database.read() as connection:
            ends = (await connection.execute(_ENDS_OF, {"step": step_id})).all()
            if not ends:
                return ()
            begin, end = min(row.first for row in ends), max(row.last for row in ends)
            width_s = _width_s((end - begin).total_seconds(), most)
            counted: dict[datetime, list[int]] = {}
            for row in ends:
                place = 0 if row.state in _SENT else 1 if row.state == DeliveryState.FAILED else 2
                so = deliveries.c.reason.is_(None) if row.reason is None else deliveries.c.reason == row.reason
                spans = list(_spans(row.first, row.last, width_s))
                wanted = _count_in(spans, deliveries.c.state == row.state, so)
                for at, amount in await connection.execute(wanted, {"step": step_id}):
                    counted.setdefault(at, [0, 0, 0])[place] += amount
        return [Span(at, width_s, *amounts) for at, amounts in sorted(counted.items()) if any(amounts)]


def _spans(first: datetime, last: datetime, width_s: int) -> Iterator[tuple[datetime, datetime]]:
    """Those of this width, counted from 1970, in which both lie, and all between."""
    width = timedelta(seconds=width_s)
    begin = _EPOCH + (first - _EPOCH) // width * width
    while begin <= last:
        yield begin, begin + width
        begin += width


_ENDS_OF = (
    select(
        deliveries.c.state,
        deliveries.c.reason,
        func.min(deliveries.c.finished_at).label("first"),
        func.max(deliveries.c.finished_at).label("last"),
    )
    .where(deliveries.c.step_id == bindparam("step"), deliveries.c.finished_at.is_not(None))
    .group_by(deliveries.c.state, deliveries.c.reason)
)


def _count_in(spans: Sequence[tuple[datetime, datetime]], *so: ColumnElement[bool]) -> Select[datetime, int]:
    """How many ended in each span, by the index over outcomes: grouping by a reckoned number takes ten times as long,
    because the database sorts a million of them."""
    bounds = values(column("begun", Instant), column("ended", Instant), name="bounds").data(spans).cte()
    inside = (deliveries.c.finished_at >= bounds.c.begun, deliveries.c.finished_at < bounds.c.ended)
    ended = select(func.count()).where(deliveries.c.step_id == bindparam("step"), *so, *inside)
    return select(bounds.c.begun, ended.correlate(bounds).scalar_subquery())


def _width_s(length_s: float, most: int) -> int:
    return next((width for width in _WIDTHS_S if length_s / width <= most), _WIDTHS_S[-1])
