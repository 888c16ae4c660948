"""Forms the audience of a step in packages, when it starts, and fits its message to each kind of messenger."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine.audience import read_audience
from engine.clock import Clock
from engine.errors import Invalid
from engine.pieces import Pieces
from engine.schedule import CLIENT, client_instant
from engine.settings import LATE_START_S, ChannelSettings, EngineSettings
from storage.planning import MadePlan, Package, Plan, Planned, make_plan, pass_by, plan_package, zones_of_package
from storage.records import Draft, Mailing, Routing
from storage.store import Store

log = logging.getLogger(__name__)

# Ids looked at in one transaction: bounds the time to the first message, and the memory. Where few match, most of them
# are looked at and passed by, and a package takes more. The first one is small: its messages leave meanwhile.
FIRST, LEAST, MOST = 500, 1000, 20_000


@dataclass(slots=True)
class Planner:
    """Plans a mailing in packages; each is one transaction with the step's mark, so that a kill repeats nothing."""

    store: Store
    settings: EngineSettings
    clock: Clock
    pieces: Pieces = field(default_factory=lambda: Pieces(FIRST, LEAST, MOST))
    _made: MadePlan | None = None
    _found_nobody: bool = False

    async def plan_next(self, mailing: Mailing) -> Planned:
        """Plan the next package of the mailing's step. Raises Invalid where the audience can't be read any more."""
        made = self._made = self._made or await self._make(mailing)
        size = self.pieces.size
        after = await pass_by(self.store.database, made) if self._found_nobody else 0
        package = Package(made, size, self.clock.now(), after, await self._due_by_zone(mailing, after, size))
        planned = await self.store.writer.write(plan_package, package)
        self._found_nobody = not planned.planned
        self.pieces.took(size, planned.held_s)
        return planned

    async def _make(self, mailing: Mailing) -> MadePlan:
        draft = mailing.draft
        routing, channels = route_of(draft, self.settings.channels)
        known = tuple(self.settings.channels)
        audience, zone = read_audience(draft.audience), self.settings.timezone
        plan = Plan(mailing.step_id, audience, routing, channels, known, self.clock.now(), zone)
        return await make_plan(self.store.database, plan)

    async def _due_by_zone(self, mailing: Mailing, after: int, size: int) -> Mapping[str | None, datetime] | None:
        """With `timezone = "client"`: when each zone of the next package has its hour. None: everybody now."""
        if mailing.draft.timezone != CLIENT or mailing.draft.start == "now":
            return None
        zones = await zones_of_package(self.store.database, mailing.step_id, after, size)
        return {zone: self._due(mailing.draft.start, zone or self.settings.timezone) for zone in (None, *zones)}

    def _due(self, start: str, zone: str) -> datetime:
        """The hour in that zone; one that has passed there by more than the late-start guard allows comes tomorrow."""
        local = datetime.fromisoformat(start)
        now = self.clock.now()
        due = self._instant(local, zone)
        while due < now - timedelta(seconds=LATE_START_S):
            local += timedelta(days=1)
            due = self._instant(local, zone)
        return due

    def _instant(self, local: datetime, zone: str) -> datetime:
        try:
            return client_instant(local, zone)
        except Invalid:  # a card may hold a zone that is none any more; the app's stands in for it
            return client_instant(local, self.settings.timezone)


def route_of(draft: Draft, known: Mapping[str, ChannelSettings]) -> tuple[Routing, tuple[str, ...]]:
    """How the mailing goes and through which channels (with main: none are named, all that are known).

    A message that exists for some kinds of messenger only goes to all enabled there, whatever their main channel."""
    kinds = draft.message.kinds
    if not kinds:
        return draft.routing, () if draft.routing is Routing.MAIN else draft.channels
    listed = tuple(known) if draft.routing is Routing.MAIN else draft.channels
    routing = Routing.CHOSEN if draft.routing is Routing.MAIN else draft.routing
    return routing, tuple(name for name in listed if name in known and known[name].kind in kinds)


def channels_of(draft: Draft, known: Mapping[str, ChannelSettings]) -> tuple[str, ...]:
    """The channels that the mailing may use."""
    routing, channels = route_of(draft, known)
    return tuple(known) if routing is Routing.MAIN else tuple(name for name in channels if name in known)
