"""On which dates holidays fall: the notation, and the sets against the package that knows them too."""

from __future__ import annotations

import sys
from datetime import date
from importlib import import_module

import pytest

from airflow_truedy.calling_hours import RuleSet
from airflow_truedy.calling_hours.errors import MissingLibraryError, RulesError
from airflow_truedy.calling_hours.holiday_sets import Holiday, HolidayBook, HolidaySet, _dates_of_library, easter

BOOK = RuleSet.shipped().book
YEARS = range(2024, 2036)


@pytest.mark.parametrize(
    ("on", "observed", "year", "dates"),
    [
        ("jul 4", None, 2026, ["2026-07-04"]),
        ("jul 4", "nearest", 2026, ["2026-07-04", "2026-07-03"]),
        ("jan 1", "nearest", 2028, ["2028-01-01", "2027-12-31"]),
        ("nov 11", "nearest", 2029, ["2029-11-11", "2029-11-12"]),
        ("jan 26", "monday", 2030, ["2030-01-26", "2030-01-28"]),
        ("dec 26", "monday-tuesday", 2026, ["2026-12-26", "2026-12-28", "2026-12-29"]),
        ("4th thu nov", None, 2026, ["2026-11-26"]),
        ("4th thu nov +1", None, 2026, ["2026-11-27"]),
        ("last mon may", None, 2026, ["2026-05-25"]),
        ("last mon apr", None, 2029, ["2029-04-30"]),
        ("last thu dec", None, 2026, ["2026-12-31"]),
        ("1st mon nov +1", None, 2026, ["2026-11-03"]),
        ("easter", None, 2026, ["2026-04-05"]),
        ("easter -2", None, 2027, ["2027-03-26"]),
        ("2026-12-24", None, 2026, ["2026-12-24"]),
        ("2026-12-24", None, 2027, []),
    ],
)
def test_a_notation_means_dates(on: str, observed: str | None, year: int, dates: list[str]) -> None:
    assert [str(day) for day in Holiday(on, "a day", observed).dates(year)] == dates


@pytest.mark.parametrize("on", ["july 4", "feb 30", "5th mon may", "4th Thursday nov", "easter-2", "", "2026-13-01"])
def test_a_notation_that_cannot_be_read_is_refused(on: str) -> None:
    with pytest.raises(RulesError, match="is not a holiday such as"):
        Holiday(on, "a day")


def test_a_set_that_is_unknown_or_contains_itself_is_refused() -> None:
    with pytest.raises(RulesError, match="no holiday set 'us-xx'"):
        BOOK.dates("us-xx", 2028)
    with pytest.raises(RulesError, match="contains itself"):
        HolidayBook([HolidaySet("a", of=("b",)), HolidaySet("b", of=("a",))])


def test_a_day_that_moves_across_the_turn_of_the_year_is_in_the_year_it_falls_into() -> None:
    assert date(2027, 12, 31) in BOOK.dates("us-federal", 2027)


@pytest.mark.parametrize("year", YEARS)
def test_easter_is_when_another_library_has_it(year: int) -> None:
    assert easter(year) == import_module("dateutil.easter").easter(year)


@pytest.mark.parametrize(
    ("name", "place", "but"),
    [
        ("us-federal", "US", set()),
        ("us-al", "US-AL", set()),
        ("us-ms", "US-MS", set()),
        ("us-pa", "US-PA", {"Day After Thanksgiving"}),
        ("us-ri", "US-RI", set()),
        ("us-ut", "US-UT", set()),
        ("us-la", "US-LA", set()),
        ("au-national", "AU", set()),
        ("fr", "FR", set()),
    ],
)
def test_the_sets_hold_every_public_holiday_that_the_library_knows(name: str, place: str, but: set[str]) -> None:
    pytest.importorskip("holidays")
    for year in YEARS:
        known = BOOK.dates(name, year)
        missing = {f"{day} {title}" for day, title in BOOK.dates(f"holidays:{place}", year).items() if day not in known}
        assert {each for each in missing if each[11:] not in but} == set(), year


def test_a_set_of_the_library_says_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)
    _dates_of_library.cache_clear()
    with pytest.raises(MissingLibraryError, match=r"Python 3\.11 or later"):
        BOOK.dates("holidays:US-AL", 2028)
    _dates_of_library.cache_clear()


def test_a_place_that_the_library_does_not_know_is_refused() -> None:
    pytest.importorskip("holidays")
    with pytest.raises(RulesError, match="knows no 'US-XX'"):
        BOOK.dates("holidays:US-XX", 2028)
