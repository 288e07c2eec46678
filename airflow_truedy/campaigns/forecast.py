"""Who would be called when: an estimate, day by day, from its window and a few stated assumptions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from airflow_truedy.campaigns.errors import TimingError
from airflow_truedy.campaigns.timing import zone_of

if TYPE_CHECKING:
    from airflow_truedy.campaigns.bound_hours import BoundHours

#: An estimate looks no further ahead.
LONGEST_DAYS = 366
_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Assumptions:
    """
    What nobody knows before the calls, and an estimate has to assume.

    :param average_minutes: length of a call with all that lies between two calls. Default: 2.
    :param concurrency: calls at the same time in one batch call. Default: 5, as Truedy's documents show it.
    :param retry_attempts: how often Truedy tries a person again who does not answer. Default: 2, as they show it.
    """

    average_minutes: Decimal = Decimal(2)
    concurrency: int = 5
    retry_attempts: int = 2

    def calls_begun(self, minutes: float) -> int:
        """Return how many calls can begin in the first so many minutes of a day's window."""
        return self.concurrency * ceil(Decimal(str(minutes)) / self.average_minutes) if minutes > 0 else 0

    def begins_after(self, call: int) -> timedelta:
        """Return how long after the first call of a day another one begins, counted from 0."""
        return timedelta(minutes=float(call // self.concurrency * self.average_minutes))


class CallingDay(NamedTuple):
    """
    The calls of one day.

    :ivar day: the date in the campaign's zone.
    :ivar calls: how many.
    :ivar first: when the first one begins; ``last``, when the last one does.
    """

    day: date
    calls: int
    first: datetime
    last: datetime


class Forecast(NamedTuple):
    """
    The days on which a campaign would call.

    :ivar days: in their order.
    :ivar left: people who are not called within :data:`LONGEST_DAYS`, or before the last day of the hours.
    """

    days: list[CallingDay]
    left: int


def forecast(
    hours: BoundHours, start: datetime, people: int, max_calls_per_day: int | None, assumptions: Assumptions
) -> Forecast:
    """
    Estimate when people would be called, each once.

    :param hours: when calls may be placed. On other days of its window something holds the campaign.
    :param start: the instant from which on they may.
    :param max_calls_per_day: of this campaign; ``None`` for no limit.
    :raises TimingError: they never begin.
    """
    days: list[CallingDay] = []
    window = hours.window
    left, at = people, hours.next_opening(start)
    horizon = start + LONGEST_DAYS * _A_DAY
    while left and at < horizon:
        closes = window.closing(at) or at + _A_DAY
        calls = min(left, assumptions.calls_begun((closes - at).total_seconds() / 60), max_calls_per_day or left)
        today = at.astimezone(zone_of(window.zone)).date()
        days.append(CallingDay(today, calls, at, at + assumptions.begins_after(calls - 1)))
        left -= calls
        try:
            at = hours.next_opening(closes)
        except TimingError:
            break
    return Forecast(days, left)


def calls_by_hour(first: str, calls: int, assumptions: Assumptions) -> dict[int, int]:
    """
    Return how many of a day's calls begin in which hour, by the clock on the wall.

    :param first: when the first one begins, ``HH:MM``.
    """
    begins = int(first[:2]) * 60 + int(first[3:5])
    found, before = {}, 0
    for hour in range(begins // 60, 24):
        begun = min(calls, assumptions.calls_begun((hour + 1) * 60 - begins))
        if begun > before:
            found[hour] = begun - before
        before = begun
    return found
