"""A channel's quota as it stands at a moment."""

from datetime import datetime
from zoneinfo import ZoneInfo

from engine.settings import ChannelSettings, QuotaPer
from storage.quotas import DayQuota, PackageQuota


def quota_at(channel: ChannelSettings, at: datetime, timezone: str) -> DayQuota | PackageQuota | None:
    """What the channel may send: on that day of the zone, or out of its package. None: as much as it can."""
    quota = channel.quota
    if quota is None:
        return None
    if quota.per is QuotaPer.PACKAGE:
        return PackageQuota(quota.messages)
    return DayQuota(quota.messages, at.astimezone(ZoneInfo(timezone)).date().isoformat())
