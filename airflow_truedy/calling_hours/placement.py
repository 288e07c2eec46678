"""
Rows to places and hours: what the contacts room asks for each row.

A list of any length says where people are in a few thousand ways (state, zone and area code, not street), and each is
worked out once and remembered.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_truedy.calling_hours.place_hours import PlaceHours, Window
from airflow_truedy.calling_hours.places import Address, Atlas, Clue, Locator, Place, short_zip
from airflow_truedy.calling_hours.zones import UTC, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_truedy.calling_hours.policy import CallingHours

_FARTHEST_WEST = timedelta(hours=12)
#: Zones count as one only if they show the same time for so many days: one that changes its rules stays by itself.
_ONE_CLOCK_FOR = 400


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
    Places people under one policy, for the days from an instant on.

    :param policy: the user's decisions.
    :param now: the instant, which has a zone.
    :raises RulesError: the rules cannot be read.
    :raises StaleRulesError: they are too old.
    """

    def __init__(self, policy: CallingHours, now: datetime) -> None:
        # The date where it is earliest: somebody's today is not left out.
        today = (now.astimezone(UTC) - _FARTHEST_WEST).date()
        policy.check_age(today)
        self.policy = policy
        self.rules = policy.rule_set()
        self.span = Span(today, today + timedelta(days=policy.days_ahead))
        self._locator = Locator(Atlas(Span(today, today + timedelta(days=max(policy.days_ahead, _ONE_CLOCK_FOR)))))
        self._remembered: dict[tuple[Clue, ...], Placed] = {}
        self._hours: dict[tuple[object, ...], PlaceHours] = {}
        self._read = _reader(policy)

    def place_contact(self, row: Mapping[str, Any], number: str) -> Placed:
        """
        Return where a person is and when he may be called, or why that is not known.

        :param row: the row; only the columns that the policy names are read.
        :param number: the person's number in E.164.
        :raises MissingLibraryError: the policy names a column of ZIP codes, and ``zipcodes`` is not installed.
        """
        clues = self._locator.clues(self._read(row), number)
        found = self._remembered.get(clues)
        if found is None:
            found = self._remembered[clues] = self._place(clues)
        return found

    def _place(self, clues: tuple[Clue, ...]) -> Placed:
        place = self._locator.place_by(clues) or self.policy.place_if_unknown
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
        if key not in self._hours:
            self._hours[key] = PlaceHours(place.zones, place.jurisdictions, self.policy, self.rules, self.span)
        return self._hours[key]


def _reader(policy: CallingHours) -> Callable[[Mapping[str, Any]], Address]:
    """Return the function that reads the cells of an address from a row."""
    columns = policy.columns
    zone, code, state, country = columns.zone, columns.zip, columns.state, columns.country
    if not columns.named():
        nothing = Address()
        return lambda row: nothing

    def read(row: Mapping[str, Any]) -> Address:
        return Address(
            _text_of(row.get(zone)) if zone else "",
            short_zip(_text_of(row.get(code))) if code else "",
            _text_of(row.get(state)) if state else "",
            _text_of(row.get(country)) if country else "",
        )

    return read


def _text_of(value: Any) -> str:
    """Return a cell as text; nothing for what means no value."""
    if type(value) is str:
        return value.strip()
    if (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or type(value).__name__ in ("NaTType", "NAType")
    ):
        return ""
    return str(value).strip()
