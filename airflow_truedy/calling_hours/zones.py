"""Zones of places, and which of them show the same time."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from airflow_truedy.calling_hours.errors import UnknownZoneError
from airflow_truedy.zone_data import newest_zone, package_file, system_zone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

UTC = timezone.utc
_A_DAY = timedelta(days=1)
_A_MINUTE = timedelta(minutes=1)
#: ``EST``, ``UTC``, ``Etc/GMT+5`` and the like are clocks, but nobody lives there.
_is_place = re.compile(r"(?!Etc/|SystemV/|posix/|right/)[A-Z][A-Za-z_]+(/[A-Za-z][A-Za-z0-9_+-]*){1,2}").fullmatch
#: Zones that many people live in, or that never change their clock: the first of these represents all with its clock.
PREFERRED = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Adak",
    "America/Puerto_Rico",
    "America/Halifax",
    "America/St_Johns",
    "America/Regina",
    "America/Panama",
    "Pacific/Guam",
    "Pacific/Pago_Pago",
    "Australia/Sydney",
    "Australia/Brisbane",
    "Australia/Adelaide",
    "Australia/Darwin",
    "Australia/Perth",
    "Europe/Paris",
)


class Span(NamedTuple):
    """The days from ``first`` to ``last``, both included, for which something holds."""

    first: date
    last: date

    @classmethod
    def of(cls, text: str) -> Span:
        """
        Read a date, or the first and the last one: ``2026-12-24``, ``2026-12-24/2027-01-02``.

        :raises ValueError: it cannot be read.
        """
        first, _, last = text.partition("/")
        return cls(date.fromisoformat(first), date.fromisoformat(last or first))

    def days(self) -> list[date]:
        """Return every day."""
        return [self.first + offset * _A_DAY for offset in range((self.last - self.first).days + 1)]


def zone_of(name: str) -> ZoneInfo:
    """
    Return the zone of a place by the newest database.

    :param name: IANA name such as ``America/New_York``; a name of older databases such as ``US/Eastern`` is taken too.
    :raises UnknownZoneError: there is no such zone, or it is the zone of no place, such as ``UTC`` or ``EST``.
    """
    found = newest_zone(name) if _is_place(name) else None
    if found is None:
        raise UnknownZoneError(f"{name!r} is not the IANA zone of a place, such as 'America/New_York'")
    return found


def offset_at(instant: datetime, zone: ZoneInfo) -> int:
    """Return by how many minutes the wall clock of a zone is before UTC at an instant."""
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return round(offset / _A_MINUTE)


def noon(day: date) -> datetime:
    """Return noon of a day in UTC."""
    return datetime.combine(day, time(12), UTC)


@cache
def clock_of(name: str, span: Span) -> tuple[tuple[datetime, int], ...]:
    """
    Describe the clock of a zone during a span of days: each instant from which on an offset holds, and the offset.

    Zones of which this is equal show the same time at every instant of the span.
    """
    return _clock(zone_of(name), span)


def _clock(zone: ZoneInfo, span: Span) -> tuple[tuple[datetime, int], ...]:
    before = noon(span.first - 2 * _A_DAY)
    found = [(before, offset_at(before, zone))]
    for day in Span(span.first - _A_DAY, span.last + 2 * _A_DAY).days():
        instant = noon(day)
        if offset_at(instant, zone) != found[-1][1]:
            found.append(_change(before, instant, zone))
        before = instant
    return tuple(found)


def _change(low: datetime, high: datetime, zone: ZoneInfo) -> tuple[datetime, int]:
    """Find the minute at which the offset changes between two instants."""
    old = offset_at(low, zone)
    while high - low > _A_MINUTE:
        middle = low + (high - low) // (2 * _A_MINUTE) * _A_MINUTE
        low, high = (middle, high) if offset_at(middle, zone) == old else (low, middle)
    return high, offset_at(high, zone)


@cache
def distances(name: str, other: str, span: Span) -> frozenset[int]:
    """Return by how many minutes the clock of a zone is before that of another one on the days of a span."""
    zone, reference = zone_of(name), zone_of(other)
    return frozenset(offset_at(noon(day), zone) - offset_at(noon(day), reference) for day in span.days())


@cache
def same_clock(name: str, span: Span) -> str:
    """
    Return the zone that represents all zones with the clock of this one during a span.

    One about which an older database of the system agrees is preferred, since nobody knows which one Truedy uses.

    :raises UnknownZoneError: it is not the zone of a place.
    """
    zone_of(name)  # before the links: EST is one, to a place that is not meant
    name = _links().get(name, name)
    clock, area = clock_of(name, span), _area(name)
    alike = [each for each in PREFERRED if _area(each) == area and clock_of(each, span) == clock]
    certain = [each for each in alike if _is_undisputed(each, span)]
    return next(iter(certain or alike), name)


def _area(name: str) -> str:
    """Return the first part of a zone's name: nobody in Brisbane is to read the name of Guam."""
    area = name.partition("/")[0]
    return "Australia" if area == "Antarctica" else area


@cache
def _is_undisputed(name: str, span: Span) -> bool:
    zone = system_zone(name)
    return zone is None or _clock(zone, span) == clock_of(name, span)


def rank(name: str) -> tuple[int, str]:
    """Return the order of zones: the preferred ones first, then by name."""
    return (PREFERRED.index(name) if name in PREFERRED else len(PREFERRED), name)


def zones_of_country(code: str) -> tuple[str, ...]:
    """Return the zones of a country by its ISO 3166 code; none if there is no such country."""
    return tuple(zone for zone, country in _countries().items() if country == code)


@cache
def country_of_zone(name: str) -> str | None:
    """Return the ISO 3166 code of the country that a zone lies in; ``None`` if the database does not say."""
    countries = _countries()
    return countries.get(name) or countries.get(_links().get(name, ""))


@cache
def _countries() -> dict[str, str]:
    lines = package_file("zone.tab").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {row[2]: row[0] for row in rows}


@cache
def _links() -> dict[str, str]:
    lines = package_file("tzdata.zi").read_text(encoding="utf-8").splitlines()
    return {line.split()[2]: line.split()[1] for line in lines if line.startswith("L ")}
