"""
What can be known of a campaign's people by its zone alone: Truedy tells neither where they are nor its window.

In doubt rather more campaigns are meant. One limit stays: a part of a split list is named after one zone, and may hold
people of another one whose hours suit both.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_truedy.calling_hours.errors import RulesError, UnknownZoneError
from airflow_truedy.calling_hours.locate import Place
from airflow_truedy.calling_hours.placement import Placer
from airflow_truedy.calling_hours.places import Atlas
from airflow_truedy.calling_hours.zones import UTC, Span, country_of_zone, same_clock, zone_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from airflow_truedy.calling_hours.policy import CallingHours

_A_DAY = timedelta(days=1)
_WEST, _EAST = timedelta(hours=-12), timedelta(hours=14)
#: Zones whose clocks agree for so many days count as one.
_ONE_CLOCK_FOR = 400
#: Its clock does not matter where it stands for an unknown one.
_SOME_ZONE = "America/New_York"


def zones_on_the_clocks(zones: Collection[str], states: Collection[str], today: date) -> frozenset[str]:
    """
    Return one name for each clock of some zones and of the zones of some states; see :func:`clock_name`.

    :param states: such as ``US-FL``, of the US, Canada or Australia.
    :raises RulesError: there is no such state.
    :raises UnknownZoneError: a zone is not that of a place.
    """
    span = _span(today)
    atlas = Atlas(span)
    found = {same_clock(_checked(zone), span) for zone in zones}
    for state in states:
        region = atlas.of_state(state, [state[:2].upper()])
        if region is None or "-" not in state:
            raise RulesError(f"{state!r} is not a state or province such as 'US-FL' or 'CA-ON'")
        found |= region.zones
    return frozenset(found)


def clock_name(zone: str | None, today: date) -> str | None:
    """Return one name for all zones with the clock of a zone; ``None`` if it is unknown or not that of a place."""
    try:
        return same_clock(_checked(zone or ""), _span(today))
    except UnknownZoneError:
        return None


def _checked(zone: str) -> str:
    zone_of(zone)
    return zone


def _span(today: date) -> Span:
    return Span(today, today + _ONE_CLOCK_FOR * _A_DAY)


class ClosedDays:
    """
    Dates on which nobody may be called, by holidays of the rules and by blackouts, in the zone of a campaign.

    :param policy: the user's decisions.
    :param now: the present instant.
    :param jurisdictions: where the people of the campaigns may be, such as ``US-FL``. Default: anywhere in the zone's
        country, so that the holidays of all its states count.
    :raises CallingHoursError: the rules cannot be used, or are too old.
    """

    def __init__(self, policy: CallingHours, now: datetime, jurisdictions: Collection[str] = ()) -> None:
        self._placer = Placer(policy, now)
        self._jurisdictions = frozenset(jurisdictions)

    def first_between(self, zone: str | None, begin: datetime, end: datetime) -> date | None:
        """
        Return the first closed date of which a part lies between two instants, both included; ``None`` for none.

        :param zone: the campaign's. Of an unknown one it may be any date that it is somewhere, and any country's.
        """
        if clock_name(zone, begin.date()) is None:
            closed = self._dates(_SOME_ZONE, None)
            first, last = ((at.astimezone(UTC) + offset).date() for at, offset in ((begin, _WEST), (end, _EAST)))
        else:
            assert zone is not None
            closed = self._dates(zone, country_of_zone(zone))
            first, last = (at.astimezone(zone_of(zone)).date() for at in (begin, end))
        return min((day for day in closed if first <= day <= last), default=None)

    def _dates(self, zone: str, country: str | None) -> frozenset[date]:
        policy, rules = self._placer.policy, self._placer.rules.rules
        named = {rule.jurisdiction for rule in rules} | {each for one in policy.blackout for each in one.jurisdictions}
        anywhere = frozenset(each for each in named if country in (None, each.partition("-")[0]))
        place = Place(frozenset({zone}), self._jurisdictions or anywhere | {country or ""}, "the campaign's zone")
        return self._placer.hours_of(place).closed_dates()
