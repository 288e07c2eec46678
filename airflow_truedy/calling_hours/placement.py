"""
Rows to places and hours: what the contacts room asks for each row.

The same cells and the same area code always give the same answer, so it is worked out once and remembered.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_truedy.calling_hours.hours import PlaceHours, Window
from airflow_truedy.calling_hours.locate import Address, Locator, Place
from airflow_truedy.calling_hours.places import NORTH_AMERICA, Atlas, calling_country
from airflow_truedy.calling_hours.zones import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_truedy.calling_hours.policy import CallingHours

#: So many different answers are remembered; a list has far fewer, unless a column holds what it should not.
_MOST_REMEMBERED = 100_000
#: Zones count as one only if they show the same time for so many days: one that changes its rules stays by itself.
_ONE_CLOCK_FOR = 400
#: Length of ``+1`` and an area code.
_AREA_CODE_END = 5


class PlaceRefusal(str, Enum):
    """Why somebody cannot be placed. The value is a code for rejects files and manifests."""

    UNKNOWN_PLACE = "unknown_place"
    NO_CALLING_RULES = "no_calling_rules"
    NO_CALLING_HOURS = "no_calling_hours"


EXPLANATIONS: dict[PlaceRefusal, str] = {
    PlaceRefusal.UNKNOWN_PLACE: "it is unknown in which zone the person is",
    PlaceRefusal.NO_CALLING_RULES: "no rule says when people of this country may be called",
    PlaceRefusal.NO_CALLING_HOURS: "the rules and limits that apply leave no hour in which the person may be called",
}


class Placement(NamedTuple):
    """
    Where a person is and when he may be called.

    :ivar window: zone, hours and days for the batch call; people with the same window can be in one.
    :ivar place: where the person may be, and by what that was found.
    :ivar hours: the exact hours, and the dates on which the window is not allowed (``hours.blocked``).
    """

    window: Window
    place: Place
    hours: PlaceHours


#: What :meth:`Placer.place_contact` returns.
Placed = Placement | PlaceRefusal


class Placer:
    """
    Places people under one policy, for the days from today on.

    :param policy: the user's decisions.
    :param today: the first day on which somebody may be called.
    :raises RulesError: the rules cannot be read.
    :raises StaleRulesError: they are too old.
    """

    def __init__(self, policy: CallingHours, today: date) -> None:
        policy.check_age(today)
        self.policy = policy
        self.rules = policy.rule_set()
        self.span = Span(today, today + timedelta(days=policy.days_ahead))
        self._locator = Locator(Atlas(Span(today, today + timedelta(days=max(policy.days_ahead, _ONE_CLOCK_FOR)))))
        self._remembered: dict[tuple[str, ...], Placed] = {}
        self._hours: dict[tuple[object, ...], PlaceHours] = {}
        self._read = _reader(policy)

    def place_contact(self, row: Mapping[str, Any], number: str) -> Placed:
        """
        Return where a person is and when he may be called, or why that is not known.

        :param row: the row; only the columns that the policy names are read.
        :param number: the person's number in E.164.
        :raises MissingLibraryError: the policy names a column of ZIP codes, and ``zipcodes`` is not installed.
        """
        cells = self._read(row)
        key = (*cells, _origin(number))
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            found = self._remembered[key] = self._place(Address(*cells), number)
        return found

    def _place(self, address: Address, number: str) -> Placed:
        place = self._locator.place_of(address, number) or self.policy.place_if_unknown
        if place is None:
            return PlaceRefusal.UNKNOWN_PLACE
        hours = self.hours_of(place)
        if hours.uncovered:
            return PlaceRefusal.NO_CALLING_RULES
        return Placement(hours.window, place, hours) if hours.window else PlaceRefusal.NO_CALLING_HOURS

    def hours_of(self, place: Place) -> PlaceHours:
        """Return the hours of a place; those of all places with the same zones and rules are one object."""
        rules = tuple(rule.id for rule in self.rules.applying_to(place.jurisdictions, self.policy.kind))
        blackouts = tuple(each.concerns(place.jurisdictions) for each in self.policy.blackout)
        countries = frozenset(each.partition("-")[0] for each in place.jurisdictions)
        key = (place.zones, countries, rules, blackouts)
        found = self._hours.get(key)
        if found is None:
            found = PlaceHours(place.zones, place.jurisdictions, self.policy, self.rules, self.span)
            self._hours[key] = found
        return found


def _origin(number: str) -> str:
    """Return what of a number says where it is from: the area code, or the country."""
    if number.startswith("+1"):
        return number[:_AREA_CODE_END]
    country = calling_country(number) or ""
    return "" if country in NORTH_AMERICA else country


def _reader(policy: CallingHours) -> Callable[[Mapping[str, Any]], tuple[str, str, str, str]]:
    """Return the function that reads the cells of :class:`Address` from a row."""
    columns = policy.columns
    names = (columns.zone, columns.zip, columns.state, columns.country)
    if not any(names):
        return lambda row: ("", "", "", "")

    def read(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
        zone, code, state, country = (_text_of(row.get(name)) if name else "" for name in names)
        # Four more digits name a street; without them a million rows have few different ZIP codes.
        if len(code) == 10 and code[5] == "-" and code[6:].isdecimal():
            code = code[:5]
        return zone, code, state, country

    return read


def _text_of(value: Any) -> str:
    """Return a cell as text; nothing for what stands for no value."""
    if type(value) is str:
        return value.strip()
    if (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or type(value).__name__ in ("NaTType", "NAType")
    ):
        return ""
    return str(value).strip()
