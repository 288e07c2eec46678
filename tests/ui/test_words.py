from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_truedy.ui import words
from airflow_truedy.ui.account import Sample
from airflow_truedy.ui.airflow_records import hours_in_words
from airflow_truedy.ui.chart import progress_svg

AT = datetime(2026, 6, 1, 13, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3_600, "1 h ago"),
        (86_400, "1 day ago"),
        (200_000, "2 days ago"),
        (-90, "in 1 min"),
    ],
)
def test_ago(seconds: float, told: str) -> None:
    assert words.ago(seconds) == told


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("America/New_York", "Mon 2026-06-01 09:05 America/New_York"),
        ("UTC", "Mon 2026-06-01 13:05 UTC"),
        (None, "Mon 2026-06-01 13:05 UTC"),
        ("<b>Nowhere</b>", "Mon 2026-06-01 13:05 UTC"),
        ("../../etc/passwd", "Mon 2026-06-01 13:05 UTC"),
    ],
)
def test_local_time(zone: str | None, told: str) -> None:
    assert " ".join(words.local_time(AT, zone)) == told


@pytest.mark.parametrize(("year", "zone"), [(1, "America/New_York"), (9999, "Asia/Tokyo")])
def test_a_moment_at_an_end_of_time_is_told_in_utc(year: int, zone: str) -> None:
    moment = datetime.min if year == 1 else datetime.max
    assert words.local_time(moment.replace(tzinfo=timezone.utc), zone)[1] == "UTC"


@pytest.mark.parametrize(
    ("seconds", "told"), [(59, "0 min 59 s"), (3_599, "59 min 59 s"), (3_600, "1 h 0 min"), (9e6, "2,500 h 0 min")]
)
def test_duration(seconds: float, told: str) -> None:
    assert words.duration(seconds) == told


@pytest.mark.parametrize(
    ("days", "told"),
    [
        ([1, 2, 3, 4, 5], "09:00-17:30, Mon-Fri"),
        ("[1, 3]", "09:00-17:30, Mon, Wed"),
        ([6, 7], "09:00-17:30, Sat-Sun"),
        ([9], "09:00-17:30"),
        (None, "09:00-17:30"),
        ("***", "09:00-17:30"),
    ],
)
def test_calling_hours(days: object, told: str) -> None:
    assert hours_in_words({"start_time": "09:00", "end_time": "17:30", "working_days": days}) == told


@pytest.mark.parametrize("fields", [{}, {"start_time": "09:00"}, {"start_time": "<b>", "end_time": "17:00"}])
def test_calling_hours_that_are_not_known(fields: dict[str, str]) -> None:
    assert hours_in_words(fields) == ""


def test_a_chart_needs_two_readings() -> None:
    assert progress_svg([Sample(0, 0, 0)], 100) == ""
    chart = progress_svg([Sample(0, 0, 0), Sample(600, 50, 25)], 100)
    assert 'class="line called"' in chart
    assert "0 called at 01-01 00:00 UTC, 50 of 100 at 01-01 00:10 UTC" in chart
    assert 'points="0.0,128.0 560.0,68.0"' in chart
    assert progress_svg([Sample(0, 0, 0), Sample(0, 7, 0)], None)
