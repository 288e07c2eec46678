"""When a used-up quota is free again, and how requests are spread so that it is not used up."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.api import endpoints
from airflow_truedy.api.rate_limit import RateLimiter, quota_wait
from tests.api.scripted import FakeTime, batch

NOW = 1_772_000_010.0


@given(st.integers(1, 3600))
def test_seconds_are_read(seconds: int) -> None:
    assert quota_wait(str(seconds), None, NOW) == seconds


@given(st.integers(1, 3600), st.sampled_from([0, -5, 3]))
def test_dates_are_read_in_any_zone(seconds: int, hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    moment = datetime.fromtimestamp(int(NOW) + seconds, tz=zone)
    assert quota_wait(format_datetime(moment), None, NOW) == max(int(NOW) + seconds - NOW, 1)


@given(st.text(), st.none() | st.text() | st.floats() | st.dictionaries(st.just("reset_at"), st.text() | st.floats()))
def test_whatever_the_server_says_the_wait_is_a_number_between_a_second_and_an_hour(text: str, details: Any) -> None:
    wait = quota_wait(text, details, NOW)
    assert 1 <= wait <= 3600


@pytest.mark.parametrize("text", ["-5", "nan", "inf", "soon", "", "Fri, 99 Foo 2026", None])
def test_nonsense_falls_back_to_the_body_and_then_to_the_next_minute(text: str | None) -> None:
    assert quota_wait(text, {"reset_at": NOW + 25}, NOW) == 25
    assert quota_wait(text, {"reset_at": "soon"}, NOW) == (NOW // 60 + 1) * 60 - NOW
    assert quota_wait(text, "odd", NOW) == (NOW // 60 + 1) * 60 - NOW


def test_a_moment_that_has_passed_is_waited_for_a_second() -> None:
    assert quota_wait("0", None, NOW) == 1
    assert quota_wait(None, {"reset_at": "2001-01-01T00:00:00Z"}, NOW) == 1


def run(limiter: RateLimiter, clock: FakeTime, pauses: list[float]) -> list[float]:
    """When each request goes out, with a pause before each."""
    moments = []
    for pause in pauses:
        clock.now += pause
        clock.sleep(limiter.reserve())
        moments.append(clock.now)
    return moments


@given(st.integers(1, 300), st.lists(st.floats(0, 90), min_size=1, max_size=200))
def test_no_minute_holds_more_requests_than_the_rate(rate: int, pauses: list[float]) -> None:
    clock = FakeTime(0.0)
    moments = run(RateLimiter(rate, clock.clock), clock, [*pauses, *[0.0] * rate])
    for position, moment in enumerate(moments):
        # A hair under a minute, for what floating point adds up to.
        assert sum(1 for later in moments[position:] if later < moment + 59.999) <= rate


def test_a_few_go_at_once_and_then_they_are_evenly_spaced() -> None:
    clock = FakeTime(0.0)
    moments = run(RateLimiter(60, clock.clock), clock, [0.0] * 10)
    gaps = [round(later - moment, 3) for moment, later in pairwise(moments)]
    assert gaps == [0.0] * 5 + [1.091] * 4


@pytest.mark.parametrize("rate", [None, 0])
def test_no_rate_is_no_pacing(rate: float | None) -> None:
    clock = FakeTime(0.0)
    assert run(RateLimiter(rate, clock.clock), clock, [0.0] * 100) == [0.0] * 100


def test_a_clock_that_is_set_back_does_not_stop_the_requests() -> None:
    clock = FakeTime(100_000.0)
    limiter = RateLimiter(60, clock.clock)
    run(limiter, clock, [0.0] * 10)
    clock.now -= 3600
    assert limiter.reserve() < 3


def test_threads_share_the_slots() -> None:
    limiter = RateLimiter(600, lambda: 0.0)
    waits: list[float] = []
    threads = [threading.Thread(target=lambda: waits.extend(limiter.reserve() for _ in range(50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({round(wait, 6) for wait in waits if wait}) == sum(1 for wait in waits if wait) == 394


def test_a_forked_process_does_not_inherit_a_held_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = RateLimiter(60, lambda: 0.0)
    limiter._lock.acquire()
    monkeypatch.setattr("airflow_truedy.api.rate_limit.os.getpid", lambda: -1)
    assert limiter.reserve() == 0


def test_the_client_keeps_the_pace_and_repeats_count(
    make_client: Any, server: respx.MockRouter, fake_time: FakeTime
) -> None:
    server.route().respond(200, json=batch())
    began = fake_time.now
    client = make_client(requests_per_minute=60)
    for _ in range(65):
        client.send(endpoints.get_batch_call("batch_1"))
    assert 60 <= fake_time.now - began < 70


def test_clients_may_share_a_limiter(make_client: Any, server: respx.MockRouter, fake_time: FakeTime) -> None:
    server.route().respond(200, json=batch())
    limiter = RateLimiter(12, fake_time.clock)
    began = fake_time.now
    for _ in range(13):
        make_client(rate_limiter=limiter).send(endpoints.get_batch_call("batch_1"))
    assert fake_time.now - began >= 60
