"""Launches on servers that start a campaign at the create."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from airflow_truedy.api.errors import AuthenticationError
from airflow_truedy.campaigns.errors import (
    NotPausedError,
)
from tests.campaigns.requests_of_a_launch import (
    ADD,
    CREATE,
    NOW,
    PAUSE,
    RENAME,
    RESUME,
    MakeGround,
    empty_list,
    numbers,
)
from tests.support.ground import Ground, Send, refused
from tests.support.plans import plan_of
from tests.support.stores import Memory


class TestDialectThatStartsAtTheCreate:
    @pytest.fixture
    def ground(self, make_ground: MakeGround) -> Ground:
        return make_ground(create_answer="scheduled")

    def test_nothing_is_scheduled_a_second_time(self, ground: Ground) -> None:
        launched = ground.run(plan_of(3))
        assert ground.writes == [CREATE]
        assert launched.batch.status == "scheduled"
        assert ground.numbers() == numbers(3)

    @pytest.mark.parametrize("when", [{}, NOW], ids=["scheduled", "immediate"])
    def test_it_is_held_while_chunks_are_missing(self, ground: Ground, when: dict[str, Any]) -> None:
        launched = ground.run(plan_of(7, chunk_size=3, **when))
        writes = [write for write in ground.writes if write != RENAME]
        assert writes == [CREATE, PAUSE, ADD, ADD, RESUME]
        assert sorted(ground.numbers()) == sorted(numbers(7))
        assert launched.batch.status in ("scheduled", "active")
        assert ground.only.status in ("scheduled", "active")

    def test_a_scheduled_one_keeps_no_mark_of_the_hold(self, ground: Ground) -> None:
        ground.run(plan_of(7, chunk_size=3))
        assert "paused by Airflow" not in ground.only.name

    def test_a_pause_that_is_refused_is_a_precise_error(self, ground: Ground) -> None:
        ground.alter("POST", ".*/pause", refused(message="a running batch call cannot be paused"))
        with pytest.raises(NotPausedError, match=r"is 'scheduled' and cannot be paused.*cannot be paused"):
            ground.run(plan_of(7, chunk_size=3))
        assert ground.numbers() == numbers(3)

    def test_start_false_ends_paused(self, ground: Ground) -> None:
        launched = ground.run(plan_of(3, start=False))
        assert launched.batch.status == ground.only.status == "paused"

    def test_a_person_who_starts_a_campaign_left_unstarted_keeps_it_when_the_task_is_cleared(
        self, ground: Ground
    ) -> None:
        store = Memory()
        ground.run(plan_of(3, start=False), store)
        ground.do("resume_batch", ground.only)
        assert ground.run(plan_of(3, start=False), store).attached
        assert ground.only.status == "scheduled"

    @pytest.mark.parametrize("with_store", [True, False])
    def test_a_lost_create_with_start_false_is_held_too(self, ground: Ground, with_store: bool) -> None:
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(3, start=False), Memory() if with_store else None)
        assert ground.only.status == "paused"

    def test_an_attempt_that_died_before_the_hold_is_made_up_for(self, ground: Ground) -> None:
        store = Memory()
        ground.alter("GET", "/batch-calls/[^/]+", refused(401, "unauthorized"))
        with pytest.raises(AuthenticationError):
            ground.run(plan_of(3, start=False), store)
        ground.heal()
        ground.run(plan_of(3, start=False), store)
        assert ground.only.status == "paused"

    def test_a_lost_create_is_found_and_completed(self, ground: Ground) -> None:
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(7, chunk_size=3))
        assert sorted(ground.numbers()) == sorted(numbers(7))
        assert ground.only.status == "scheduled"

    def test_a_key_that_is_ignored_leaves_one_running(self, make_ground: MakeGround) -> None:
        ground = make_ground(create_answer="scheduled", ignore_idempotency_keys=True)

        # The list does not show the first one in time.
        def late(_: httpx.Request, send: Send) -> httpx.Response:
            return send() if len(ground.keys()) > 1 else empty_list()

        ground.alter("GET", "/batch-calls", late)
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(3))
        assert sorted(batch.status for batch in ground.batches) == ["paused", "scheduled"]
        assert ground.batches[0].status == "scheduled"
