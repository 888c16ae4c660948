"""What Prometheus reads: gathered from the lanes and the writer when it asks, kept nowhere else."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from bot.minding import Bot
    from engine.runner import Engine
    from storage.store import Store


class Metrics:
    """A registry of its own: two in one process, as tests have them, do not meet."""

    def __init__(self, store: "Store", engine: "Engine", bots: "Mapping[str, Bot] | None" = None) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(store, engine, bots or {}))

    def render(self) -> tuple[bytes, str]:
        """The text and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _Collector:
    def __init__(self, store: "Store", engine: "Engine", bots: "Mapping[str, Bot]") -> None:
        self._store = store
        self._engine = engine
        self._bots = bots

    def describe(self) -> Iterator[Metric]:
        return iter(())  # nothing is collected before somebody asks

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "carillon_engine_running", "1 while the engine works in this process", value=self._engine.running
        )
        yield GaugeMetricFamily("carillon_stopped", "1 while the kill switch is on", value=self._engine.stopped)
        yield from self._lanes()
        broken = GaugeMetricFamily("carillon_bot_broken", "1 while an admin bot does not work", labels=["bot"])
        for name, bot in self._bots.items():
            broken.add_metric([name], float(bot.problem is not None))
        yield broken
        figures = self._store.writer.figures
        yield CounterMetricFamily("carillon_writer_commits", "Transactions committed", value=figures.commits)
        yield CounterMetricFamily("carillon_writer_writes", "Writes in them", value=figures.members)
        yield CounterMetricFamily("carillon_writer_failed_groups", "Groups rolled back", value=figures.failed_groups)
        yield CounterMetricFamily("carillon_writer_busy_seconds", "Time spent committing", value=figures.busy_s)

    def _lanes(self) -> Iterator[Metric]:
        alive = GaugeMetricFamily("carillon_lane_alive", "1 while the lane's task runs", labels=["channel"])
        broken = GaugeMetricFamily("carillon_channel_broken", "1 while the platform refuses us", labels=["channel"])
        down = GaugeMetricFamily("carillon_channel_down", "1 while the platform is away", labels=["channel"])
        rate = GaugeMetricFamily("carillon_lane_rate", "Messages a second at present", labels=["channel"])
        flying = GaugeMetricFamily("carillon_lane_in_flight", "Messages on their way", labels=["channel"])
        slots = CounterMetricFamily("carillon_lane_slots", "Slots used", labels=["channel"])
        throttles = CounterMetricFamily("carillon_lane_throttles", "Times asked to wait", labels=["channel"])
        ends = CounterMetricFamily("carillon_messages", "Messages by outcome", labels=["channel", "outcome"])
        for channel, lane in self._engine.lanes.items():
            alive.add_metric([channel], float(self._engine.alive.get(channel, False)))
            broken.add_metric([channel], float(lane.state.broken is not None))
            down.add_metric([channel], float(lane.state.down_since is not None))
            rate.add_metric([channel], lane.rate)
            flying.add_metric([channel], lane.state.in_flight)
            slots.add_metric([channel], lane.state.figures.slots)
            throttles.add_metric([channel], lane.state.figures.throttles)
            for outcome in ("sent", "failed", "unknown"):
                ends.add_metric([channel, outcome], getattr(lane.state.figures, outcome))
        yield from (alive, broken, down, rate, flying, slots, throttles, ends)
