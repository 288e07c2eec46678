"""The daily calling window and working days of a campaign, on the wall clock of its zone (API facts, section (d))."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from airflow_truedy.campaigns.errors import TimingError
from airflow_truedy.campaigns.times import UTC, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_A_DAY = timedelta(days=1)
_A_MINUTE = timedelta(minutes=1)
# One day a week, and that day's window swallowed whole by a clock change.
_LONGEST_GAP_DAYS = 14


@dataclass(frozen=True)
class CallingWindow:
    """
    When calls may be placed.

    :param zone: IANA zone whose wall clock counts.
    :param opens: daily start, inclusive; ``None`` with ``closes`` means all day.
    :param closes: daily end, exclusive here: whether the server includes it is not known.
    :param days: ISO weekdays, 1 = Monday to 7 = Sunday; empty means every day.
    """

    zone: str = "UTC"
    opens: time | None = None
    closes: time | None = None
    days: frozenset[int] = frozenset()

    def is_open(self, instant: datetime) -> bool:
        """Whether a call may be placed at ``instant``."""
        wall = instant.astimezone(zone_of(self.zone))
        if self.days and wall.isoweekday() not in self.days:
            return False
        if self.opens is None or self.closes is None:
            return True
        return self.opens <= wall.time().replace(tzinfo=None) < self.closes

    def next_opening(self, instant: datetime) -> datetime:
        """
        Return ``instant`` if the window is open then, else the instant at which it opens next.

        :raises TimingError: if it never opens.
        """
        if self.is_open(instant):
            return instant
        day = instant.astimezone(zone_of(self.zone)).date()
        for offset in range(_LONGEST_GAP_DAYS + 1):
            for candidate in self._openings(day + offset * _A_DAY):
                if candidate > instant and self.is_open(candidate):
                    return candidate
        raise TimingError(f"The calling window {self} never opens.")

    def _openings(self, day: date) -> Iterator[datetime]:
        """Yield the instants at which the window may open on a day, earliest first; clock changes make several."""
        wall = datetime.combine(day, self.opens or time.min)
        one, other = (wall.replace(tzinfo=zone_of(self.zone), fold=fold).astimezone(UTC) for fold in (0, 1))
        yield min(one, other)
        # The opening falls into the hour that clocks skip: the window opens somewhere between, with the jump.
        while other < one:
            yield other
            other += _A_MINUTE
        yield max(one, other)

    def __str__(self) -> str:
        hours = f"{self.opens:%H:%M}-{self.closes:%H:%M}" if self.opens and self.closes else "any hour"
        days = "".join(str(day) for day in sorted(self.days)) or "1234567"
        return f"{hours}, days {days}, {self.zone}"
