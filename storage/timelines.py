"""When a step's deliveries ended: what a chart over time is drawn from."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, Integer, cast, func, select, type_coerce

from storage.database import Database
from storage.records import DeliveryState
from storage.schema import counters, deliveries

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
        mine = deliveries.c.step_id == step_id
        async with self.database.read() as connection:
            first, last = (
                await connection.execute(
                    select(func.min(deliveries.c.finished_at), func.max(deliveries.c.finished_at)).where(mine)
                )
            ).one()
            if first is None:
                return ()
            width_s = _width_s((last - first).total_seconds(), most)
            number = self._number(width_s).label("number")
            rows = await connection.execute(
                select(number, deliveries.c.state, func.count())
                .where(mine, deliveries.c.finished_at.is_not(None))
                .group_by(number, deliveries.c.state)
            )
            counted: dict[int, list[int]] = {}
            for at, state, amount in rows:
                place = 0 if state in _SENT else 1 if state == DeliveryState.FAILED else 2
                counted.setdefault(at, [0, 0, 0])[place] += amount
        return [
            Span(_EPOCH + timedelta(seconds=at * width_s), width_s, *amounts) for at, amounts in sorted(counted.items())
        ]

    def _number(self, width_s: int) -> ColumnElement[int]:
        """The number of the span, counted from 1970, in which a delivery ended."""
        if self.database.dialect == "sqlite":
            return type_coerce(deliveries.c.finished_at, BigInteger()).op("/")(width_s * 1_000_000)
        return cast(func.floor(func.extract("epoch", deliveries.c.finished_at) / width_s), Integer)


def _width_s(length_s: float, most: int) -> int:
    return next((width for width in _WIDTHS_S if length_s / width <= most), _WIDTHS_S[-1])
