"""
What is known of places: states and provinces with their zones, area codes, ZIP codes and Canadian postal codes,
countries with one clock.

All but the ZIP codes is data of this package; they come from the package ``zipcodes``.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_truedy.calling_hours.errors import MissingLibraryError, UnknownZoneError
from airflow_truedy.calling_hours.zones import Span, country_of_zone, same_clock, zone_of, zones_of_country
from airflow_truedy.extras import missing

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Countries of which the area code says where a number is from.
NORTH_AMERICA = ("US", "CA")
#: Of the United States, with ISO 3166 codes of their own: federal rules hold there.
_TERRITORIES = frozenset({"AS", "GU", "MP", "PR", "VI"})
_LONG_ZIP = len("12345-6789")
#: Three characters for a district, three more for a street.
_POSTAL_CODE = re.compile(r"([ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z])(?:[ -]?[0-9][ABCEGHJ-NPRSTV-Z][0-9])?")


class Region(NamedTuple):
    """
    Where somebody may be, by one piece of evidence.

    :ivar country: ISO 3166 code.
    :ivar states: jurisdictions such as ``US-FL``; none if only the country is known.
    :ivar zones: every zone it may be; none if that is not known.
    """

    country: str
    states: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()


class Atlas:
    """
    Everything that is known of places, with one name for all zones that show the same time during a span of days.

    :param span: the days.
    """

    def __init__(self, span: Span) -> None:
        self.span = span
        self._names: dict[str, str] = {}
        self._states: dict[str, dict[str, Region]] = {}
        for country, states in _table("places").items():
            known = self._states[country] = {}
            for code, (name, *zones) in states.items():
                state = f"{country}-{code}"
                self._names[state] = name
                region = Region(country, frozenset({state}), self.clocks(zones))
                known.update({text.casefold(): region for text in (code, name, state)})
        self._area_codes = {
            code: Region(found["states"][0][:2], frozenset(found["states"]), self.clocks(found["zones"]))
            for code, found in _table("area_codes").items()
        }
        self._zones: dict[str, Region] = {}
        self._countries: dict[str, Region] = {}
        self._zip_codes: dict[tuple[str, str], Region | None] = {}
        self._districts: dict[str, Region] = {}

    def of_zone(self, text: str) -> Region | None:
        """Return the region of a zone's name; ``None`` if it is not the zone of a place."""
        found = self._zones.get(text)
        if found is None:
            try:
                zone_of(text)
            except UnknownZoneError:
                return None
            country = country_of_zone(text)
            if country:
                known = self.of_country(country) if country in _TERRITORIES else None
                found = (known or Region(country))._replace(zones=self.clocks([text]))
                self._zones[text] = found
        return found

    def of_state(self, text: str, countries: Iterable[str]) -> Region | None:
        """
        Return the region of a state or province.

        :param text: its code or its English name.
        :param countries: in which countries to look; the first that has it.
        """
        wanted = text.casefold()
        for country in countries:
            if found := self._states.get(country, {}).get(wanted):
                return found
        return None

    def of_zip(self, text: str) -> Region | None:
        """
        Return the region of a ZIP code of five digits, with or without four more.

        :return: ``None`` if there is no such ZIP code, or nobody knows where it is (armed forces, outlying islands).
        :raises MissingLibraryError: the package ``zipcodes`` is not installed.
        """
        if len(text) == _LONG_ZIP and text[5] == "-" and text[6:].isdecimal():
            text = text[:5]
        pair = _zip_codes().get(text)
        if pair is None:
            return None
        if pair not in self._zip_codes:
            state, zone = pair
            found = self.of_state(state, ("US",))
            exact = self.of_zone(zone) if found else None
            self._zip_codes[pair] = found._replace(zones=exact.zones) if found and exact else found
        return self._zip_codes[pair]

    def of_postal_code(self, text: str) -> Region | None:
        """
        Return the region of a Canadian postal code such as ``K1A 0B1``, or of its first three characters.

        :return: ``None`` if it does not have this form.
        """
        written = _POSTAL_CODE.fullmatch(text.upper())
        if written is None:
            return None
        district, table = written[1], _table("postal_codes")
        if district not in self._districts:
            found = next(table[part] for part in (district, district[:2], district[:1]) if part in table)
            states = [self._states["CA"][state.casefold()] for state in found["states"]]
            zones = self.clocks(found.get("zones", ())) or frozenset().union(*(state.zones for state in states))
            self._districts[district] = Region("CA", frozenset(found["states"]), zones)
        return self._districts[district]

    def of_country(self, code: str) -> Region | None:
        """
        Return the region of a country, with its zones if all of them have one clock; ``None`` if there is none.

        :param code: ISO 3166; that of a territory of the United States is a state there.
        """
        if code in _TERRITORIES:
            return self.of_state(code, ("US",))
        if code not in self._countries and (names := zones_of_country(code)):
            clocks = self.clocks(names)
            self._countries[code] = Region(code, zones=clocks if len(clocks) == 1 else frozenset())
        return self._countries.get(code)

    def of_area_code(self, code: str) -> Region | None:
        """Return the region of an area code of the United States or Canada; ``None`` for any other."""
        return self._area_codes.get(code)

    def states_on(self, country: str, clocks: frozenset[str]) -> frozenset[str]:
        """Return all states of a country in which one of some clocks may be the local one."""
        regions = self._states.get(country, {}).values()
        return frozenset(state for region in regions if clocks & region.zones for state in region.states)

    def name_of(self, jurisdiction: str) -> str:
        """Return the English name of a state, or the code of a country."""
        return self._names.get(jurisdiction, jurisdiction)

    def clocks(self, zones: Iterable[str]) -> frozenset[str]:
        """Return one name for each clock that some zones have."""
        return frozenset(same_clock(zone, self.span) for zone in zones)


@cache
def _table(name: str) -> dict[str, Any]:
    folder = files("airflow_truedy.calling_hours") / "data"
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@cache
def _zip_codes() -> dict[str, tuple[str, str]]:
    """Return state and zone of every ZIP code; the package itself would search through all of them each time."""
    try:
        library = import_module("zipcodes")
    except ImportError:
        raise MissingLibraryError(missing("A column of ZIP codes", "zipcodes")) from None
    pairs: dict[tuple[str, str], tuple[str, str]] = {}
    return {
        each["zip_code"]: pairs.setdefault(pair := (each["state"], each["timezone"]), pair)
        for each in library.list_all()
    }


def calling_country(number: str) -> str | None:
    """
    Return the country of an E.164 number by its country code and, where several countries share one, by what follows.

    :return: an ISO 3166 code; ``None`` for a number of no country (satellite) or one that does not exist.
    """
    single = _single_countries()
    for digits in (2, 3, 4):
        if country := single.get(number[1:digits]):
            return country
    import phonenumbers

    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None
    return region if region != "001" else None


@cache
def _single_countries() -> dict[str, str]:
    """Return the country of every country code that only one country has."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    codes = COUNTRY_CODE_TO_REGION_CODE.items()
    return {str(code): regions[0] for code, regions in codes if len(regions) == 1 and regions[0] != "001"}
