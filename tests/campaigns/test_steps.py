from __future__ import annotations

from typing import Any

import httpx
import pytest

from airflow_truedy.api.errors import InvalidRequestError
from airflow_truedy.api.models import BatchCall
from airflow_truedy.campaigns import steps
from airflow_truedy.campaigns.errors import UnsettledError
from airflow_truedy.campaigns.timing import StartStep
from tests.support.ground import Ground, Send, refused
from tests.support.plans import STARTS_AT, plan_of

STEP = StartStep(STARTS_AT, "America/New_York")


@pytest.fixture
def draft(ground: Ground) -> BatchCall:
    return ground.run(plan_of(3, start=False)).batch


@pytest.fixture
def scheduled(ground: Ground) -> BatchCall:
    return ground.run(plan_of(3)).batch


def sent(ground: Ground, action: str) -> int:
    return sum(1 for request in ground.requests if request.endswith(f"/{action}"))


def test_scheduling_returns_what_the_server_holds(ground: Ground, draft: BatchCall) -> None:
    batch = steps.schedule(ground.client, draft, STEP)
    assert (batch.status, batch.scheduled_at, batch.total_contacts) == ("scheduled", STARTS_AT, 3)


def test_what_is_done_already_is_not_sent(ground: Ground, scheduled: BatchCall) -> None:
    steps.schedule(ground.client, scheduled, STEP)
    steps.resume(ground.client, scheduled)
    paused = steps.pause(ground.client, scheduled)
    again = steps.pause(ground.client, paused.batch)
    assert (paused.by_us, again.by_us) == (True, False)
    assert (sent(ground, "schedule"), sent(ground, "pause"), sent(ground, "resume")) == (1, 1, 0)


def test_what_a_twin_did_a_moment_ago_counts(ground: Ground, draft: BatchCall) -> None:
    ground.do("schedule_batch", ground.only, scheduled_at=STARTS_AT.timestamp())
    assert steps.schedule(ground.client, draft, STEP).status == "scheduled"


def test_a_refusal_that_changed_nothing_goes_through(ground: Ground, draft: BatchCall) -> None:
    ground.alter("POST", ".*/schedule", refused(message="the agent is not ready"))
    with pytest.raises(InvalidRequestError, match="not ready"):
        steps.schedule(ground.client, draft, STEP)


@pytest.mark.parametrize("kind", ["lost_answer", "error_500_after"])
def test_after_a_lost_answer_the_state_is_read_and_the_step_not_repeated(
    ground: Ground, draft: BatchCall, kind: str
) -> None:
    ground.fault(kind, "POST", "schedule$")
    assert steps.schedule(ground.client, draft, STEP).status == "scheduled"
    assert sent(ground, "schedule") == 1


def test_a_request_that_never_arrived_is_sent_again(ground: Ground, draft: BatchCall) -> None:
    ground.fault("drop", "POST", "schedule$", times=2)
    assert steps.schedule(ground.client, draft, STEP).status == "scheduled"
    assert sent(ground, "schedule") == 3


def test_too_many_lost_answers_end_the_attempt(ground: Ground, draft: BatchCall) -> None:
    ground.fault("drop", "POST", "schedule$", times=None)
    with pytest.raises(UnsettledError, match="still 'draft'"):
        steps.schedule(ground.client, draft, STEP)
    assert ground.only.status == "draft"


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_an_action_without_effect_is_no_success(ground: Ground, scheduled: BatchCall, action: str) -> None:
    batch = scheduled if action == "pause" else steps.pause(ground.client, scheduled).batch
    ground.alter("POST", f".*/{action}", lambda *_: httpx.Response(204))
    with pytest.raises(UnsettledError, match=action):
        getattr(steps, action)(ground.client, batch)


class TestDelete:
    def test_drafts_go(self, ground: Ground, draft: BatchCall) -> None:
        assert steps.delete(ground.client, [draft.id, draft.id]) == set()
        assert ground.batches == []

    def test_a_started_campaign_stays_and_is_told(self, ground: Ground, scheduled: BatchCall) -> None:
        assert steps.delete(ground.client, [scheduled.id]) == {scheduled.id}

    def test_what_is_gone_already_is_gone(self, ground: Ground, draft: BatchCall) -> None:
        ground.force(ground.only, "deleted")
        assert steps.delete(ground.client, [draft.id]) == set()

    def test_nothing_to_delete_sends_nothing(self, ground: Ground) -> None:
        assert steps.delete(ground.client, []) == set()
        assert ground.requests == []

    @pytest.mark.parametrize("kind", ["lost_answer", "drop", "error_500_after"])
    def test_after_a_lost_answer_the_truth_is_read(self, ground: Ground, draft: BatchCall, kind: str) -> None:
        ground.fault(kind, "POST", "bulk-delete$")
        left = steps.delete(ground.client, [draft.id])
        assert left == {batch.id for batch in ground.batches}

    @pytest.mark.parametrize(
        "data", [{}, {"deleted_count": 1}, {"deleted_count": 1, "failed_ids": []}, {"deleted_ids": ["another"]}]
    )
    def test_an_answer_that_names_no_ids_is_checked(
        self, ground: Ground, draft: BatchCall, data: dict[str, Any]
    ) -> None:
        def unsaid(_: httpx.Request, send: Send) -> httpx.Response:
            return httpx.Response(200, json={"data": data})

        ground.alter("POST", "/batch-calls/bulk-delete", unsaid)
        assert steps.delete(ground.client, [draft.id]) == {draft.id}
