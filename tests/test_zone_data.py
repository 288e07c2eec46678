"""Zones by the newest database."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from airflow_truedy import zone_data
from airflow_truedy.calling_hours import zones
from airflow_truedy.campaigns import timing


def test_the_newer_database_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = ZoneInfo("America/Denver")
    monkeypatch.setattr(zone_data, "system_zone", lambda name: stale)
    for version, stale_counts in (("1999a", False), ("2999a", True)):
        monkeypatch.setattr(zone_data, "_version_of_system", lambda version=version: version)
        zone_data.newest_zone.cache_clear()
        assert (zone_data.newest_zone("America/New_York") is stale) == stale_counts
    zone_data.newest_zone.cache_clear()


def test_a_campaigns_window_and_the_hours_of_its_people_are_read_on_one_clock() -> None:
    for name in ("America/Vancouver", "America/Winnipeg", "America/New_York", "Australia/Sydney"):
        assert timing.zone_of(name) is zones.zone_of(name)
    assert timing.zone_of("America/Vancouver").utcoffset(datetime(2027, 1, 15)) == timedelta(hours=-7)


@pytest.mark.parametrize(
    "name", ["", "/etc/localtime", "../zoneinfo/UTC", "America/../UTC", "zone.tab", "America", "\0"]
)
def test_no_name_leads_out_of_the_database(name: str) -> None:
    assert zone_data.newest_zone(name) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("US/Eastern", "America/New_York"),
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("America/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("UTC", "Etc/UTC"),
    ],
)
def test_two_names_of_one_zone_are_one(one: str, other: str) -> None:
    assert zone_data.is_same_zone(one, other)
    assert zone_data.is_same_zone(other, one)


@pytest.mark.parametrize("other", ["America/Detroit", "America/Chicago", "Mars/Phobos", "localtime"])
def test_two_zones_are_not_one(other: str) -> None:
    assert not zone_data.is_same_zone("America/New_York", other)
