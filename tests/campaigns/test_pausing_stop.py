from __future__ import annotations

import pytest

from airflow_truedy.campaigns import steps
from airflow_truedy.campaigns.errors import NotPausedError, ReadBackError
from airflow_truedy.campaigns.pausing import pause_and_raise, pause_for_good, pause_for_kill
from tests.support.ground import Ground, refused
from tests.support.plans import plan_of
from tests.support.stores import Memory

PLAN = plan_of(3)
MARK = "paused by Airflow"


@pytest.fixture
def scheduled(ground: Ground) -> str:
    return ground.run(PLAN).batch.id


def test_the_next_try_resumes_what_a_kill_paused(ground: Ground, scheduled: str) -> None:
    assert "because its task was killed" in pause_for_kill(ground.client, PLAN.key, scheduled)
    assert (ground.only.status, MARK in ground.only.name) == ("paused", True)
    assert ground.run(PLAN).batch.status == "scheduled"


def test_a_kill_leaves_a_persons_pause_alone(ground: Ground, scheduled: str) -> None:
    ground.do("pause_batch", ground.only)
    assert "paused already" in pause_for_kill(ground.client, PLAN.key, scheduled)
    assert MARK not in ground.only.name


@pytest.mark.parametrize("killed_before", [False, True])
def test_no_try_resumes_what_took_too_long(ground: Ground, scheduled: str, killed_before: bool) -> None:
    if killed_before:
        pause_for_kill(ground.client, PLAN.key, scheduled)
    assert "is paused" in pause_for_good(ground.client, scheduled)
    assert ground.run(PLAN).batch.status == ground.only.status == "paused"


def test_a_mark_that_one_lost_rename_left_behind_does_not_undo_a_later_pause(ground: Ground, scheduled: str) -> None:
    store = Memory()
    ground.run(PLAN, store)
    pause_for_kill(ground.client, PLAN.key, scheduled)
    # All tries: those before the resume, and those behind it.
    ground.fault("drop", "PATCH", "batch-calls", times=6)
    assert ground.run(PLAN, store).batch.status == "scheduled"
    assert MARK in ground.only.name
    pause_for_good(ground.client, scheduled)
    assert ground.run(PLAN, store).batch.status == "paused"


def test_what_has_ended_is_left_alone(ground: Ground, scheduled: str) -> None:
    ground.force(ground.only, "completed")
    for said in (pause_for_good(ground.client, scheduled), pause_for_kill(ground.client, PLAN.key, scheduled)):
        assert "nothing to pause" in said
    assert ground.only.status == "completed"


def test_another_start_than_asked_for_is_paused_for_good(ground: Ground, scheduled: str) -> None:
    pause_for_kill(ground.client, PLAN.key, scheduled)
    with pytest.raises(ReadBackError, match=r"Too early\. The campaign is paused"):
        pause_and_raise(ground.client, steps.read(ground.client, scheduled), ReadBackError("Too early."))
    assert ground.run(PLAN).batch.status == "paused"


def test_what_cannot_be_paused_is_named_with_the_reason_for_pausing_it(ground: Ground, scheduled: str) -> None:
    ground.alter("POST", ".*/pause", refused(message="too late"))
    with pytest.raises(NotPausedError, match=r"Too early\. It could NOT be paused .*too late.*dashboard"):
        pause_and_raise(ground.client, steps.read(ground.client, scheduled), ReadBackError("Too early."))


def test_a_draft_needs_no_pause(ground: Ground) -> None:
    draft = ground.run(plan_of(3, start=False)).batch
    with pytest.raises(ReadBackError, match=r"^Too early\.$"):
        pause_and_raise(ground.client, draft, ReadBackError("Too early."))
    assert ground.only.status == "draft"
