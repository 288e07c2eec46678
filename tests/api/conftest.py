"""Clients of the API layer's tests, on a fake clock and a scripted server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import respx

from airflow_truedy.api.client import AsyncTruedyClient, TruedyClient
from tests.api.scripted import BASE, CERTIFICATES, KEY, FakeTime


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        yield router


@pytest.fixture
def make_client(fake_time: FakeTime) -> Callable[..., TruedyClient]:
    def make(**options: Any) -> TruedyClient:
        defaults = {"sleep": fake_time.sleep, "clock": fake_time.clock, "requests_per_minute": None}
        return TruedyClient(KEY, BASE, **{**defaults, "verify": CERTIFICATES, **options})

    return make


@pytest.fixture
def client(make_client: Callable[..., TruedyClient]) -> Iterator[TruedyClient]:
    with make_client() as made:
        yield made


@pytest.fixture
def async_client(fake_time: FakeTime) -> AsyncTruedyClient:
    return AsyncTruedyClient(
        KEY,
        BASE,
        sleep=fake_time.async_sleep,
        clock=fake_time.clock,
        requests_per_minute=None,
        verify=CERTIFICATES,
    )
