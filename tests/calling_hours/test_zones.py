"""Zones by the newest database, and which of them show the same time."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from airflow_truedy.calling_hours import zones
from airflow_truedy.calling_hours.errors import UnknownZoneError
from airflow_truedy.calling_hours.zones import Span, clock_of, country_of_zone, same_clock, zone_of, zones_of_country

YEAR = Span(date(2026, 11, 25), date(2027, 12, 30))


@pytest.mark.parametrize("name", ["America/New_York", "US/Eastern", "America/Indiana/Knox", "Pacific/Guam"])
def test_the_zone_of_a_place_is_taken(name: str) -> None:
    assert zone_of(name).key == name


@pytest.mark.parametrize(
    "name",
    ["", "EST", "EST5EDT", "UTC", "GMT", "Etc/GMT+5", "Napakiak", "America/../UTC", "/etc/passwd", "America/Nowhere"],
)
def test_what_is_no_zone_or_the_zone_of_no_place_is_refused(name: str) -> None:
    with pytest.raises(UnknownZoneError, match="not the IANA zone of a place"):
        zone_of(name)


def test_british_columbia_no_longer_changes_its_clock() -> None:
    offset = zone_of("America/Vancouver").utcoffset(datetime(2027, 1, 15))
    assert offset == timedelta(hours=-7)


@pytest.mark.parametrize(
    ("name", "stands_for"),
    [
        ("America/Detroit", "America/New_York"),
        ("America/Indiana/Knox", "America/Chicago"),
        ("America/Boise", "America/Denver"),
        ("America/Vancouver", "America/Phoenix"),
        ("America/Winnipeg", "America/Panama"),
        ("Australia/Lord_Howe", "Australia/Lord_Howe"),
    ],
)
def test_zones_with_one_clock_have_one_name(name: str, stands_for: str) -> None:
    assert same_clock(name, YEAR) == stands_for


def test_zones_with_one_name_show_the_same_time() -> None:
    for country in ("US", "CA", "AU"):
        for name in zones_of_country(country):
            other = zone_of(same_clock(name, YEAR))
            for day in YEAR.days():
                for hour in (0, 6, 9, 15):
                    instant = datetime(day.year, day.month, day.day, hour, 30, tzinfo=zones.UTC)
                    assert instant.astimezone(zone_of(name)).utcoffset() == instant.astimezone(other).utcoffset()


def test_a_clock_change_is_found_to_the_minute() -> None:
    changes = clock_of("America/New_York", YEAR)[1:]
    assert [f"{instant:%Y-%m-%d %H:%M}" for instant, _ in changes] == ["2027-03-14 07:00", "2027-11-07 06:00"]
    assert clock_of("America/Phoenix", YEAR)[1:] == ()


def test_a_zone_lies_in_a_country() -> None:
    assert [country_of_zone(name) for name in ("US/Eastern", "America/Toronto", "Europe/Paris")] == ["US", "CA", "FR"]
