"""The daily calling window and working days of a campaign, on the wall clock of its zone (API facts, section (d))."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.campaigns.errors import TimingError
from airflow_truedy.campaigns.schedule import UTC, zone_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_A_DAY = timedelta(days=1)
_A_MINUTE = timedelta(minutes=1)
# One day a week, and that day's window swallowed whole by a clock change.
_LONGEST_GAP_DAYS = 14
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def check_window_is_possible(
    start_time: str | None, end_time: str | None, working_days: Collection[object] | None
) -> None:
    """
    Refuse hours and days that the API would refuse, without its models: they are too heavy while a Dag is parsed.

    :param start_time: ``None``, as the others, for what is not given or not known yet.
    :raises InvalidPayloadError: naming field, value and rule.
    """
    for field, text in (("start_time", start_time), ("end_time", end_time)):
        if text is not None and not _CLOCK.fullmatch(text):
            raise _refused(field, text, "must be a time of day as HH:MM, from 00:00 to 23:59")
    if start_time is not None and end_time is not None and end_time <= start_time:
        raise _refused("end_time", end_time, f"must be after start_time ({start_time})")
    if working_days is not None and not _are_weekdays(working_days):
        raise _refused(
            "working_days", working_days, "must be days from 1 (Monday) to 7 (Sunday), at least one, none twice"
        )


def _are_weekdays(days: Collection[object]) -> bool:
    # True is no day, although it equals 1.
    known = all(type(day) is int and 1 <= day <= 7 for day in days)
    return known and len(set(days)) == len(days) > 0


def _refused(field: str, value: object, rule: str) -> InvalidPayloadError:
    return InvalidPayloadError("invalid parameter", problems=[(field, repr(value)[:60], rule)])


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
