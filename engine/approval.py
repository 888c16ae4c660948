"""The two-person rule: when it holds, and what exactly a second person has approved."""

import hashlib
import json
from collections.abc import Collection
from datetime import datetime, time, timedelta
from typing import Any

from engine.drafts import plain_draft
from engine.errors import Invalid, NotFound, Refused, _
from engine.schedule import CLIENT, zone_named
from engine.settings import ApprovalRule
from storage.records import Draft
from storage.store import Store


class NeedsApproval(Refused):
    """Nothing goes out before a second person has approved it."""


def reasons_for(
    rule: ApprovalRule,
    draft: Draft,
    planned: int,
    channels: Collection[str],
    span: tuple[datetime, datetime],
    zone: str,
) -> tuple[Invalid, ...]:
    """Why a second person has to approve it; empty where nobody has to. `span` is when it would be sent."""
    reasons: list[Invalid] = []
    if rule.above is not None and planned > rule.above:
        reasons.append(Invalid(_("it goes to more than {above} clients"), above=rule.above))
    if rule.outside_hours is not None and _touches(rule.outside_hours, *_local(draft, span, zone)):
        begin, end = rule.outside_hours
        words = _("it would be sent between {begin} and {end}")
        reasons.append(Invalid(words, begin=f"{begin:%H:%M}", end=f"{end:%H:%M}"))
    reasons += [
        Invalid(_("it goes through {channel}"), channel=channel)
        for channel in sorted(rule.channels.intersection(channels))
    ]
    return tuple(reasons)


def _local(draft: Draft, span: tuple[datetime, datetime], zone: str) -> tuple[datetime, datetime]:
    """When it is sent by the app's clock, or by each client's own."""
    begin, end = span
    if draft.timezone == CLIENT and draft.start != "now":
        local = datetime.fromisoformat(draft.start)
        return local, local + (end - begin)
    local = begin.astimezone(zone_named(zone)).replace(tzinfo=None)
    return local, local + (end - begin)


def _touches(hours: tuple[time, time], begin: datetime, end: datetime) -> bool:
    opens, closes = (datetime.combine(begin.date(), hour) for hour in hours)
    if closes <= opens:
        closes += timedelta(days=1)  # over midnight
    day = timedelta(days=1)
    return any(begin < closes + shift and opens + shift <= end for shift in (-day, day * 0, day))


async def draft_hash(store: Store, draft: Draft) -> str:
    """A name for everything that an approver is shown: another one is another mailing. The segments that it goes to are
    part of it, because a filter that is changed reaches others."""
    data: dict[str, Any] = {"draft": plain_draft(draft), "segments": {}}
    name = draft.audience.get("segment")
    while isinstance(name, str) and name not in data["segments"]:
        try:
            segment = await store.segments.get(name)
        except NotFound:
            break  # the check says so
        data["segments"][name] = dict(segment.audience)
        name = segment.audience.get("segment")
    canonical = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
