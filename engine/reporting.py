"""The numbers of mailings, one by one and of a span of time together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.launching import Launching
from engine.statistics import Sums, of_channel, render_figures, render_totals
from engine.stuck import Stuck
from storage.records import Mailing, Status
from storage.timelines import Span

ENDED = (Status.SENT, Status.CANCELLED)
LEFT_UNKNOWN = "leave_unknown"  # the verb of whoever has decided so


@dataclass(frozen=True, slots=True)
class Period:
    """What began from `begin` to before `end`: how many mailings, and what their counters come to together."""

    begin: datetime
    end: datetime
    mailings: int
    figures: Mapping[str, Any]  # as of one mailing, without what only one has
    channels: Mapping[str, Mapping[str, Any]]  # the same of each channel


class Reporting(Launching):
    """The part of `engine.operations.Operations` that tells numbers."""

    async def figures(self, mailing_id: int) -> dict[str, Any]:
        """The JSON of CONTRACT.md section 6."""
        (figures,) = await self.figures_of([await self.get(mailing_id)])
        return figures

    async def figures_of(self, mailings: Sequence[Mailing]) -> list[dict[str, Any]]:
        """The same of several, in their order, read at once."""
        counters = await self.store.deliveries.counters([mailing.step_id for mailing in mailings])
        states = await self.store.channel_states.all()
        stopped_by, at = await self.stopped(), self._clock.now()
        stuck = Stuck(self.store, self.settings, states, self.checker.quota_left, at)
        ended = [one.id for one in mailings if one.status in ENDED]
        left = await self.store.mailings.last_details(LEFT_UNKNOWN, ended)
        told = []
        for mailing in mailings:
            figures = render_figures(
                mailing,
                counters[mailing.step_id],
                settings=self.settings,
                states=states,
                stopped=stopped_by is not None,
                at=at,
            )
            waiting = {channel: one["waiting"] for channel, one in figures["by_channel"].items()}
            figures["stopped_by"] = stopped_by.name if stopped_by else None
            figures["stuck"] = None if stopped_by else await stuck.why(mailing, waiting)
            figures["unknown_left"] = left.get(mailing.id, {}).get("count", 0)  # whom a person has decided to leave so
            told.append(figures)
        return told

    async def channels_of(self, mailing_id: int) -> dict[str, dict[str, Any]]:
        """The numbers of each channel of a mailing."""
        mailing = await self.get(mailing_id)
        return self._by_channel((await self.store.deliveries.counters([mailing.step_id]))[mailing.step_id])

    async def timeline(self, mailing_id: int) -> Sequence[Span]:
        """When it went out."""
        return await self.store.timelines.of_step((await self.get(mailing_id)).step_id)

    async def period(self, begin: datetime, end: datetime) -> Period:
        sums = await self.store.periods.sums(begin, end)
        count = await self.store.periods.count(begin, end)
        return Period(begin, end, count, render_totals(sums, settings=self.settings), self._by_channel(sums))

    async def begun(self, begin: datetime, end: datetime, *, limit: int = 20, offset: int = 0) -> list[Mailing]:
        """The mailings of a period, newest first."""
        return await self.store.periods.mailings(begin, end, limit=limit, offset=offset)

    async def find_before(self, mailing_id: int) -> Mailing | None:
        """The mailing that began last before this one."""
        return await self.store.periods.find_before(await self.get(mailing_id))

    async def find_beside(self, mailing_id: int) -> Mailing | None:
        """The mailing that began last before this one, or first after it where there is none."""
        mailing = await self.get(mailing_id)
        return await self.store.periods.find_before(mailing) or await self.store.periods.find_after(mailing)

    def _by_channel(self, sums: Sums) -> dict[str, dict[str, Any]]:
        told = {
            channel: render_totals(of_channel(sums, channel), settings=self.settings)
            for channel in sorted({channel for channel, _name in sums if channel})
        }
        return {channel: figures for channel, figures in told.items() if figures["by_channel"]}
