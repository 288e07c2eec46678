"""Launches in which answers are lost."""

from __future__ import annotations

import pytest

from airflow_truedy.api.errors import AuthenticationError, ServerError
from airflow_truedy.campaigns.errors import (
    UnsettledError,
)
from tests.campaigns.requests_of_a_launch import (
    ADD,
    AGENT_READ,
    CREATE,
    LOOK,
    PAUSE,
    RESUME,
    SCHEDULE,
    MakeGround,
    empty_list,
    numbers,
)
from tests.support.ground import Ground, refused
from tests.support.plans import STARTS_AT, plan_of
from tests.support.stores import Memory


class TestLostAnswers:
    @pytest.mark.parametrize("kind", ["lost_answer", "error_500_after", "drop", "error_500", "html_502"])
    @pytest.mark.parametrize("path", ["batch-calls$", "contacts$", "schedule$"])
    @pytest.mark.parametrize("with_store", [True, False])
    def test_one_lost_answer_at_any_step_is_settled_in_the_same_attempt(
        self, ground: Ground, kind: str, path: str, with_store: bool
    ) -> None:
        ground.fault(kind, "POST", path)
        launched = ground.run(plan_of(5, chunk_size=2), Memory() if with_store else None)
        assert launched.batch.status == ground.only.status == "scheduled"
        assert ground.numbers() == numbers(5)
        assert ground.only.scheduled_at == STARTS_AT.timestamp()

    @pytest.mark.parametrize("path", ["contacts$", "schedule$"])
    def test_work_that_was_done_is_not_sent_again(self, ground: Ground, path: str) -> None:
        ground.fault("lost_answer", "POST", path)
        ground.run(plan_of(4, chunk_size=2))
        assert [write for write in ground.writes if write.endswith(path.rstrip("$"))] == [
            {"contacts$": ADD, "schedule$": SCHEDULE}[path]
        ]

    def test_a_lost_create_is_looked_up_not_sent_again(self, ground: Ground) -> None:
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(3))
        assert ground.writes == [CREATE, SCHEDULE]

    def test_a_create_sent_again_carries_the_same_key(self, ground: Ground) -> None:
        ground.fault("drop", "POST", "batch-calls$")
        ground.run(plan_of(3))
        assert len(ground.keys()) == 2
        assert len(set(ground.keys())) == 1

    def test_a_create_that_the_list_does_not_show_yet_is_answered_from_the_servers_memory(self, ground: Ground) -> None:
        ground.alter("GET", "/batch-calls", lambda _, send: send() if len(ground.keys()) > 1 else empty_list())
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(3))
        assert ground.numbers() == numbers(3)

    def test_a_twin_made_by_a_server_that_ignores_keys_is_deleted(self, make_ground: MakeGround) -> None:
        ground = make_ground(ignore_idempotency_keys=True)
        ground.alter("GET", "/batch-calls", lambda _, send: send() if len(ground.keys()) > 1 else empty_list())
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(5, chunk_size=2))
        assert ground.only.status == "scheduled"
        assert ground.numbers() == numbers(5)

    @pytest.mark.parametrize("path", ["batch-calls$", "contacts$", "schedule$"])
    def test_a_server_that_fails_for_ever_ends_the_attempt_and_the_next_one_goes_on(
        self, ground: Ground, path: str
    ) -> None:
        ground.fault("error_500", "POST", path, times=None)
        with pytest.raises(UnsettledError) as failed:
            ground.run(plan_of(5, chunk_size=2))
        assert failed.value.retryable
        assert all(batch.status == "draft" for batch in ground.batches)
        ground.heal()
        ground.run(plan_of(5, chunk_size=2))
        assert ground.numbers() == numbers(5)
        assert ground.only.status == "scheduled"

    def test_reads_that_fail_for_ever_are_a_server_error(self, ground: Ground) -> None:
        ground.fault("error_500", "GET", "batch-calls$", times=None)
        with pytest.raises(ServerError):
            ground.run(plan_of(3))
        assert ground.writes == []

    def test_a_hopeless_refusal_goes_through_at_once(self, ground: Ground) -> None:
        ground.alter("POST", "/batch-calls", refused(401, "unauthorized"))
        with pytest.raises(AuthenticationError):
            ground.run(plan_of(3))
        assert set(ground.requests) == {LOOK, AGENT_READ}

    def test_a_pause_and_a_resume_whose_answers_are_lost(self, make_ground: MakeGround) -> None:
        ground = make_ground(create_answer="scheduled")
        ground.fault("lost_answer", "POST", "pause$")
        ground.fault("lost_answer", "POST", "resume$")
        ground.run(plan_of(5, chunk_size=2))
        assert ground.only.status == "scheduled"
        assert sorted(ground.numbers()) == sorted(numbers(5))
        assert [write for write in ground.writes if write in (PAUSE, RESUME)] == [PAUSE, RESUME]
