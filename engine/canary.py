"""The first clients get a mailing alone; what becomes of them decides whether the others get it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from engine.clock import Clock
from engine.errors import Invalid, _
from engine.moves import Moves
from engine.settings import LATE_START_S
from engine.watch import NORMAL_FAILURES
from storage.records import Canary, CanaryState, Mailing
from storage.store import Store

MAX_FIRST = 100_000
MAX_WAIT_S = 7 * 86_400.0
_FIELDS = ("first", "share", "wait_minutes", "failed_share", "unsubscribed_share")


def read_canary(value: Any) -> Canary | None:
    """A canary as a mailing file writes it: { first = 100, wait_minutes = 30, failed_share = 0.05 }. Raises Invalid."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise Invalid(_("canary is a table such as: first = 100, wait_minutes = 30."))
    for name, given in value.items():
        if name not in _FIELDS:
            raise Invalid(_("A canary has no field “{name}”; it knows {known}."), name=name, known=", ".join(_FIELDS))
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise Invalid(_("{name} of the canary must be a number."), name=name)
    rest = {name: float(given) for name, given in value.items() if name in ("failed_share", "unsubscribed_share")}
    wait_s = float(value.get("wait_minutes", 30)) * 60
    canary = Canary(value.get("first"), value.get("share"), wait_s, **rest)
    require_canary(canary)
    return canary


def plain_canary(canary: Canary) -> dict[str, Any]:
    """As `read_canary` reads it."""
    known = {one.name: getattr(canary, one.name) for one in fields(canary) if one.name != "wait_s"}
    return {name: value for name, value in known.items() if value is not None} | {"wait_minutes": canary.wait_s / 60}


def require_canary(canary: Canary) -> None:
    """Raises Invalid."""
    if (canary.first is None) == (canary.share is None):
        raise Invalid(_("A canary is either so many clients first, or a share of all: one of first and share."))
    if canary.first is not None and not (isinstance(canary.first, int) and 1 <= canary.first <= MAX_FIRST):
        raise Invalid(_("The first clients are from 1 to {most}."), most=MAX_FIRST)
    if canary.share is not None and not 0 < canary.share <= 0.5:
        raise Invalid(_("The first share is above 0 and at most 0.5: 0.01 is one in a hundred."))
    if not 60 <= canary.wait_s <= MAX_WAIT_S:
        raise Invalid(_("The pause after the first clients is from 1 minute to 7 days."))
    if not (0 <= canary.failed_share <= 1 and 0 <= canary.unsubscribed_share <= 1):
        raise Invalid(_("failed_share and unsubscribed_share are from 0 to 1."))


@dataclass(frozen=True, slots=True)
class Canaries:
    store: Store
    moves: Moves
    clock: Clock

    async def has_paused(self, mailing: Mailing) -> bool:
        """Pause it once its first clients have it and others wait; the lanes begin with no others meanwhile."""
        canary = mailing.draft.canary
        if canary is None or mailing.canary_state is not None:
            return False
        sums = await self._sums(mailing)
        planned, waiting = sums.get("planned", 0), sums.get("waiting", 0)
        if not waiting or planned - waiting < canary.size(planned):
            return False
        until = self.clock.now() + timedelta(seconds=canary.wait_s)
        words = _("the first {count} have it").format(count=planned - waiting)
        await self.moves.wait_for_canary(mailing.id, until, words)
        return True

    async def judge(self, mailing_id: int) -> None:
        """When its time is up: on to all the others, or to a person."""
        mailing, now = await self.store.mailings.find(mailing_id), self.clock.now()
        if mailing is None or mailing.draft.canary is None or mailing.canary_state is not CanaryState.WAITING:
            return
        if mailing.canary_until is None or now < mailing.canary_until:
            return
        late_s = (now - mailing.canary_until).total_seconds()
        if late_s > LATE_START_S:
            words = _("it was to go on {minutes} minutes ago, and nothing was sent then")
            await self.moves.hold_canary(mailing, words.format(minutes=int(late_s // 60)))
            return
        if words := _too_much(mailing.draft.canary, await self._sums(mailing)):
            await self.moves.hold_canary(mailing, words)
        else:
            await self.moves.pass_canary(mailing)

    async def _sums(self, mailing: Mailing) -> Mapping[str, int]:
        sums: dict[str, int] = {}
        counted = await self.store.deliveries.counters([mailing.step_id])
        for (_channel, name), amount in counted[mailing.step_id].items():
            sums[name] = sums.get(name, 0) + amount
        return sums


def _too_much(canary: Canary, sums: Mapping[str, int]) -> str:
    """Why it must not go on by itself; "" where it may. Failures that say nothing of us do not count."""
    sent, failed, left = sums.get("sent", 0), sums.get("failed", 0), sums.get("unsubscribed", 0)
    ended = sent + failed + sums.get("unknown", 0)
    bad = failed - sum(sums.get(f"failed:{reason}", 0) for reason in NORMAL_FAILURES)
    if ended and bad / ended > canary.failed_share:
        return _("{bad} of the first {all} failed").format(bad=bad, all=ended)
    if sent and left / sent > canary.unsubscribed_share:
        return _("{count} of the first {all} unsubscribed").format(count=left, all=sent)
    return ""
