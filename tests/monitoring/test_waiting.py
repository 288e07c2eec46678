from __future__ import annotations

from datetime import timedelta

from airflow_truedy.monitoring.waiting import deadline_of


def test_the_earlier_of_both_timeouts_counts() -> None:
    assert deadline_of(1000, None, None, 5000) is None
    assert deadline_of(1000, 7200, None, 5000) == 8200
    assert deadline_of(1000, 7200, timedelta(hours=10), 5000) == 8200
    assert deadline_of(1000, 7200, timedelta(minutes=1), 5000) == 5057
