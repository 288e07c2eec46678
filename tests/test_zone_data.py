"""Zones by the newest database."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from airflow_truedy import zone_data
from airflow_truedy.calling_hours import zones
from airflow_truedy.campaigns import schedule


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
        assert schedule.zone_of(name) is zones.zone_of(name)
    assert schedule.zone_of("America/Vancouver").utcoffset(datetime(2027, 1, 15)) == timedelta(hours=-7)


@pytest.mark.parametrize(
    "name", ["", "/etc/localtime", "../zoneinfo/UTC", "America/../UTC", "zone.tab", "America", "\0"]
)
def test_no_name_leads_out_of_the_database(name: str) -> None:
    assert zone_data.newest_zone(name) is None
