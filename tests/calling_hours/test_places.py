"""What the package knows of places, against the libraries that know it too."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import pytest

import airflow_truedy.calling_hours as room
from airflow_truedy.calling_hours import places
from airflow_truedy.calling_hours.errors import MissingLibraryError, UnknownZoneError
from airflow_truedy.calling_hours.places import Atlas, calling_country
from airflow_truedy.calling_hours.zones import Span, zone_of, zones_of_country

ATLAS = Atlas(Span(date(2026, 11, 25), date(2027, 12, 30)))
DATA = Path(room.__file__).parent / "data"
STATES = json.loads((DATA / "places.json").read_text(encoding="utf-8"))
AREA_CODES = json.loads((DATA / "area_codes.json").read_text(encoding="utf-8"))


def is_zone(name: str) -> bool:
    try:
        zone_of(name)
    except UnknownZoneError:
        return False
    return True


def test_the_zones_of_every_area_code_are_a_superset_of_those_of_its_zip_codes() -> None:
    zipcodes = pytest.importorskip("zipcodes")
    codes = set()
    for entry in zipcodes.list_all():
        for code in entry["area_codes"]:
            codes.add(code)
            region = ATLAS.of_area_code(code)
            assert region is not None, code
            if is_zone(entry["timezone"]):
                assert ATLAS.clocks([entry["timezone"]]) <= region.zones, code
    assert len(codes) >= 390


def test_the_zones_of_every_state_are_a_superset_of_those_of_its_zip_codes() -> None:
    zipcodes = pytest.importorskip("zipcodes")
    for state, zone in {(entry["state"], entry["timezone"]) for entry in zipcodes.list_all()}:
        if state in STATES["US"] and is_zone(zone):
            region = ATLAS.of_state(state, ["US"])
            assert region is not None
            assert ATLAS.clocks([zone]) <= region.zones, state


def test_the_zones_of_every_state_are_a_superset_of_those_of_the_library_us() -> None:
    us = pytest.importorskip("us")
    for state in us.states.STATES_AND_TERRITORIES:
        region = ATLAS.of_state(state.abbr, ["US"])
        assert region is not None
        assert region == ATLAS.of_state(state.name, ["US"])
        assert ATLAS.clocks(filter(is_zone, state.time_zones)) <= region.zones, state.abbr


@pytest.mark.parametrize("country", ["US", "CA", "AU"])
def test_every_zone_of_a_country_is_that_of_a_state(country: str) -> None:
    known = {zone for _, *zones in STATES[country].values() for zone in zones}
    assert ATLAS.clocks(zones_of_country(country)) <= ATLAS.clocks(known)


def test_every_area_code_lies_in_states_that_exist() -> None:
    for code, entry in AREA_CODES.items():
        for state in entry["states"]:
            assert state[3:] in STATES[state[:2]], code


def test_the_state_of_every_area_code_is_the_one_that_phonenumbers_knows() -> None:
    from phonenumbers.geodata import GEOCODE_DATA

    other_words = {"Washington D.C.": "District of Columbia", "British Colombia": "British Columbia"}
    for prefix, words in GEOCODE_DATA.items():
        if len(prefix) == 4 and prefix.startswith("1") and "en" in words:
            name = other_words.get(words["en"], words["en"])
            entry = AREA_CODES[prefix[1:]]
            names = [STATES[state[:2]][state[3:]][0] for state in entry["states"]]
            short = [state[3:] for state in entry["states"]]
            assert any(each in name for each in names) or name.endswith(tuple(short)) or name in names, prefix


def test_the_area_codes_of_florida_and_kentucky_are_not_what_phonenumbers_says() -> None:
    assert ATLAS.of_area_code("689") == ATLAS.of_area_code("407")
    for code in ("364", "850", "270"):
        region = ATLAS.of_area_code(code)
        assert region is not None
        assert region.zones == {"America/New_York", "America/Chicago"}
    assert ATLAS.of_area_code("800") is None


def test_a_zip_code_says_state_and_zone() -> None:
    pytest.importorskip("zipcodes")
    panhandle = ATLAS.of_zip("32501")
    assert panhandle is not None
    assert panhandle.states == {"US-FL"}
    assert panhandle.zones == {"America/Chicago"}
    assert ATLAS.of_zip("32501-1234") == panhandle


@pytest.mark.parametrize("code", ["", "2138", "00000", "09001", "32501-12", "3250l", "\u0663\u0662\u0665\u0660\u0661"])
def test_a_zip_code_that_says_nothing_is_none(code: str) -> None:
    pytest.importorskip("zipcodes")
    assert ATLAS.of_zip(code) is None


def test_a_zip_code_with_a_junk_zone_lies_in_the_zones_of_its_state() -> None:
    pytest.importorskip("zipcodes")
    assert ATLAS.of_zip("99634") == ATLAS.of_state("AK", ["US"])


@pytest.mark.parametrize(
    ("code", "states", "zones"),
    [
        ("K1A 0B1", {"CA-ON"}, {"America/Toronto"}),
        ("m5v3l9", {"CA-ON"}, {"America/Toronto"}),
        ("H0H-0H0", {"CA-QC"}, {"America/Toronto"}),
        ("V6B", {"CA-BC"}, {"America/Vancouver"}),
        ("A1C 5S7", {"CA-NL"}, {"America/St_Johns"}),
        ("X0A 0H0", {"CA-NU"}, set(STATES["CA"]["NU"][1:])),
        ("X1B 0A1", {"CA-NT", "CA-NU"}, {*STATES["CA"]["NU"][1:], *STATES["CA"]["NT"][1:]}),
        ("P9N 1A1", {"CA-ON"}, set(STATES["CA"]["ON"][1:])),
        ("V1J 4M7", {"CA-BC"}, set(STATES["CA"]["BC"][1:])),
    ],
)
def test_a_canadian_postal_code_says_province_and_zones(code: str, states: set[str], zones: set[str]) -> None:
    region = ATLAS.of_postal_code(code)
    assert region is not None
    assert (region.country, set(region.states), region.zones) == ("CA", states, ATLAS.clocks(zones))


@pytest.mark.parametrize("code", ["", "K1", "K1A 0B", "D1A 0B1", "W1A 0B1", "K1O 0B1", "K1A  0B1", "10001"])
def test_what_is_not_written_like_a_canadian_postal_code_is_none(code: str) -> None:
    assert ATLAS.of_postal_code(code) is None


def test_every_first_letter_and_province_has_postal_codes() -> None:
    table = json.loads((DATA / "postal_codes.json").read_text(encoding="utf-8"))
    assert {code for code in table if len(code) == 1} == set("ABCEGHJKLMNPRSTVXY")
    assert {state for each in table.values() for state in each["states"]} == {f"CA-{code}" for code in STATES["CA"]}
    for each in table.values():
        known = {zone for state in each["states"] for zone in STATES["CA"][state[3:]][1:]}
        assert set(each.get("zones", ())) <= known


def test_without_the_library_zip_codes_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zipcodes", None)
    places._zip_codes.cache_clear()
    with pytest.raises(MissingLibraryError, match=r"needs zipcodes: pip install zipcodes \(.*\[calling-hours\]\)"):
        ATLAS.of_zip("32501")
    places._zip_codes.cache_clear()


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+4915112345678", "DE"),
        ("+33612345678", "FR"),
        ("+441212345678", "GB"),
        ("+12425550104", "BS"),
        ("+61412345678", "AU"),
        ("+870773111632", None),
        ("+999123456789", None),
    ],
)
def test_a_number_is_from_a_country(number: str, country: str | None) -> None:
    assert calling_country(number) == country


def test_a_country_has_zones_only_if_all_show_the_same_time() -> None:
    assert [bool(region and region.zones) for region in map(ATLAS.of_country, ("DE", "FR", "BR", "AU"))] == [
        True,
        True,
        False,
        False,
    ]
    assert ATLAS.of_country("UK") is None
