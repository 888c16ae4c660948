"""Takes messages back and corrects them where they stand, through the lanes and at their pace.

Both may be done twice with the same result: what a kill interrupts is simply done again."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from engine.clock import Clock
from engine.errors import Invalid
from engine.fits import Fits
from engine.lane.lane import Lane
from engine.links import LinkDesk
from engine.personalise import Personaliser, TemplateFailed
from engine.retry import pause_before_probe, pause_before_try
from engine.settings import EngineSettings
from gateways.base import (
    AddressGone,
    Capabilities,
    ChannelBroken,
    Correction,
    Corrects,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    OutsideWindow,
    Part,
    Rejected,
    SentPart,
    TakesBack,
    Throttled,
    Unavailable,
)
from gateways.message import Message
from storage.amending import AmendedOutcome, AmendPackage, ToAmend
from storage.amendments import Amendment, EndAmendment
from storage.audit import Audited, NewNotice
from storage.records import ENGINE, AmendedState, AmendmentKind, AmendmentStatus
from storage.store import Store

log = logging.getLogger(__name__)

LOOK_S = 1.0  # between looks at what people began or stopped
PACKAGE = 5000  # deliveries looked at in one transaction
PAGE_S = 2.0  # of a lane's rate: so many are in hand at once, and so long a stop may take
SAME_REJECTION = 3  # equal refusals of the message itself, with no success between: it stops

NEVER, SHAPE, SAME = "never", "shape", "same"  # why a whole channel is out of reach


def window_of(able: Capabilities, kind: AmendmentKind) -> timedelta | None:
    """How long after a send it can be done; None: never."""
    fact = able.takes_back_for_s if kind is AmendmentKind.TAKE_BACK else able.corrects_for_s
    return None if fact is None else timedelta(seconds=fact.value)


def why_not(fits: Fits, before: Message, after: Message, able: Capabilities) -> str | None:
    """Why the message can't be changed into the other where it stands; None: only words and buttons differ."""
    try:
        now, then = fits.fit(before, able).parts, fits.fit(after, able).parts
    except Invalid:
        return SHAPE
    if now == then:
        return SAME
    return None if [_shape(part) for part in now] == [_shape(part) for part in then] else SHAPE


def _shape(part: Part) -> tuple[object, ...]:
    pictures = tuple(card.picture for card in part.cards)
    return part.kind, part.media, part.name, part.latitude, part.longitude, pictures


@dataclass(frozen=True, slots=True)
class _Job:
    """One message to be changed: its parts, each with how it is to read (None: it is taken back)."""

    row: ToAmend
    parts: tuple[SentPart, ...]
    corrections: tuple[Correction, ...] = ()


@dataclass(slots=True)
class _Way:
    """How an amendment goes on one channel."""

    amendment: Amendment
    lane: Lane
    personaliser: Personaliser | None = None
    positions: frozenset[int] | None = None  # of the parts that differ; None: all

    @property
    def channel(self) -> str:
        return self.lane.channel.id


class Amender:
    """Run `run` as a task of the engine; `lanes` are those that run now."""

    def __init__(
        self,
        store: Store,
        settings: EngineSettings,
        clock: Clock,
        *,
        lanes: Callable[[], Mapping[str, Lane]],
        links: LinkDesk | None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._lanes = lanes
        self._links = links
        self._fits = Fits(store, settings)
        self._nudged = asyncio.Event()
        self._running: frozenset[int] = frozenset()
        self._working: dict[tuple[int, str], asyncio.Task[None]] = {}

    def nudge(self) -> None:
        self._nudged.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._nudged.clear()
                try:
                    more = await self._look(tasks)
                except Exception:
                    log.exception("amendments could not be looked at")
                    more = False
                if not more:
                    await self._clock.wait(self._nudged, LOOK_S)

    async def _look(self, tasks: asyncio.TaskGroup) -> bool:
        """Whether there is more to plan at once."""
        running = await self._store.amendments.running()
        self._running = frozenset(one.id for one in running)
        self._working = {key: task for key, task in self._working.items() if not task.done()}
        more = False
        for one in running:
            planned_all = one.planned_all
            if not planned_all and not await self._store.deliveries.in_flight(one.step_id):
                planned_all = await self._plan(one)
                more = more or not planned_all
            counts = await self._store.amendments.counts(one.id)
            waiting = {channel for (channel, name) in counts if name == AmendedState.WAITING}
            if planned_all and not waiting:
                await self._end(one, AmendmentStatus.DONE)
            for channel in waiting:
                self._keep_working(one, channel, tasks)
        return more

    def _keep_working(self, one: Amendment, channel: str, tasks: asyncio.TaskGroup) -> None:
        lane = self._lanes().get(channel)
        if lane is None or lane.state.broken is not None or (one.id, channel) in self._working:
            return
        work = self._work(_Way(one, lane))
        self._working[one.id, channel] = tasks.create_task(work, name=f"amend {one.id} {channel}")

    # --- planning and ending ---

    async def _plan(self, one: Amendment) -> bool:
        hopeless = {}
        for channel, settings in self._settings.channels.items():
            if reason := await self._hopeless(one, settings.able):
                hopeless[channel] = reason
        package = AmendPackage(one.id, PACKAGE, hopeless, list(self._settings.channels), self._clock.now())
        return await self._store.amendments.plan(package)

    async def _hopeless(self, one: Amendment, able: Capabilities) -> str | None:
        if window_of(able, one.kind) is None:
            return NEVER
        if one.message is None:
            return None
        mailing = await self._store.mailings.find(one.mailing_id)
        earlier = await self._earlier(one)
        before = next((each.message for each in reversed(earlier) if each.message), None)
        if mailing is None:
            return SHAPE
        return why_not(self._fits, before or mailing.draft.message, one.message, able)

    async def _earlier(self, one: Amendment) -> list[Amendment]:
        return [each for each in await self._store.amendments.of_step(one.step_id) if each.id < one.id]

    async def _end(self, one: Amendment, status: AmendmentStatus, words: str | None = None) -> None:
        now = self._clock.now()
        await self._store.amendments.end(
            EndAmendment(
                one.id,
                status,
                Audited(now, ENGINE, f"{one.kind.value}_{status.value}", one.mailing_id),
                words,
                NewNotice("amended", now, one.started_by, {"amendment": one.id}),
            )
        )

    # --- one channel ---

    async def _work(self, way: _Way) -> None:
        """Until nothing is due there; a fault of ours is logged, and the next look begins again."""
        try:
            await self._prepare(way)
            fields = way.personaliser.fields() if way.personaliser else frozenset[str]()
            while way.amendment.id in self._running:
                page = max(int(way.lane.rate * PAGE_S), 1)
                now = self._clock.now()
                rows = await self._store.amendments.due(way.amendment.id, way.channel, now, page, fields)
                if not rows:
                    break
                await self._do_page(way, rows)
        except Exception:
            log.exception("an amendment fell over", extra={"channel": way.channel})
            await self._clock.sleep(LOOK_S)
        self.nudge()

    async def _prepare(self, way: _Way) -> None:
        one, able = way.amendment, way.lane.gateway.capabilities
        if one.message is None:
            return
        fitted = self._fits.fit(one.message, able)
        links = await self._links.of_step(one.step_id, fitted.every_part) if self._links else None
        known = await self._store.clients.known_fields()
        way.personaliser = Personaliser(fitted.parts, able, known, links=links, step_id=one.step_id)
        mailing = await self._store.mailings.find(one.mailing_id)
        if mailing is not None and not await self._earlier(one):  # an earlier one may have reached only some
            launched = self._fits.fit(mailing.draft.message, able).parts
            way.positions = frozenset(place for place, part in enumerate(fitted.parts) if part != launched[place])

    async def _do_page(self, way: _Way, rows: Sequence[ToAmend]) -> None:
        jobs: list[_Job] = []
        for row in rows:
            job = self._job(way, row)
            if isinstance(job, str):
                await self._missed(way, row, job)
            else:
                jobs.append(job)
        together = way.lane.state.pacer.together(way.lane.gateway.capabilities.batch)
        calls = [self._do(way, chunk, together) for chunk in _chunks(jobs, together)]
        errors = [error for told in await asyncio.gather(*calls) for error in told]
        refused = Counter(error.words for error in errors if isinstance(error, MessageRejected))
        words, count = refused.most_common(1)[0] if refused else ("", 0)
        if count >= SAME_REJECTION and None not in errors:
            await self._end(way.amendment, AmendmentStatus.STOPPED, f"{way.channel}: {words}")
            self._running -= {way.amendment.id}

    def _job(self, way: _Way, row: ToAmend) -> _Job | str:
        """What is to be called for, or why nothing can be."""
        if row.is_erased:
            return "erased"
        taken = [part for part in row.parts if part.external_id]
        if not taken:
            return "no_number"
        window = window_of(way.lane.gateway.capabilities, way.amendment.kind)
        sent_at = min((part.accepted_at for part in taken if part.accepted_at), default=row.sent_at)
        if window is None or (sent_at is not None and self._clock.now() - sent_at > window):
            return "too_old"
        there = {part.position: SentPart(row.address, part.external_id or "", part.details) for part in taken}
        if way.personaliser is None:
            return _Job(row, tuple(there.values()))
        try:
            rendered = way.personaliser.render(
                row.client,
                address=row.address,
                delivery_id=row.delivery_id,
                attempt=row.attempt,
                details=row.address_details,
            )
        except TemplateFailed as error:
            return error.reason
        corrections = tuple(
            Correction(there[place], outgoing)
            for place, outgoing in enumerate(rendered)
            if place in there and (way.positions is None or place in way.positions)
        )
        return _Job(row, tuple(one.sent for one in corrections), corrections)

    async def _do(self, way: _Way, jobs: Sequence[_Job], together: int) -> list[GatewayError | None]:
        """Make the calls for some messages, and commit what became of each."""
        parts = [part for job in jobs for part in job.parts]
        corrections = [one for job in jobs for one in job.corrections]
        outcomes: list[GatewayError | None] = []
        for begin in range(0, len(parts), together):
            some = slice(begin, begin + together)
            call = partial(self._call, way, parts[some], corrections[some])
            try:
                outcomes += await way.lane.amend(call, len(parts[some]))
            except Unavailable as error:
                outcomes += [error] * len(parts[some])
        told: list[GatewayError | None] = []
        for job in jobs:
            its, outcomes = outcomes[: len(job.parts)], outcomes[len(job.parts) :]
            told.append(_worst(its))
        if way.amendment.id in self._running:
            await asyncio.gather(*(self._settle(way, job.row, error) for job, error in zip(jobs, told, strict=True)))
        return told

    async def _call(
        self, way: _Way, parts: Sequence[SentPart], corrections: Sequence[Correction]
    ) -> Sequence[GatewayError | None]:
        gateway = way.lane.gateway
        if way.amendment.id not in self._running:  # a person stopped it while this waited for its slot
            return [Unavailable("stopped")] * len(parts)
        if corrections and isinstance(gateway, Corrects):
            return await gateway.correct(corrections)
        if isinstance(gateway, TakesBack):
            return await gateway.take_back(parts)
        return [Rejected(reason=NEVER)] * len(parts)

    # --- what became of it ---

    async def _settle(self, way: _Way, row: ToAmend, error: GatewayError | None) -> None:
        match error:
            case None:
                await self._reached(way, row)
            case Throttled():
                await self._again(way, row, error, row.tries, error.retry_after_s if error.only_this else 0.0)
            case ChannelBroken():
                await self._again(way, row, error, row.tries, 0.0)
            case Unavailable() | OutcomeUnknown():
                await self._away(way, row, error)
            case AddressGone() | Rejected():
                await self._missed(way, row, error.reason, error.words)
            case OutsideWindow():
                await self._missed(way, row, "outside_window", error.words)
            case _:
                await self._missed(way, row, "rejected", error.words)

    async def _away(self, way: _Way, row: ToAmend, error: GatewayError) -> None:
        """A try counts only while the platform answers at all."""
        tries = row.tries + 1
        if tries < self._settings.tries:
            await self._again(way, row, error, tries, pause_before_try(tries))
        elif await self._is_away(way):
            await self._again(way, row, error, row.tries, pause_before_probe(tries))
        else:
            await self._missed(way, row, "unavailable", error.words)

    async def _is_away(self, way: _Way) -> bool:
        try:
            await way.lane.gateway.check()
        except (Unavailable, OutcomeUnknown, Throttled):
            return True
        except GatewayError:
            return False
        return False

    async def _again(self, way: _Way, row: ToAmend, error: GatewayError, tries: int, pause_s: float) -> None:
        now = self._clock.now()
        due_at = now + timedelta(seconds=pause_s)
        await self._store.amendments.settle(
            AmendedOutcome(row, way.channel, AmendedState.WAITING, now, None, error.words, tries, due_at)
        )

    async def _reached(self, way: _Way, row: ToAmend) -> None:
        reached = AmendedOutcome(row, way.channel, AmendedState.REACHED, self._clock.now(), tries=row.tries + 1)
        await self._store.amendments.settle(reached)

    async def _missed(self, way: _Way, row: ToAmend, reason: str, words: str = "") -> None:
        now = self._clock.now()
        await self._store.amendments.settle(
            AmendedOutcome(row, way.channel, AmendedState.MISSED, now, reason, words or None, row.tries + 1)
        )


def _chunks(jobs: Sequence[_Job], together: int) -> Iterator[list[_Job]]:
    """Whole messages with as many parts as one call carries; a message of more makes several calls."""
    chunk: list[_Job] = []
    for job in jobs:
        if chunk and sum(len(each.parts) for each in [*chunk, job]) > together:
            yield chunk
            chunk = []
        chunk.append(job)
    if chunk:
        yield chunk


_PASSING = (Throttled, Unavailable, OutcomeUnknown, ChannelBroken)


def _worst(outcomes: Sequence[GatewayError | None]) -> GatewayError | None:
    """What holds for the whole message: what may pass decides before what is lost."""
    errors = [error for error in outcomes if error is not None]
    return next((error for error in errors if isinstance(error, _PASSING)), errors[0] if errors else None)
