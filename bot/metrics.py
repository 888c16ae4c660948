"""What Prometheus reads: gathered from lanes, writer and hooks when it asks, kept nowhere else.

docs/grafana.json draws it; a name that changes here changes there.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from bot.http import HookFigures
    from bot.minding import Bot
    from engine.lane.lane import Lane
    from engine.lane.state import LaneState
    from engine.runner import Engine
    from storage.spans import Spans
    from storage.store import Store

log = logging.getLogger(__name__)

STORAGE_WITHIN_S = 2.0
_OUTCOMES = ("sent", "failed", "skipped", "unknown")
_OF_LANES: "Sequence[tuple[str, str, Callable[[LaneState], float]]]" = (
    ("carillon_channel_broken", "1 while the platform refuses us", lambda state: state.broken is not None),
    ("carillon_channel_down", "1 while the platform is away", lambda state: state.down_since is not None),
    (
        "carillon_channel_throttled",
        "1 while the platform has us wait",
        lambda state: state.clock.monotonic() < state.throttled_until,
    ),
    ("carillon_lane_rate", "Messages a second at present", lambda state: state.pacer.rate),
    ("carillon_lane_in_flight", "Messages on their way", lambda state: state.in_flight),
    (
        "carillon_lane_prepared",
        "Messages in the lane's hand, before their slots",
        lambda state: sum(step.waiting() for step in state.steps.values()),
    ),
)


class Metrics:
    """A registry of its own: two in one process, as tests have them, do not meet."""

    def __init__(
        self,
        store: "Store",
        engine: "Engine",
        hooks: "HookFigures",
        bots: "Mapping[str, Bot] | None" = None,
    ) -> None:
        self._store = store
        self._collector = _Collector(store, engine, hooks, bots or {})
        self._registry = CollectorRegistry()
        self._registry.register(self._collector)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    async def render(self) -> tuple[bytes, str]:
        """The text and its content type. A storage that does not answer leaves out only what it alone knows."""
        self._collector.waiting = await self._waiting()
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    async def _waiting(self) -> Mapping[str, int] | None:
        try:
            async with asyncio.timeout(STORAGE_WITHIN_S):
                return await self._store.deliveries.waiting_now()
        except Exception as error:  # noqa: BLE001  # whatever it is, the storage can't be used just now
            log.warning("the storage does not answer", extra={"error": type(error).__name__})
            return None


class _Collector:
    def __init__(self, store: "Store", engine: "Engine", hooks: "HookFigures", bots: "Mapping[str, Bot]") -> None:
        self.waiting: Mapping[str, int] | None = None  # by channel; None: the storage does not answer
        self._store = store
        self._engine = engine
        self._hooks = hooks
        self._bots = bots

    def describe(self) -> Iterator[Metric]:
        return iter(())  # nothing is collected before somebody asks

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "carillon_engine_running", "1 while the engine works in this process", value=self._engine.running
        )
        yield GaugeMetricFamily("carillon_stopped", "1 while the kill switch is on", value=self._engine.stopped)
        yield from self._lanes(self._engine.lanes)
        yield from self._storage()
        yield from self._writer()
        yield from self._heard()
        broken = ((name, bot.problem is not None) for name, bot in self._bots.items())
        yield _gauge("carillon_bot_broken", "1 while an admin bot does not work", "bot", broken)

    def _lanes(self, lanes: "Mapping[str, Lane]") -> Iterator[Metric]:
        alive = ((channel, self._engine.alive.get(channel, False)) for channel in lanes)
        yield _gauge("carillon_lane_alive", "1 while the lane's task runs", "channel", alive)
        for name, words, value in _OF_LANES:
            yield _gauge(name, words, "channel", ((channel, value(lane.state)) for channel, lane in lanes.items()))
        slots = CounterMetricFamily("carillon_lane_slots", "Slots used", labels=["channel"])
        throttles = CounterMetricFamily("carillon_lane_throttles", "Times asked to wait", labels=["channel"])
        ends = CounterMetricFamily("carillon_messages", "Deliveries by outcome", labels=["channel", "outcome"])
        late = HistogramMetricFamily(
            "carillon_lane_lateness_seconds", "From a slot's time to its use", labels=["channel"]
        )
        for channel, lane in lanes.items():
            figures = lane.state.figures
            slots.add_metric([channel], figures.slots)
            throttles.add_metric([channel], figures.throttles)
            for outcome in _OUTCOMES:
                ends.add_metric([channel, outcome], getattr(figures, outcome))
            _add_spans(late, [channel], figures.lateness)
        yield from (slots, throttles, ends, late)

    def _storage(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("carillon_storage_up", "1 while the storage answers", value=self.waiting is not None)
        if self.waiting is not None:
            waiting = ((channel, self.waiting.get(channel, 0)) for channel in self._engine.lanes)
            yield _gauge("carillon_waiting", "Deliveries being sent that have no end yet", "channel", waiting)

    def _writer(self) -> Iterator[Metric]:
        writer = self._store.writer
        yield GaugeMetricFamily("carillon_writer_alive", "1 while writes are taken", value=writer.alive)
        yield GaugeMetricFamily("carillon_writer_waiting", "Writes that wait for a commit", value=writer.waiting)
        yield CounterMetricFamily("carillon_writer_writes", "Writes committed", value=writer.figures.members)
        yield CounterMetricFamily(
            "carillon_writer_failed_groups", "Groups rolled back", value=writer.figures.failed_groups
        )
        commits = HistogramMetricFamily("carillon_writer_commit_seconds", "How long a commit took", labels=[])
        _add_spans(commits, [], writer.figures.commits)
        yield commits

    def _heard(self) -> Iterator[Metric]:
        told = CounterMetricFamily("carillon_hooks", "Webhook calls by outcome", labels=["hook", "outcome"])
        for (hook, outcome), count in self._hooks.outcomes.items():
            told.add_metric([hook, outcome], count)
        took = HistogramMetricFamily("carillon_hook_seconds", "Until a webhook call was answered", labels=[])
        _add_spans(took, [], self._hooks.took)
        yield told
        yield took
        yield GaugeMetricFamily("carillon_hooks_at_work", "Webhook calls not answered yet", value=self._hooks.at_work)


def _gauge(name: str, words: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=[label])
    for value_of, value in values:
        family.add_metric([value_of], float(value))
    return family


def _add_spans(family: HistogramMetricFamily, labels: list[str], spans: "Spans") -> None:
    family.add_metric(labels, buckets=list(spans.up_to()), sum_value=spans.total_s)
