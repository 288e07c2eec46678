"""The share of the rate limit that the pages keep to, whatever the number of viewers and processes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.ui.budget import REQUESTS_PER_MINUTE, Budget


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(0, 90), min_size=1, max_size=60), st.integers(1, 12))
def test_no_minute_holds_more_than_the_share(pauses: list[float], processes: int) -> None:
    clock = Clock()
    budget = Budget(processes, clock)
    sent = []
    for pause in pauses:
        clock.now += pause
        sent.append(clock.now + budget.reserve())
    for begin in sent:
        in_a_minute = sum(begin <= at < begin + 60 for at in sent)
        assert in_a_minute <= max(1, REQUESTS_PER_MINUTE // processes)


def test_several_go_at_once_after_a_pause() -> None:
    budget = Budget(clock=Clock())
    waits = [budget.reserve() for _ in range(8)]
    assert waits == [0.0] * 6 + [61.0] * 2


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 6, 9])
def test_all_processes_together_keep_to_it(processes: int) -> None:
    assert processes * 60 / Budget(processes).seconds_each <= REQUESTS_PER_MINUTE
