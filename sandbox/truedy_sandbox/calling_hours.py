"""When a batch may place calls: zone, daily window, working days, calls per day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from truedy_sandbox.clock import instant


@dataclass(frozen=True)
class CallingHours:
    """
    The hours of one batch, in its own zone.

    The documentation leaves open what only one bound means; here the other one is midnight.
    """

    zone: str
    start_time: str | None = None
    end_time: str | None = None
    working_days: tuple[int, ...] = ()
    max_calls_per_day: int | None = None

    def opening(self, moment: float, skip_day: int | None = None) -> tuple[float, float, int]:
        """
        Return the first moment from ``moment`` on in which calls may start, its window's end, and its day.

        :param skip_day: a day (proleptic ordinal in the zone) whose quota is used up.
        """
        zone = ZoneInfo(self.zone)
        day = instant(moment).astimezone(zone).date()
        while True:
            opens, closes = self._window(day, zone)
            if self._works(day) and day.toordinal() != skip_day and moment < closes:
                return max(moment, opens), closes, day.toordinal()
            day += timedelta(days=1)

    def _works(self, day: date) -> bool:
        return not self.working_days or day.isoweekday() in self.working_days

    def _window(self, day: date, zone: ZoneInfo) -> tuple[float, float]:
        opens = datetime.combine(day, _wall(self.start_time), zone)
        if self.end_time is None:
            closes = datetime.combine(day + timedelta(days=1), time(0), zone)
        else:
            closes = datetime.combine(day, _wall(self.end_time), zone)
        return opens.timestamp(), closes.timestamp()


def _wall(text: str | None) -> time:
    return time.fromisoformat(text) if text else time(0)
