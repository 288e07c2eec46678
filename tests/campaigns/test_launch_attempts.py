"""Launches that are interrupted, and what the store keeps of them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from airflow_truedy.campaigns.errors import (
    LaunchInterruptedError,
    UnsettledError,
)
from tests.campaigns.requests_of_a_launch import ADD, CONTACTS, LOOK, READ, SCHEDULE, MakeGround, numbers
from tests.support.ground import Ground, Send
from tests.support.plans import plan_of
from tests.support.stores import Memory


class TestInterrupt:
    @pytest.mark.parametrize(
        ("dialect", "steps"), [*(("draft", at) for at in range(5)), *(("scheduled", at) for at in range(10))]
    )
    def test_a_launch_told_to_stop_starts_nothing_and_the_next_one_ends_it(
        self, make_ground: MakeGround, dialect: str, steps: int
    ) -> None:
        ground = make_ground(create_answer=dialect)
        launch = ground.launch(plan_of(5, chunk_size=2))
        seen = iter(range(steps))

        def stop(_: httpx.Request, send: Send) -> httpx.Response:
            if next(seen, None) is None:
                launch.interrupt()
            return send()

        for method in ("GET", "POST", "PATCH"):
            ground.alter(method, ".*", stop)
        with pytest.raises(LaunchInterruptedError, match="dials nobody") as stopped:
            launch.run()
        assert stopped.value.retryable
        assert all(batch.status in ("draft", "paused") for batch in ground.batches)
        ground.heal()
        ground.run(plan_of(5, chunk_size=2))
        assert ground.only.status == "scheduled"
        assert sorted(ground.numbers()) == sorted(numbers(5))

    def test_a_launch_told_to_stop_before_it_began_writes_nothing(self, ground: Ground) -> None:
        launch = ground.launch(plan_of(3))
        launch.interrupt()
        with pytest.raises(LaunchInterruptedError):
            launch.run()
        assert ground.writes == []
        assert launch.batch_call_id is None


class TestStore:
    def test_the_intent_is_kept_before_the_first_write(self, ground: Ground) -> None:
        store = Memory()
        ground.fault("error_500", "POST", "batch-calls$", times=None)
        with pytest.raises(UnsettledError):
            ground.run(plan_of(3), store)
        kept = store.get()
        assert kept is not None
        assert kept["fingerprint"] == plan_of(3).fingerprint
        assert kept["batch_call_id"] is None

    def test_a_store_that_refuses_stops_the_launch_before_anything_is_started(self, ground: Ground) -> None:
        class GivenUp(Memory):
            def set(self, value: dict[str, Any]) -> None:
                raise RuntimeError("this task instance runs elsewhere")

        with pytest.raises(RuntimeError):
            ground.run(plan_of(3), GivenUp())
        assert ground.writes == []

    def test_a_retry_goes_on_where_the_last_attempt_stopped(self, ground: Ground) -> None:
        store = Memory()
        ground.fault("error_500", "POST", "contacts$", after=2, times=None)
        with pytest.raises(UnsettledError):
            ground.run(plan_of(10, chunk_size=2), store)
        ground.heal()
        before = len(ground.requests)
        ground.run(plan_of(10, chunk_size=2), store)
        assert ground.requests[before:] == [READ, ADD, ADD, LOOK, SCHEDULE, READ, LOOK]
        assert ground.numbers() == numbers(10)

    def test_without_a_store_the_servers_list_tells_what_is_missing(self, ground: Ground) -> None:
        ground.fault("error_500", "POST", "contacts$", after=2, times=None)
        with pytest.raises(UnsettledError):
            ground.run(plan_of(10, chunk_size=2))
        ground.heal()
        before = len(ground.requests)
        ground.run(plan_of(10, chunk_size=2))
        looks = 5 * [READ]  # An earlier try may have sent more than is counted yet.
        assert ground.requests[before:] == [LOOK, *looks, CONTACTS, ADD, ADD, LOOK, SCHEDULE, READ, LOOK]
        assert ground.numbers() == numbers(10)

    def test_a_stored_id_of_another_key_is_not_used(self, ground: Ground) -> None:
        store = Memory()
        ground.run(plan_of(3, key="item 0"), store)
        ground.run(plan_of(3, key="item 1"), store)
        assert len(ground.batches) == 2
