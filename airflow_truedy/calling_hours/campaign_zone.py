"""
What can be known of a campaign's people by its zone alone: Truedy tells neither where they are nor its window.

In doubt rather more campaigns are meant. One limit stays: a part of a split list is named after one zone, and may hold
people of another one whose hours suit both.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_truedy.calling_hours.errors import RulesError, UnknownZoneError
from airflow_truedy.calling_hours.placement import Placer
from airflow_truedy.calling_hours.places import Atlas, Place
from airflow_truedy.calling_hours.zones import UTC, Span, same_clock, zone_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from airflow_truedy.calling_hours.policy import CallingHours

_A_DAY = timedelta(days=1)
_WEST, _EAST = timedelta(hours=-12), timedelta(hours=14)
#: Zones whose clocks agree for so many days count as one.
_ONE_CLOCK_FOR = 400
#: Whose holidays are asked for; they are dates, so its clock does not matter.
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
    found = {same_clock(zone, span) for zone in zones}
    for state in states:
        region = atlas.of_state(state, [state[:2].upper()])
        if region is None or "-" not in state:
            raise RulesError(f"{state!r} is not a state or province such as 'US-FL' or 'CA-ON'")
        found |= region.zones
    return frozenset(found)


def clock_name(zone: str | None, today: date) -> str | None:
    """Return one name for all zones with the clock of a zone; ``None`` if it is unknown or not that of a place."""
    try:
        return same_clock(zone or "", _span(today))
    except UnknownZoneError:
        return None


def _span(today: date) -> Span:
    return Span(today, today + _ONE_CLOCK_FOR * _A_DAY)


class ClosedDays:
    """
    Dates on which nobody may be called, by holidays of the rules and by blackouts.

    :param policy: the user's decisions.
    :param now: the present instant.
    :param jurisdictions: where the people of the campaigns may be: a country with all its states (``US``), or one of
        them (``US-FL``). Default: anywhere, because a campaign's zone does not tell where its people are, so that the
        holidays of all rules count.
    :raises CallingHoursError: the rules cannot be used, or are too old.
    """

    def __init__(self, policy: CallingHours, now: datetime, jurisdictions: Collection[str] = ()) -> None:
        placer = Placer(policy, now)
        known = {rule.jurisdiction for rule in placer.rules.rules}
        known.update(each for blackout in policy.blackout for each in blackout.jurisdictions)
        wanted = known if not jurisdictions else {each for each in known if _may_be(each, jurisdictions)}
        place = Place(frozenset({_SOME_ZONE}), frozenset({*wanted, *jurisdictions}), "stated")
        self._dates = placer.hours_of(place).closed_dates()

    def first_between(self, zone: str | None, begin: datetime, end: datetime) -> date | None:
        """
        Return the first closed date of which a part lies between two instants, both included; ``None`` for none.

        :param zone: the campaign's; in an unknown one it may be any date that it is somewhere.
        """
        if zone is None or clock_name(zone, begin.date()) is None:
            first, last = ((at.astimezone(UTC) + offset).date() for at, offset in ((begin, _WEST), (end, _EAST)))
        else:
            first, last = (at.astimezone(zone_of(zone)).date() for at in (begin, end))
        return min((day for day in self._dates if first <= day <= last), default=None)


def _may_be(jurisdiction: str, stated: Collection[str]) -> bool:
    """Tell whether the rules of a jurisdiction may count for somebody who is in one of those that are stated."""
    country = jurisdiction.partition("-")[0]
    return jurisdiction in stated or country in stated or any(each.startswith(f"{jurisdiction}-") for each in stated)
