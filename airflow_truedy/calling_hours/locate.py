"""Where a person is, by what the row and the number say; several answers count together, and no answer is a refusal."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, NamedTuple

from airflow_truedy.calling_hours.places import NORTH_AMERICA, Atlas, Region, calling_country

if TYPE_CHECKING:
    from collections.abc import Mapping


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


class Clue(NamedTuple):
    """
    One thing that says where a person is.

    :ivar region: where that may be.
    :ivar by: what says so, for a person to read.
    """

    region: Region
    by: str


_AREA_CODE_END = len("+1212")
#: More than there are ZIP codes; of a list with more of them the rest is read each time.
_MOST_ADDRESSES = 50_000


class Locator:
    """
    Finds out where people are.

    :param atlas: what is known of places.
    """

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas
        self._read_before: dict[tuple[Address, str], tuple[Clue, ...] | None] = {}
        self._clues_of_numbers: dict[str, tuple[Clue, ...]] = {}

    def place_of(self, address: Address, number: str) -> Place | None:
        """
        Return where a person may be.

        The first of zone, ZIP code, state, country and number that says something gives the zones; each other one that
        contradicts it adds its own. All their states count.

        :param number: E.164.
        :return: ``None`` if it is unknown, or if the cells are filled and none of them can be read.
        """
        clues = self.clues(address, number)
        return self.place_by(clues) if clues else None

    def place_by(self, clues: tuple[Clue, ...]) -> Place | None:
        """Return the place that clues lead to; ``None`` if it stays unknown. The same clues lead to the same place."""
        zones = _all_that_count([clue.region for clue in clues])
        return Place(zones, self._jurisdictions(clues), self._in_words(clues)) if zones else None

    def clues(self, address: Address, number: str) -> tuple[Clue, ...]:
        """Return what says where a person is, the most exact first; none if cells are filled and none can be read."""
        by_number = self._clues_of_number(number)
        if not any(address):
            return by_number
        country = by_number[0].region.country if by_number else ""
        known = (address, country)
        if known in self._read_before:
            found = self._read_before[known]
        else:
            found = self._read(address, country)
            if len(self._read_before) < _MOST_ADDRESSES:
                self._read_before[known] = found
        return found + by_number if found is not None else ()

    def _clues_of_number(self, number: str) -> tuple[Clue, ...]:
        # Of a North American number the area code says it all.
        known = number[:_AREA_CODE_END] if number.startswith("+1") else ""
        found = self._clues_of_numbers.get(known) if known else None
        if found is None:
            region = self.region_of_number(number)
            by = "area code" if region and region.states else "country of the number"
            found = (Clue(region, by),) if region else ()
            if known:
                self._clues_of_numbers[known] = found
        return found

    def region_of_number(self, number: str) -> Region | None:
        """Return where a number is from; ``None`` if it is from no country."""
        if number.startswith("+1") and (code := self._atlas.of_area_code(number[2:5])):
            return code
        country = calling_country(number)
        # A number of the US or Canada whose area code nobody knows may be anywhere.
        return self._atlas.of_country(country) if country and country not in NORTH_AMERICA else None

    def _read(self, address: Address, country_of_number: str) -> tuple[Clue, ...] | None:
        """Read the cells, the most exact one first; ``None`` if they are filled and nothing can be read in them."""
        zone, code, state, country = address
        atlas, found = self._atlas, []
        by_country = atlas.of_country(country.upper()) if country else None
        if country and by_country is None:
            return None
        countries = (by_country.country,) if by_country else _countries_of(country_of_number)
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


def _countries_of(country: str) -> tuple[str, ...]:
    """Return in which countries a state is looked for if no cell says it: US and Canada share their numbers."""
    return NORTH_AMERICA if not country or country in NORTH_AMERICA else (country,)


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
