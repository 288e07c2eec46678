"""Where a person is: the order of the sources, sources that contradict each other, and what stays unknown."""

from __future__ import annotations

from datetime import date

import pytest

from airflow_truedy.calling_hours.places import Address, Atlas, Locator, Place
from airflow_truedy.calling_hours.zones import Span

pytest.importorskip("zipcodes")
LOCATOR = Locator(Atlas(Span(date(2026, 11, 25), date(2027, 12, 30))))
EASTERN, CENTRAL, MOUNTAIN, PACIFIC = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
)
NEW_YORK, PENSACOLA, TOLL_FREE, SYDNEY = "+12125550104", "+18505550104", "+18005550104", "+61412345678"


def found(number: str, **cells: str) -> Place:
    place = LOCATOR.place_by(LOCATOR.clues(Address(**cells), number))
    assert place is not None
    return place


@pytest.mark.parametrize(
    ("number", "cells", "zones", "jurisdictions"),
    [
        # The area code alone: all zones of its ZIP codes.
        (PENSACOLA, {}, {EASTERN, CENTRAL}, {"US", "US-FL"}),
        # A source that agrees with the number narrows it.
        (PENSACOLA, {"zone": CENTRAL}, {CENTRAL}, {"US", "US-FL"}),
        (PENSACOLA, {"zip": "32501"}, {CENTRAL}, {"US", "US-FL"}),
        (PENSACOLA, {"zip": "32501", "state": "GA"}, {CENTRAL, EASTERN}, {"US", "US-FL", "US-GA"}),
        (NEW_YORK, {"state": "Florida"}, {EASTERN, CENTRAL}, {"US", "US-FL", "US-NY"}),
        # Number and address that disagree: both count.
        (NEW_YORK, {"zone": PACIFIC, "state": "CA"}, {EASTERN, PACIFIC}, {"US", "US-CA", "US-NY"}),
        (NEW_YORK, {"zip": "90001"}, {EASTERN, PACIFIC}, {"US", "US-CA", "US-NY"}),
        (NEW_YORK, {"state": "ON"}, {EASTERN, CENTRAL, "America/Panama"}, {"US", "US-NY", "CA", "CA-ON"}),
        # The Navajo Nation keeps another time than the rest of Arizona.
        ("+16025550104", {"state": "AZ"}, {"America/Phoenix", MOUNTAIN}, {"US", "US-AZ"}),
        ("+16135550104", {"zip": "K1A 0B1"}, {EASTERN}, {"CA", "CA-ON"}),
        (NEW_YORK, {"zip": "T2P 1J9"}, {EASTERN, "America/Regina"}, {"US", "US-NY", "CA", "CA-AB"}),
        (TOLL_FREE, {"zip": "s4p 3y2", "country": "CA"}, None, {"CA", "CA-SK"}),
        # Territories have ISO codes and zones of their own, and the rules of the United States.
        ("+16715550104", {"zone": "Pacific/Guam"}, {"Pacific/Guam"}, {"US", "US-GU"}),
        ("+17875550104", {"country": "PR"}, {"America/Puerto_Rico"}, {"US", "US-PR"}),
        ("+17875550104", {"country": "US", "zone": "America/St_Thomas"}, None, {"US", "US-PR", "US-VI"}),
        # A ZIP code is one of the US only where the country may be the US.
        ("+33612345678", {"zip": "75001"}, {"Europe/Paris"}, {"FR"}),
        (SYDNEY, {"state": "WA"}, {"Australia/Perth", "Australia/Eucla"}, {"AU", "AU-WA"}),
        (SYDNEY, {"state": "Queensland"}, {"Australia/Brisbane"}, {"AU", "AU-QLD"}),
        (SYDNEY, {"zone": "Australia/Hobart"}, {"Australia/Sydney"}, {"AU", "AU-ACT", "AU-NSW", "AU-TAS", "AU-VIC"}),
        ("+4915112345678", {}, {"Europe/Paris"}, {"DE"}),
        (TOLL_FREE, {"country": "us", "state": "OH"}, {EASTERN}, {"US", "US-OH"}),
    ],
)
def test_a_person_is_where_the_row_and_the_number_say(
    number: str, cells: dict[str, str], zones: set[str] | None, jurisdictions: set[str]
) -> None:
    place = found(number, **cells)
    if "ON" in cells.values():
        assert place.zones >= {EASTERN, "America/Panama"}
    elif zones is not None:
        assert place.zones == zones
    assert place.jurisdictions == jurisdictions


def test_a_zone_without_a_state_may_be_any_state_on_that_clock() -> None:
    place = found(TOLL_FREE, zone="Pacific/Honolulu")
    assert place.jurisdictions == {"US", "US-HI"}
    assert {"US-RI", "US-ME", "US-FL"} <= found(TOLL_FREE, zone=EASTERN).jurisdictions
    # A number of the same clock says which state it is; one of another clock does not.
    assert found(NEW_YORK, zone="America/Detroit").jurisdictions == {"US", "US-NY"}
    assert {"US-NY", "US-CA", "US-WA"} <= found(NEW_YORK, zone=PACIFIC).jurisdictions


@pytest.mark.parametrize(
    ("number", "cells"),
    [
        (TOLL_FREE, {}),
        (TOLL_FREE, {"country": "US"}),
        (SYDNEY, {}),
        ("+5511912345678", {}),
        ("+870773111632", {}),
        # Cells that are filled and cannot be read: the area code is no better.
        (NEW_YORK, {"zone": "EST"}),
        (NEW_YORK, {"zip": "2138"}),
        (NEW_YORK, {"zip": "09001"}),
        (NEW_YORK, {"zip": "K1A 0B"}),
        (NEW_YORK, {"zip": "K1A 0B1", "country": "US"}),
        (NEW_YORK, {"state": "Nowhere"}),
        (NEW_YORK, {"country": "UK"}),
        # The number is from a country of many zones, and the address says another country.
        (SYDNEY, {"country": "US", "state": "NY"}),
    ],
)
def test_what_cannot_be_known_stays_unknown(number: str, cells: dict[str, str]) -> None:
    assert LOCATOR.place_by(LOCATOR.clues(Address(**cells), number)) is None


def test_an_unreadable_cell_leaves_the_word_to_the_next_one() -> None:
    assert found(NEW_YORK, zone="EST", zip="10001").zones == {EASTERN}


def test_the_answer_says_what_it_was_found_by() -> None:
    assert found(PENSACOLA).because == "Florida by area code"
    assert found(NEW_YORK, zip="60601").because == "Illinois by ZIP code; New York by area code"


def test_what_was_read_once_is_the_same_again_and_beyond_what_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_truedy.calling_hours.places._MOST_ADDRESSES", 3)
    cells = [{"zip": "32501"}, {"state": "WA"}, {"zip": "K1A 0B1"}, {"state": "NY"}, {"zip": "2138"}, {}]
    numbers = [NEW_YORK, PENSACOLA, SYDNEY, TOLL_FREE, "+18765550104", "+19995550104"]
    asked = [(Address(**each), number) for each in cells for number in numbers]
    locator = Locator(Atlas(LOCATOR._atlas.span))
    for _ in range(2):
        for address, number in asked:
            fresh = Locator(LOCATOR._atlas)
            assert locator.place_by(locator.clues(address, number)) == fresh.place_by(fresh.clues(address, number))
