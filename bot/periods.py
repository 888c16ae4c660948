"""Spans of time that people ask for, by the days of their own zone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.texts import Texts, _

PERIODS: Final = {
    "today": _("Today"),
    "yesterday": _("Yesterday"),
    "week": _("Last 7 days"),
    "month": _("Last 30 days"),
    "all": _("Since the beginning"),
}
_BEGINNING: Final = datetime(2000, 1, 1)  # noqa: DTZ001  # older than any mailing, in whichever zone


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days, `begin` and the day after the last one at midnight of the person's zone."""

    begin: datetime
    end: datetime

    @property
    def before(self) -> "Days":
        """As many days, right before these."""
        return Days(self.begin - (self.end.replace(tzinfo=None) - self.begin.replace(tzinfo=None)), self.begin)

    def told(self, t: Texts) -> str:
        """ "21 Nov 2026", or the first and the last day."""
        first, last = t.day(self.begin), t.day(self.end - timedelta(days=1))
        return first if first == last else f"{first} – {last}"


def days_of(period: str, now: datetime, timezone: str) -> Days:
    """The days that a period of PERIODS means now."""
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    tomorrow = today + timedelta(days=1)
    match period:
        case "today":
            return Days(today, tomorrow)
        case "yesterday":
            return whole_days(1, now, timezone)
        case "week":
            return Days(today - timedelta(days=6), tomorrow)
        case "month":
            return Days(today - timedelta(days=29), tomorrow)
        case _:
            return Days(_BEGINNING.replace(tzinfo=zone), tomorrow)


def whole_days(count: int, now: datetime, timezone: str) -> Days:
    """The last so many days that are over."""
    today = now.astimezone(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return Days(today - timedelta(days=count), today)
