from __future__ import annotations

import json
import logging

import httpx
import pytest

from airflow_truedy.api.models import BatchCall
from airflow_truedy.campaigns import pausing
from airflow_truedy.campaigns.errors import NotPausedError
from tests.support.ground import Ground, Send, refused
from tests.support.plans import plan_of

PLAN = plan_of(3)
MARK = "paused by Airflow"


@pytest.fixture
def scheduled(ground: Ground) -> BatchCall:
    return ground.run(PLAN).batch


def actions(ground: Ground) -> list[str]:
    """What was written, by its last word."""
    return [request.replace("PATCH /batch-calls/{id}", "rename").rsplit("/", 1)[-1] for request in ground.writes]


def test_our_pause_is_marked_after_it_was_taken(ground: Ground, scheduled: BatchCall) -> None:
    held = pausing.pause_with_marker(ground.client, PLAN.key, scheduled).batch
    assert actions(ground)[-2:] == ["pause", "rename"]
    assert held.status == ground.only.status == "paused"
    assert pausing.is_paused_by_us(PLAN.key, held)
    assert MARK in ground.only.name


def test_a_release_takes_the_mark_away_before_it_resumes(ground: Ground, scheduled: BatchCall) -> None:
    held = pausing.pause_with_marker(ground.client, PLAN.key, scheduled).batch
    released = pausing.resume_our_pause(ground.client, held)
    assert actions(ground)[-2:] == ["rename", "resume"]
    assert released.status == "scheduled"
    assert ground.only.name == PLAN.tagged_name


def test_a_persons_pause_is_neither_marked_nor_ours(ground: Ground, scheduled: BatchCall) -> None:
    ground.do("pause_batch", ground.only)
    taken = pausing.pause_with_marker(ground.client, PLAN.key, scheduled)
    assert (taken.batch.status, taken.by_us) == ("paused", False)
    assert MARK not in ground.only.name


def test_a_server_that_cuts_the_marker_keeps_the_tag(ground: Ground, scheduled: BatchCall) -> None:
    def cuts(request: httpx.Request, _: Send) -> httpx.Response:
        name = json.loads(request.read())["name"][: len(PLAN.tagged_name) + 5]
        ground.do("update_batch", ground.only, changes={"name": name})
        return httpx.Response(200, json={"data": {"id": scheduled.id, "name": name}})

    ground.alter("PATCH", ".*", cuts)
    taken = pausing.pause_with_marker(ground.client, PLAN.key, scheduled)
    assert PLAN.key.tag_in(ground.only.name) is not None
    assert not pausing.is_paused_by_us(PLAN.key, taken.batch)


def test_a_pause_of_another_key_is_not_ours(ground: Ground, scheduled: BatchCall) -> None:
    held = pausing.pause_with_marker(ground.client, PLAN.key, scheduled).batch
    assert not pausing.is_paused_by_us(plan_of(3, key="other").key, held)


def test_an_active_campaign_that_may_not_be_renamed_is_marked_once_it_is_paused(ground: Ground) -> None:
    batch = ground.run(plan_of(3, scheduled_at=None, schedule_type="immediate")).batch
    assert batch.status == "active"
    pausing.pause_with_marker(ground.client, PLAN.key, batch)
    assert actions(ground)[-2:] == ["pause", "rename"]
    assert MARK in ground.only.name


def test_a_server_that_renames_nothing_is_paused_all_the_same(ground: Ground, scheduled: BatchCall) -> None:
    ground.alter("PATCH", ".*", refused())
    assert pausing.pause_with_marker(ground.client, PLAN.key, scheduled).batch.status == "paused"
    assert MARK not in ground.only.name


def test_a_lost_answer_to_the_rename_does_not_stop_the_hold(ground: Ground, scheduled: BatchCall) -> None:
    ground.fault("lost_answer", "PATCH", "batch-calls")
    assert pausing.pause_with_marker(ground.client, PLAN.key, scheduled).batch.status == "paused"
    assert MARK in ground.only.name


def test_a_server_that_does_not_pause_is_named_with_its_state(ground: Ground, scheduled: BatchCall) -> None:
    ground.alter("POST", ".*/pause", refused(message="too late"))
    with pytest.raises(
        NotPausedError, match=f"{scheduled.id} is 'scheduled' and cannot be paused.*too late.*dashboard"
    ) as failed:
        pausing.pause_with_marker(ground.client, PLAN.key, scheduled)
    assert not failed.value.retryable


def test_a_finished_campaign_cannot_be_held(ground: Ground, scheduled: BatchCall) -> None:
    ground.advance(7 * 86400)
    with pytest.raises(NotPausedError, match="'completed'"):
        pausing.pause_with_marker(ground.client, PLAN.key, scheduled)


def test_a_release_resumes_what_the_kill_handler_paused_a_moment_ago(ground: Ground, scheduled: BatchCall) -> None:
    held = pausing.pause_with_marker(ground.client, PLAN.key, scheduled).batch
    # As it was read between the handler's mark and its pause.
    seen = held.model_copy(update={"status": "scheduled"})
    assert pausing.resume_our_pause(ground.client, seen).status == ground.only.status == "scheduled"


@pytest.mark.parametrize("kind", ["drop", "lost_answer"])
def test_one_lost_rename_leaves_no_mark_behind(ground: Ground, scheduled: BatchCall, kind: str) -> None:
    held = pausing.pause_with_marker(ground.client, PLAN.key, scheduled).batch
    ground.fault(kind, "PATCH", "batch-calls")
    assert pausing.resume_our_pause(ground.client, held).status == "scheduled"
    assert ground.only.name == PLAN.tagged_name


def test_a_release_of_which_nothing_is_lost_reads_nothing_between_rename_and_resume(
    ground: Ground, scheduled: BatchCall
) -> None:
    held = pausing.pause_with_marker(ground.client, PLAN.key, scheduled).batch
    before = len(ground.requests)
    pausing.resume_our_pause(ground.client, held)
    assert [each.split()[0] for each in ground.requests[before:]] == ["PATCH", "POST", "GET"]


def test_a_mark_that_cannot_be_taken_away_is_told_with_what_to_do(
    ground: Ground, scheduled: BatchCall, caplog: pytest.LogCaptureFixture
) -> None:
    held = pausing.pause_with_marker(ground.client, PLAN.key, scheduled).batch
    ground.alter("PATCH", ".*", refused())
    with caplog.at_level(logging.WARNING):
        assert pausing.resume_our_pause(ground.client, held).status == "scheduled"
    assert f"{scheduled.id} ({held.name!r}) keeps the words" in caplog.text
    assert "dashboard" in caplog.text


def test_what_is_held_for_good_is_resumed_by_no_attempt(ground: Ground, scheduled: BatchCall) -> None:
    held = pausing.pause_with_marker(ground.client, PLAN.key, scheduled).batch
    kept = pausing.pause_like_a_person(ground.client, held)
    assert (kept.status, kept.name) == ("paused", PLAN.tagged_name)
    assert ground.run(PLAN).batch.status == "paused"
