"""
Where a person is: states with their zones, area codes, ZIP and postal codes, countries of one clock, and what the row
and the number say of them. Several answers count together, and no answer is a refusal.

All but the ZIP codes is data of this package; they come from the package ``zipcodes``.
"""

from __future__ import annotations

import json
import re
from dataclasses import astuple, dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_truedy.calling_hours.errors import MissingLibraryError, UnknownZoneError
from airflow_truedy.calling_hours.zones import Span, country_of_zone, same_clock, zones_of_country
from airflow_truedy.extras import missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Countries of which the area code says where a number is from.
NORTH_AMERICA = ("US", "CA")
#: Of the United States, with ISO 3166 codes of their own: federal rules hold there.
_TERRITORIES = frozenset({"AS", "GU", "MP", "PR", "VI"})
#: Three characters for a district, three more for a street.
_POSTAL_CODE = re.compile(r"([ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z])(?:[ -]?[0-9][ABCEGHJ-NPRSTV-Z][0-9])?")
_LONG_ZIP = re.compile(r"(\d{5})-\d{4}").fullmatch
_AREA_CODE_END = len("+1212")
#: More than there are ZIP codes; of a list with more of them the rest is read each time.
_MOST_ADDRESSES = 50_000


@dataclass(frozen=True)
class PlaceColumns:
    """
    Columns that say where a person is. A row need not fill them; the area code counts where none of them is filled.

    :param zone: column of an IANA zone such as ``America/Chicago``.
    :param zip: column of US ZIP codes and Canadian postal codes, as text (``02138``, ``K1A 0B1``): a number lost its
        zero, so it is not read. Needs the package ``zipcodes``.
    :param state: column of states or provinces of the US, Canada or Australia: code or English name.
    :param country: column of ISO 3166 codes of two letters. Default: the country of the number.
    """

    zone: str | None = None
    zip: str | None = None
    state: str | None = None
    country: str | None = None

    def named(self) -> set[str]:
        """Return every column that it names."""
        return {name for name in astuple(self) if name is not None}

    def renamed(self, names: Mapping[str, str]) -> PlaceColumns:
        """Return the same for rows whose columns are named otherwise, by old and new name."""
        return PlaceColumns(*[name if name is None else names.get(name, name) for name in astuple(self)])


class Address(NamedTuple):
    """The cells of a row that say where a person is, as text without blanks around it; empty if they say nothing."""

    zone: str = ""
    zip: str = ""
    state: str = ""
    country: str = ""


class Place(NamedTuple):
    """
    Where a person may be.

    :ivar zones: every zone the person may be in; zones with one clock have one name.
    :ivar jurisdictions: countries and states whose rules count, e.g. ``US`` and ``US-FL``.
    :ivar because: what it was found by, for a person to read.
    """

    zones: frozenset[str]
    jurisdictions: frozenset[str]
    because: str


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


class Clue(NamedTuple):
    """
    One thing that says where a person is.

    :ivar region: where that may be.
    :ivar by: what says so, for a person to read.
    """

    region: Region
    by: str


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
        self._countries: dict[str, Region] = {}
        self._zip_codes: dict[tuple[str, str], Region | None] = {}

    def of_zone(self, text: str) -> Region | None:
        """Return the region of a zone's name; ``None`` if it is not the zone of a place."""
        try:
            clocks = self.clocks([text])
        except UnknownZoneError:
            return None
        country = country_of_zone(text)
        if country is None:
            return None
        known = self.of_country(country) if country in _TERRITORIES else None
        return (known or Region(country))._replace(zones=clocks)

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
        pair = _zip_codes().get(short_zip(text))
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
        found = next(table[part] for part in (district, district[:2], district[:1]) if part in table)
        states = [self._states["CA"][state.casefold()] for state in found["states"]]
        zones = self.clocks(found.get("zones", ())) or frozenset().union(*(state.zones for state in states))
        return Region("CA", frozenset(found["states"]), zones)

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


class Locator:
    """
    Finds out where people are.

    :param atlas: what is known of places.
    """

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas
        self._read_before: dict[tuple[Address, tuple[str, ...]], tuple[Clue, ...] | None] = {}
        self._clues_of_numbers: dict[str, tuple[Clue, ...]] = {}

    def place_by(self, clues: tuple[Clue, ...]) -> Place | None:
        """
        Return where a person may be.

        The first clue gives the zones; each other one that contradicts it adds its own. All their states count.

        :return: ``None`` if it is unknown.
        """
        zones = _all_that_count([clue.region for clue in clues])
        return Place(zones, self._jurisdictions(clues), self._in_words(clues)) if zones else None

    def clues(self, address: Address, number: str) -> tuple[Clue, ...]:
        """
        Return what says where a person is: zone, ZIP code, state, country, number; none if cells are filled and none
        can be read.

        :param number: E.164.
        """
        by_number = self._clues_of_number(number)
        if not any(address):
            return by_number
        country = by_number[0].region.country if by_number else "US"
        # The US and Canada share their numbers.
        countries = NORTH_AMERICA if country in NORTH_AMERICA else (country,)
        known = (address, countries)
        if known in self._read_before:
            found = self._read_before[known]
        else:
            found = self._read(address, countries)
            if len(self._read_before) < _MOST_ADDRESSES:
                self._read_before[known] = found
        return found + by_number if found is not None else ()

    def _clues_of_number(self, number: str) -> tuple[Clue, ...]:
        # Of a North American number the area code says it all.
        known = number[:_AREA_CODE_END] if number.startswith("+1") else ""
        found = self._clues_of_numbers.get(known) if known else None
        if found is None:
            region = self._atlas.of_area_code(number[2:5]) if known else None
            country = calling_country(number)
            # A number of the US or Canada whose area code nobody knows may be anywhere.
            if region is None and country and country not in NORTH_AMERICA:
                region = self._atlas.of_country(country)
            by = "area code" if region and region.states else "country of the number"
            found = (Clue(region, by),) if region else ()
            if known:
                self._clues_of_numbers[known] = found
        return found

    def _read(self, address: Address, countries: tuple[str, ...]) -> tuple[Clue, ...] | None:
        """Read the cells, the most exact one first; ``None`` if they are filled and nothing can be read in them."""
        zone, code, state, country = address
        atlas, found = self._atlas, []
        by_country = atlas.of_country(country.upper()) if country else None
        if country and by_country is None:
            return None
        countries = (by_country.country,) if by_country else countries
        if zone and (region := atlas.of_zone(zone)):
            found.append(Clue(region, "zone column"))
        if "US" not in countries and "CA" not in countries:
            code = ""  # that of another country
        elif code[:1].isdecimal():
            if "US" in countries and (region := atlas.of_zip(code)):
                found.append(Clue(region, "ZIP code"))
        elif "CA" in countries and (region := atlas.of_postal_code(code)):
            found.append(Clue(region, "postal code"))
        if state and (region := atlas.of_state(state, countries)):
            found.append(Clue(region, "state column"))
        if (zone or code or state) and not found:
            return None
        if by_country:
            found.append(Clue(by_country, "country column"))
        return tuple(found)

    def _jurisdictions(self, clues: tuple[Clue, ...]) -> frozenset[str]:
        """Every country and state that a clue names; all states on the clock of a clue that names none."""
        found = {clue.region.country for clue in clues}
        named = [clue.region for clue in clues if clue.region.states]
        for region in named:
            found |= region.states
        for region, _ in clues:
            explained = any(each.country == region.country and each.zones & region.zones for each in named)
            if not region.states and region.zones and not explained:
                found |= self._atlas.states_on(region.country, region.zones)
        return frozenset(found)

    def _in_words(self, clues: tuple[Clue, ...]) -> str:
        return "; ".join(
            f"{', '.join(sorted(map(self._atlas.name_of, clue.region.states))) or clue.region.country} by {clue.by}"
            for clue in clues
        )


def _all_that_count(regions: list[Region]) -> frozenset[str] | None:
    """Unite the zones of the first region with those of each that contradicts; ``None`` if one of them is not known."""
    zones: frozenset[str] = frozenset()
    for region in regions:
        if region.zones:
            if not zones & region.zones:
                zones |= region.zones
        elif not any(other.country == region.country and other.zones for other in regions):
            return None
    return zones or None


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


def short_zip(text: str) -> str:
    """Return a ZIP code without its four more digits, which nobody knows a zone of; any other text as it is."""
    found = _LONG_ZIP(text)
    return found[1] if found else text


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
