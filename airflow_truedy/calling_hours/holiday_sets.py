"""
Sets of holidays, and on which dates they fall.

A set of the rule files says its days in a small notation, so that it needs no library and can be corrected by a user;
a set ``holidays:US-AL`` is taken from the package ``holidays`` instead, if that is installed. Where a holiday moves
because it falls on a weekend, both the day itself and the one it moves to count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_truedy.calling_hours.errors import MissingLibraryError, RulesError
from airflow_truedy.calling_hours.weekly import DAY_NAMES
from airflow_truedy.extras import missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_A_DAY = timedelta(days=1)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIXED = re.compile(rf"({'|'.join(_MONTHS)}) (\d\d?)")
_NTH = re.compile(rf"(1st|2nd|3rd|4th|last) ({'|'.join(DAY_NAMES)}) ({'|'.join(_MONTHS)})(?: ([+-]\d+))?")
_EASTER = re.compile(r"easter(?: ([+-]\d+))?")
_NTHS = {"1st": 0, "2nd": 1, "3rd": 2, "4th": 3}
#: Where to a holiday on a weekend moves: weekday it falls on -> days later.
_OBSERVED: dict[str, dict[int, tuple[int, ...]]] = {
    "nearest": {5: (-1,), 6: (1,)},
    "monday": {5: (2,), 6: (1,)},
    "monday-tuesday": {5: (2, 3), 6: (1, 2)},
}
_LIBRARY = "holidays:"


@dataclass(frozen=True)
class Holiday:
    """
    One holiday of a set.

    :param on: ``jul 4``, ``4th thu nov``, ``last mon may``, ``1st mon nov +1`` (days later), ``easter -2``, or
        one date, ``2026-11-25``.
    :param name: its name.
    :param observed: where it moves when it falls on a weekend: ``nearest`` (Friday before or Monday after),
        ``monday``, ``monday-tuesday`` (both count). Default: nowhere.
    :raises RulesError: one of these cannot be read.
    """

    on: str
    name: str
    observed: str | None = None

    def __post_init__(self) -> None:
        if self.observed is not None and self.observed not in _OBSERVED:
            raise RulesError(f"observed={self.observed!r} of {self.name!r} is none of {sorted(_OBSERVED)}")
        self.dates(2028)

    def dates(self, year: int) -> list[date]:
        """Return the dates on which it is kept because of its date in a year; some may lie in the next or last year."""
        day = _date_of(self.on, year)
        if day is None:
            return []
        moved = _OBSERVED[self.observed].get(day.weekday(), ()) if self.observed else ()
        return [day, *(day + each * _A_DAY for each in moved)]


@dataclass(frozen=True)
class HolidaySet:
    """A named set: holidays of its own, and those of other sets."""

    name: str
    of: tuple[str, ...] = ()
    days: tuple[Holiday, ...] = ()

    @classmethod
    def from_dict(cls, name: str, value: Mapping[str, Any]) -> HolidaySet:
        """
        Read a set from a rule file.

        :raises RulesError: it cannot be read.
        """
        try:
            days = tuple(Holiday(**each) for each in value.get("days", ()))
        except TypeError as error:
            raise RulesError(f"The holiday set {name!r} cannot be read: {error}") from None
        return cls(name, tuple(value.get("of", ())), days)


class HolidayBook:
    """
    All sets that are known by name.

    :param sets: the sets of rule files.
    :raises RulesError: a set refers to one that is unknown, or to itself.
    """

    def __init__(self, sets: Iterable[HolidaySet]) -> None:
        self._sets = {each.name: each for each in sets}
        for name in self._sets:
            self._members(name, ())

    def dates(self, name: str, year: int) -> dict[date, str]:
        """
        Return the dates of a set that fall into a year, with their names.

        :param name: of a set of the rule files, or e.g. ``holidays:US-AL`` for the package ``holidays``.
        :raises RulesError: there is no such set.
        :raises MissingLibraryError: it needs the package ``holidays``.
        """
        if name.startswith(_LIBRARY):
            return _dates_of_library(name.removeprefix(_LIBRARY), year)
        found = {
            day: each.name
            for each in self._members(name, ())
            for near in (year - 1, year, year + 1)
            for day in each.dates(near)
            if day.year == year
        }
        return dict(sorted(found.items()))

    def _members(self, name: str, within: tuple[str, ...]) -> list[Holiday]:
        if name in within:
            raise RulesError(f"The holiday set {name!r} contains itself")
        known = self._sets.get(name)
        if known is None:
            raise RulesError(f"There is no holiday set {name!r}; there are {sorted(self._sets)} and 'holidays:US-AL'")
        others = [day for other in known.of for day in self._members(other, (*within, name))]
        return [*others, *known.days]


def _date_of(on: str, year: int) -> date | None:
    """Return the date that a notation means in a year; ``None`` for one date in another year."""
    try:
        if fixed := _FIXED.fullmatch(on):
            return date(year, _MONTHS.index(fixed[1]) + 1, int(fixed[2]))
        if nth := _NTH.fullmatch(on):
            day = _nth_weekday(nth[1], DAY_NAMES.index(nth[2]), _MONTHS.index(nth[3]) + 1, year)
            return day + int(nth[4] or 0) * _A_DAY
        if found := _EASTER.fullmatch(on):
            return easter(year) + int(found[1] or 0) * _A_DAY
        only = date.fromisoformat(on)
    except ValueError:
        raise RulesError(f"{on!r} is not a holiday such as 'jul 4', '4th thu nov', 'easter -2' or a date") from None
    return only if only.year == year else None


def _nth_weekday(which: str, weekday: int, month: int, year: int) -> date:
    if which == "last":
        following = date(year + month // 12, month % 12 + 1, 1)
        return following - (1 + (following.weekday() - 1 - weekday) % 7) * _A_DAY
    first = date(year, month, 1)
    return first + ((weekday - first.weekday()) % 7 + 7 * _NTHS[which]) * _A_DAY


@cache
def easter(year: int) -> date:
    """Return Easter Sunday of the western churches."""
    century, golden = year // 100, year % 19
    moon = (century - century // 4 - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    moon -= moon // 28 * (1 - moon // 28 * (29 // (moon + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + moon + 2 - century + century // 4) % 7
    offset = moon - weekday
    month = 3 + (offset + 40) // 44
    return date(year, month, offset + 28 - 31 * (month // 4))


@cache
def _dates_of_library(place: str, year: int) -> dict[date, str]:
    try:
        library = import_module("holidays")
    except ImportError:
        raise MissingLibraryError(
            f"{missing(f'The holiday set {place!r} of the package holidays', 'holidays')}, on Python 3.11 or later"
        ) from None
    country, _, part = place.partition("-")
    try:
        return dict(library.country_holidays(country, subdiv=part or None, years=year))
    except NotImplementedError:
        raise RulesError(f"The package holidays knows no {place!r}; write such as 'holidays:US-AL'") from None
