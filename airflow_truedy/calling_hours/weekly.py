"""
Hours of a week as one bit for each of its 10,080 minutes, Monday 00:00 first; a bit that is set is a minute in which a
call may be placed. As whole numbers they are intersected by ``&``, and turned into another zone's clock by a rotation.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from airflow_truedy.calling_hours.errors import RulesError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

A_DAY = 24 * 60
A_WEEK = 7 * A_DAY
ALWAYS = (1 << A_WEEK) - 1
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
#: The API knows no 24:00.
_LAST_MINUTE = A_DAY - 1


class DailyWindow(NamedTuple):
    """
    The same hours on some days of the week.

    :ivar start: minutes after midnight, included.
    :ivar end: minutes after midnight, excluded.
    :ivar days: 1 = Monday to 7 = Sunday.
    """

    start: int
    end: int
    days: tuple[int, ...]

    @property
    def minutes(self) -> int:
        """For how many minutes a week it is open."""
        return (self.end - self.start) * len(self.days)


def minutes_of(hours: str) -> tuple[int, int]:
    """
    Read hours such as ``09:00-21:30``; the end may be ``24:00``.

    :return: minutes after midnight.
    :raises RulesError: they cannot be read, or do not end after their start.
    """
    found = _HOURS.fullmatch(hours)
    if found is None:
        raise RulesError(f"{hours!r} are not hours such as '09:00-21:00'")
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if not start < end <= A_DAY:
        raise RulesError(f"The hours {hours!r} must end after they start, at 24:00 at the latest")
    return start, end


def days_of(name: str) -> list[int]:
    """
    Read a day or a range of days, such as ``sun`` or ``mon-fri``.

    :return: 0 = Monday to 6 = Sunday.
    :raises RulesError: it cannot be read.
    """
    first, _, last = name.partition("-")
    if first not in DAY_NAMES or (last or first) not in DAY_NAMES:
        raise RulesError(f"{name!r} is not a day or a range of days such as 'mon-fri'")
    begin, end = DAY_NAMES.index(first), DAY_NAMES.index(last or first)
    if begin > end:
        raise RulesError(f"The range of days {name!r} must not cross the end of the week")
    return list(range(begin, end + 1))


def week_of(hours: Mapping[str, Sequence[str]]) -> int:
    """
    Return the minutes of a week in which hours allow calls.

    :param hours: hours for each day or range of days; on days that are not named there are none.
    :raises RulesError: a day or hours cannot be read, or a day is named twice.
    """
    week, named = 0, set[int]()
    for name, windows in hours.items():
        for day in days_of(name):
            if day in named:
                raise RulesError(f"The day {DAY_NAMES[day]!r} is named twice")
            named.add(day)
            for start, end in map(minutes_of, windows):
                week |= ((1 << (end - start)) - 1) << (day * A_DAY + start)
    return week


def every_day(start: int, end: int, days: Sequence[int] = (1, 2, 3, 4, 5, 6, 7)) -> int:
    """Return a week with the same hours on some days; 1 = Monday."""
    one = ((1 << (end - start)) - 1) << start
    return sum(one << ((day - 1) * A_DAY) for day in set(days))


def holds(week: int, minute: int) -> bool:
    """Tell whether a minute of the week is set."""
    return bool(week >> minute & 1)


def earlier(week: int, minutes: int) -> int:
    """Return the week with everything so many minutes earlier, across the end of the week too."""
    minutes %= A_WEEK
    return (week >> minutes) | (week << (A_WEEK - minutes) & ALWAYS)


def shrunk(week: int, margin: int) -> int:
    """Return the minutes that are set together with all minutes up to ``margin`` before and after them."""
    reach = 0
    while reach < margin:
        step = min(max(reach, 1), margin - reach)
        week &= earlier(week, step) & earlier(week, -step)
        reach += step
    return week


def best_window(week: int) -> DailyWindow | None:
    """
    Return the daily window with the most minutes in a week that lies wholly in ``week``: Truedy knows only one window
    for all days of a campaign. Of equals, that of more days, then the earlier one. ``None`` if there is none.
    """
    spans = {day: list(_spans(week >> ((day - 1) * A_DAY) & ((1 << A_DAY) - 1))) for day in range(1, 8)}
    every = [span for day in spans.values() for span in day]
    found = []
    for start, end in product({start for start, _ in every}, {end for _, end in every}):
        if start < end:
            days = tuple(day for day, each in spans.items() if any(a <= start and end <= b for a, b in each))
            found.append(DailyWindow(start, end, days))
    found = [window for window in found if window.days]
    return max(found, key=lambda each: (each.minutes, len(each.days), -each.start), default=None)


def _spans(day: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of every run of set minutes of one day."""
    at = 0
    while day >> at:
        start = at + _zeros(day >> at)
        end = start + _zeros(~(day >> start))
        yield start, min(end, _LAST_MINUTE)
        at = end


def _zeros(bits: int) -> int:
    """Return how many of the lowest bits are not set."""
    return (bits & -bits).bit_length() - 1


def clock_text(minute: int) -> str:
    """Write minutes after midnight as ``HH:MM``."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def days_text(days: Sequence[int]) -> str:
    """Write days for a person, e.g. ``Mon-Fri`` or ``Mon, Wed-Fri``."""
    parts: list[list[int]] = []
    for day in sorted(days):
        if parts and parts[-1][-1] == day - 1:
            parts[-1].append(day)
        else:
            parts.append([day])
    names = [name.capitalize() for name in DAY_NAMES]
    return ", ".join(names[each[0] - 1] + (f"-{names[each[-1] - 1]}" if len(each) > 1 else "") for each in parts)
