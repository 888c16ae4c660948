"""What a mailing has come to, from the counters that move with the rows; never recounted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.errors import _
from engine.settings import EngineSettings
from gateways.base import ReceiptState
from storage.channel_states import ChannelState
from storage.money import from_ten_thousandths
from storage.records import Mailing, Status

RATE_IS_FRESH_S = 5.0
ENDS = ("sent", "failed", "skipped", "cancelled", "unknown")
SPEEDS = (25, 20, 15, 10, 5, 1)  # messages/second, as the buttons offer them
CLICKS = ("any", "link", "text_link", "buy", "message")

Sums = Mapping[tuple[str, str], int]  # (channel, counter) -> amount


def render_figures(
    mailing: Mailing,
    sums: Sums,
    *,
    settings: EngineSettings,
    states: Mapping[str, ChannelState],
    stopped: bool,
    at: datetime,
) -> dict[str, Any]:
    """The JSON of `carillon mailing show`: CONTRACT.md section 6."""
    told = render_totals(sums, settings=settings)
    by_channel = {
        channel: {**counted, "reason": _channel_reason(mailing, states.get(channel))}
        for channel, counted in told["by_channel"].items()
    }
    return {
        "id": mailing.id,
        "name": mailing.draft.name,
        "status": mailing.status.value,
        "stopped": stopped,
        "start_at": _iso(mailing.start_at or mailing.started_at),
        "started_at": _iso(mailing.started_at),
        "finished_at": _iso(mailing.finished_at),
        **told,
        "rate": _rate(mailing, told, at),
        "eta_seconds": _eta(by_channel, mailing.draft.speed, settings) if mailing.status is Status.SENDING else None,
        "eta_at": _eta_at(mailing, by_channel, settings),
        "progress": _progress(mailing, told["planned"], told["waiting"]),
        "by_channel": by_channel,
        "reason": _reason(mailing, stopped),
        "canary": _canary(mailing, told["planned"]),
        "steps": [{"step": 1, "name": None, "status": mailing.status.value}],
    }


def render_totals(sums: Sums, *, settings: EngineSettings) -> dict[str, Any]:
    """What the counters come to, of one mailing, of one channel, or of many together: the numbers of CONTRACT.md
    section 6, without what only one mailing has."""
    totals = _totals(sums)
    by_channel = _by_channel(sums, settings)
    return {
        "audience": totals.get("audience", 0),
        "left_out": _by_reason(totals, "left_out"),
        "planned": totals.get("planned", 0),
        "waiting": totals.get("waiting", 0),
        **{name: totals.get(name, 0) for name in ENDS},
        **_receipts(by_channel, "delivered"),
        **_receipts(by_channel, "read"),
        "clicked": _clicks(totals, "clicked", settings),
        "clicks": _clicks(totals, "clicks", settings),
        "unsubscribed": totals.get("unsubscribed", 0),
        "orders": totals.get("orders", 0),
        "sales": totals.get("sales", 0),
        "revenue": revenue_in(totals),
        "by_channel": by_channel,
        "failures": _by_reason(totals, "failed"),
        "skips": _by_reason(totals, "skipped"),
        "both": totals.get("both", 0),
        "costs": _by_reason(totals, "cost"),
    }


def of_channel(sums: Sums, channel: str) -> Sums:
    return {key: amount for key, amount in sums.items() if key[0] == channel}


def _totals(sums: Sums) -> dict[str, int]:
    totals: dict[str, int] = {}
    for (_channel, name), amount in sums.items():
        totals[name] = totals.get(name, 0) + amount
    return totals


def _by_channel(sums: Sums, settings: EngineSettings) -> dict[str, dict[str, Any]]:
    figures: dict[str, dict[str, Any]] = {}
    for channel in sorted({channel for channel, _name in sums if channel}):
        counted = {name: sums.get((channel, name), 0) for name in ("planned", "waiting", *ENDS)}
        if not any(counted.values()):
            continue
        known = settings.channels.get(channel)
        receipts = known.able.receipts if known else frozenset()
        figures[channel] = {
            **counted,
            "delivered": sums.get((channel, "delivered"), 0) if ReceiptState.DELIVERED in receipts else None,
            "read": sums.get((channel, "read"), 0) if ReceiptState.READ in receipts else None,
        }
    return figures


def _channel_reason(mailing: Mailing, state: ChannelState | None) -> str | None:
    if state is None or mailing.status in (Status.SENT, Status.CANCELLED):
        return None
    if state.broken_at is not None:
        return state.reason
    if state.down_since is not None:
        return _("the platform does not answer since {time} UTC").format(time=f"{state.down_since:%H:%M:%S}")
    return None


def _receipts(by_channel: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, int | None]:
    """null, never 0, where no channel of the mailing reports it."""
    reporting = [figures for figures in by_channel.values() if figures[name] is not None]
    return {
        name: sum(figures[name] for figures in reporting) if reporting else None,
        f"{name}_of": sum(figures["sent"] for figures in reporting),
    }


def _clicks(totals: Mapping[str, int], name: str, settings: EngineSettings) -> dict[str, int | None]:
    """Links are not counted unless they lead through us: theirs are null then."""
    counted: dict[str, int | None] = {kind: totals.get(f"{name}:{kind}", 0) for kind in CLICKS}
    return counted if settings.links_counted else counted | {"link": None, "text_link": None}


def revenue_in(totals: Mapping[str, int]) -> dict[str, str]:
    """What paid orders came to, by currency: {"EUR": "39.80"}."""
    prefix = "revenue:"
    return {
        name.removeprefix(prefix): f"{from_ten_thousandths(amount):.2f}"
        for name, amount in sorted(totals.items())
        if name.startswith(prefix) and amount
    }


def _by_reason(totals: Mapping[str, int], name: str) -> dict[str, int]:
    prefix = f"{name}:"
    return {key.removeprefix(prefix): amount for key, amount in totals.items() if key.startswith(prefix) and amount}


def _rate(mailing: Mailing, totals: Mapping[str, int], at: datetime) -> float:
    """Messages/second: now while it is sending, on average once it has ended."""
    if mailing.status is Status.SENDING:
        fresh = mailing.rate_at is not None and (at - mailing.rate_at).total_seconds() <= RATE_IS_FRESH_S
        return round(mailing.rate or 0.0, 1) if fresh else 0.0
    if mailing.started_at is None or mailing.finished_at is None:
        return 0.0
    took_s = (mailing.finished_at - mailing.started_at).total_seconds()
    return round(sum(totals.get(name, 0) for name in ("sent", "failed", "unknown")) / took_s, 1) if took_s > 0 else 0.0


def _eta(by_channel: Mapping[str, Mapping[str, Any]], speed: float | None, settings: EngineSettings) -> int:
    """Seconds until the slowest channel is through at that speed."""
    waiting = {channel: figures["waiting"] for channel, figures in by_channel.items()}
    return round(max((seconds_for(channel, n, speed, settings) for channel, n in waiting.items()), default=0))


def _eta_at(mailing: Mailing, by_channel: Mapping[str, Mapping[str, Any]], settings: EngineSettings) -> dict[str, int]:
    """What if it went at other speeds: messages/second -> seconds left."""
    if mailing.status in (Status.SENT, Status.CANCELLED):
        return {}
    most = max((channel.max_rate for channel in settings.channels.values()), default=0.0)
    return {f"{speed:g}": _eta(by_channel, speed, settings) for speed in speeds_up_to(most)}


def speeds_up_to(most: float) -> list[float]:
    """The speeds that people choose from, the fastest first."""
    return [most, *(float(speed) for speed in SPEEDS if speed < most)] if most else []


def seconds_for(channel: str, messages: int, speed: float | None, settings: EngineSettings) -> float:
    """How long a channel takes for so many messages at a mailing's speed."""
    known = settings.channels.get(channel)
    if known is None:
        return 0.0
    return messages / min(speed or known.rate, known.rate)


def _progress(mailing: Mailing, planned: int, waiting: int) -> float:
    if planned == 0:
        return 1.0 if mailing.status is Status.SENT else 0.0
    return round((planned - waiting) / planned, 4)


def _reason(mailing: Mailing, stopped: bool) -> str | None:
    if stopped and mailing.status in (Status.SENDING, Status.SCHEDULED):
        return "stopped"
    return mailing.reason_words or mailing.reason


def _canary(mailing: Mailing, planned: int) -> dict[str, Any] | None:
    """How many get it first, and where that stands: sending, waiting (until when), held for a person, passed; None
    where it has not begun."""
    if mailing.draft.canary is None:
        return None
    begun = "sending" if mailing.started_at is not None else None
    state = mailing.canary_state.value if mailing.canary_state else begun
    return {"size": mailing.draft.canary.size(planned), "state": state, "until": _iso(mailing.canary_until)}


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z") if instant else None
