"""Why a mailing that is being sent has not moved for a while."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from engine.settings import EngineSettings
from storage.channel_states import ChannelState
from storage.records import Mailing, Status
from storage.store import Store

STUCK_AFTER_S = 60.0
AWAY_AFTER_S = 15.0  # the engine notes every second how fast a mailing goes

QuotaLeft = Callable[[str], Awaitable[int | None]]


class Stuck:
    """Asks for the reasons of one mailing, the most telling first."""

    def __init__(
        self,
        store: Store,
        settings: EngineSettings,
        states: Mapping[str, ChannelState],
        quota_left: QuotaLeft,
        at: datetime,
    ) -> None:
        self._store = store
        self._settings = settings
        self._states = states
        self._quota_left = quota_left
        self._at = at

    async def why(self, mailing: Mailing, waiting: Mapping[str, int]) -> dict[str, Any] | None:
        """None while it moves. `waiting` are those to go by channel.

        `reason` is a short word: engine, missing, broken, down, throttled, quota, due, or unknown; `channel`, `until`
        and the platform's `words` stand where there are such."""
        since = max(filter(None, (mailing.moved_at, mailing.started_at, mailing.launched_at)), default=None)
        if mailing.status is not Status.SENDING or since is None:
            return None
        if self._at - since < timedelta(seconds=STUCK_AFTER_S):
            return None
        told = {"since": _iso(since), "channel": None, "until": None, "words": None}
        if self._is_engine_away(mailing):
            return {**told, "reason": "engine"}
        channels = [channel for channel, amount in sorted(waiting.items()) if amount]
        if not channels:
            return None  # it looks for whom it is for
        found = [await self._why_channel(mailing.step_id, channel) for channel in channels]
        known = sorted((one for one in found if one is not None), key=lambda one: _ORDER.index(one["reason"]))
        return {**told, **known[0]} if known else {**told, "reason": "unknown"}

    def _is_engine_away(self, mailing: Mailing) -> bool:
        return mailing.rate_at is None or self._at - mailing.rate_at > timedelta(seconds=AWAY_AFTER_S)

    async def _why_channel(self, step_id: int, channel: str) -> dict[str, Any] | None:
        state = self._states.get(channel)
        if channel not in self._settings.channels:
            return {"reason": "missing", "channel": channel}
        if state is not None and state.broken_at is not None:
            return {"reason": "broken", "channel": channel, "words": state.reason}
        if state is not None and state.down_since is not None:
            return {"reason": "down", "channel": channel}
        if state is not None and state.throttled_until is not None and state.throttled_until > self._at:
            return {"reason": "throttled", "channel": channel, "until": _iso(state.throttled_until)}
        left = await self._quota_left(channel)
        if left is not None and left <= 0:
            return {"reason": "quota", "channel": channel}
        due = await self._store.deliveries.next_due(step_id, channel)
        if due is not None and due > self._at:
            return {"reason": "due", "channel": channel, "until": _iso(due)}
        return None


_ORDER = ("missing", "broken", "quota", "down", "throttled", "due")  # first what a person has to do


def _iso(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")
