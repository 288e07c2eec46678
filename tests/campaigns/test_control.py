from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from airflow_truedy.api.errors import NotFoundError
from airflow_truedy.campaigns import control, pausing, steps
from airflow_truedy.campaigns.control import Start
from airflow_truedy.campaigns.errors import (
    PastStartError,
    PastStartSkip,
    ReadBackError,
    TimingError,
    UnsettledError,
    WrongStateError,
)
from airflow_truedy.campaigns.update import update
from tests.support.ground import Ground, Rule, refused
from tests.support.plans import START, STARTS_AT, plan_of

NEW_YORK = "America/New_York"
TUESDAY = Start(START, NEW_YORK)


@pytest.fixture
def draft(ground: Ground) -> str:
    return ground.run(plan_of(3, start=False)).batch.id


@pytest.fixture
def scheduled(ground: Ground) -> str:
    return ground.run(plan_of(3)).batch.id


def schedule(ground: Ground, batch_call_id: str, start: Start = TUESDAY) -> Any:
    return control.schedule(ground.client, batch_call_id, start, ground.now)


def sent(ground: Ground, *actions: str) -> int:
    return sum(1 for request in ground.requests if request.endswith(tuple(f"/{action}" for action in actions)))


def test_a_draft_is_scheduled_once_however_often_it_is_asked(ground: Ground, draft: str) -> None:
    first, second = schedule(ground, draft), schedule(ground, draft)
    assert (first.status, first.scheduled_at) == (second.status, second.scheduled_at) == ("scheduled", STARTS_AT)
    assert sent(ground, "schedule") == 1


def test_a_lost_answer_to_the_schedule_step_schedules_once(ground: Ground, draft: str) -> None:
    ground.fault("lost_answer", "POST", "/schedule$")
    assert schedule(ground, draft).status == "scheduled"
    assert sent(ground, "schedule") == 1


def test_another_start_than_the_one_that_is_scheduled_is_refused(ground: Ground, scheduled: str) -> None:
    with pytest.raises(WrongStateError, match=r"another start.*UpdateBatchCallOperator"):
        schedule(ground, scheduled, Start("2026-06-03T10:00", NEW_YORK))
    assert ground.only.scheduled_at == STARTS_AT.timestamp()


def test_a_start_at_once_keeps_the_zone_that_the_draft_has(ground: Ground, draft: str) -> None:
    batch = schedule(ground, draft, Start(None, None))
    assert (batch.status, batch.timezone, ground.only.hours.zone) == ("active", NEW_YORK, NEW_YORK)


def test_a_draft_whose_zone_nobody_tells_keeps_it(ground: Ground, draft: str) -> None:
    ground.alter_data("GET", "/batch-calls/.*", timezone=...)
    schedule(ground, draft, Start(None, None))
    assert (ground.only.status, ground.only.hours.zone) == ("active", NEW_YORK)


@pytest.mark.parametrize("start", [Start("2026-06-02T09:00Z", "UTC"), Start(None, "UTC")])
def test_a_zone_that_would_move_the_drafts_window_is_refused(ground: Ground, draft: str, start: Start) -> None:
    with pytest.raises(TimingError, match=r"read in America/New_York; timezone='UTC' was stated"):
        schedule(ground, draft, start)
    assert (ground.only.status, ground.only.hours.zone) == ("draft", NEW_YORK)


def test_an_instant_is_the_same_in_the_drafts_own_zone(ground: Ground, draft: str) -> None:
    assert schedule(ground, draft, Start("2026-06-02T14:00Z", NEW_YORK)).scheduled_at == STARTS_AT


def test_that_nobody_knows_the_window_is_said(ground: Ground, draft: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    schedule(ground, draft)
    assert f"{draft}: the API does not tell its calling window" in caplog.text


@pytest.mark.parametrize("days_later", [0, 7])
def test_what_calls_before_the_start_that_is_asked_for_is_no_success(
    ground: Ground, draft: str, days_later: int
) -> None:
    schedule(ground, draft, Start(None, None))
    ground.advance(days_later * 86_400)
    with pytest.raises(WrongStateError, match=r"already, before the start that was asked for, Tue 2026-06-09 10:00"):
        schedule(ground, draft, Start("2026-06-09T10:00", NEW_YORK))


def stores(ground: Ground, moment: datetime) -> Rule:
    """A rule that schedules for another moment than the one that was sent."""

    def rule(*_: Any) -> httpx.Response:
        ground.do("schedule_batch", ground.only, scheduled_at=moment.timestamp())
        return httpx.Response(200, json={"data": {}})

    return rule


def test_a_start_at_once_that_the_server_keeps_for_later_is_paused(ground: Ground, draft: str) -> None:
    ground.alter("POST", ".*/schedule", stores(ground, STARTS_AT))
    with pytest.raises(ReadBackError, match=r"was to start at once; .*2026-06-02T14:00:00Z.*paused"):
        schedule(ground, draft, Start(None, None))
    assert ground.only.status == "paused"


def test_a_start_at_once_of_what_waits_for_a_date_is_refused(ground: Ground, scheduled: str) -> None:
    with pytest.raises(WrongStateError, match="start asked for at once, stored 2026-06-02T14:00:00Z"):
        schedule(ground, scheduled, Start(None, None))
    assert ground.only.status == "scheduled"


def test_a_server_whose_clock_is_a_little_ahead_starts_at_once(ground: Ground, draft: str) -> None:
    ground.alter("POST", ".*/schedule", stores(ground, ground.now() + timedelta(seconds=30)))
    for _ in range(2):
        assert schedule(ground, draft, Start(None, None)).status == "scheduled"


def test_a_started_campaign_is_not_started_again(ground: Ground, draft: str) -> None:
    schedule(ground, draft, Start(None, None))
    ground.advance(7 * 86_400)
    assert schedule(ground, draft, Start(None, None)).status == "completed"
    assert sent(ground, "schedule") == 1


@pytest.mark.parametrize(("on_past", "error"), [("fail", PastStartError), ("skip", PastStartSkip)])
def test_a_start_in_the_past_starts_nothing(ground: Ground, draft: str, on_past: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="has passed"):
        schedule(ground, draft, Start("2026-05-29T10:00", NEW_YORK, on_past))
    assert ground.only.status == "draft"


def test_a_start_in_the_past_can_start_late_and_twice(ground: Ground, draft: str) -> None:
    late = Start("2026-05-29T10:00", NEW_YORK, "start_now")
    schedule(ground, draft, late)
    assert schedule(ground, draft, late).status == "active"
    assert sent(ground, "schedule") == 1


def test_another_start_read_back_pauses_the_campaign(ground: Ground, draft: str) -> None:
    ground.alter_data("GET", "/batch-calls/.*", scheduled_at="2026-06-02T10:00:00Z")
    with pytest.raises(ReadBackError, match=r"another start.*paused"):
        schedule(ground, draft)
    assert ground.only.status == "paused"


def test_what_ended_badly_is_not_started(ground: Ground, draft: str) -> None:
    ground.force(ground.only, "failed")
    for action in (lambda: schedule(ground, draft), lambda: control.resume(ground.client, draft)):
        with pytest.raises(WrongStateError, match=r"failed.*Make a new one"):
            action()


def test_pausing_and_resuming_twice_does_no_more_than_once(ground: Ground, scheduled: str) -> None:
    states = [action(ground.client, scheduled).status for action in (control.pause, control.pause)]
    states += [action(ground.client, scheduled).status for action in (control.resume, control.resume)]
    assert states == ["paused", "paused", "scheduled", "scheduled"]
    assert (sent(ground, "pause"), sent(ground, "resume")) == (1, 1)


def test_what_dials_nobody_has_nothing_to_pause(ground: Ground, draft: str) -> None:
    assert control.pause(ground.client, draft).status == "draft"
    ground.force(ground.only, "completed")
    assert control.pause(ground.client, draft).status == "completed"
    assert sent(ground, "pause") == 0


def test_a_pause_that_has_no_effect_is_an_error(ground: Ground, scheduled: str) -> None:
    ground.alter("POST", "/batch-calls/.*/pause", lambda *_: httpx.Response(204))
    with pytest.raises(UnsettledError, match="still 'scheduled'"):
        control.pause(ground.client, scheduled)


def test_a_persons_pause_on_top_of_a_kill_is_for_good(ground: Ground, scheduled: str) -> None:
    plan = plan_of(3)
    pausing.pause_with_marker(ground.client, plan.key, steps.read(ground.client, scheduled))
    assert control.pause(ground.client, scheduled).status == "paused"
    assert ground.run(plan).batch.status == "paused"


def test_a_pause_that_the_next_try_would_undo_is_an_error(ground: Ground, scheduled: str) -> None:
    pausing.pause_with_marker(ground.client, plan_of(3).key, steps.read(ground.client, scheduled))
    ground.alter("PATCH", ".*", refused())
    with pytest.raises(UnsettledError, match=r"is paused, but .*next try .* would resume it.*dashboard"):
        control.pause(ground.client, scheduled)


def test_a_draft_is_not_resumed(ground: Ground, draft: str) -> None:
    with pytest.raises(WrongStateError, match="ScheduleBatchCallOperator"):
        control.resume(ground.client, draft)
    assert ground.only.status == "draft"


def test_resuming_takes_away_the_mark_of_our_own_pause(ground: Ground, scheduled: str) -> None:
    plan = plan_of(3)
    name = ground.only.name
    pausing.pause_with_marker(ground.client, plan.key, steps.read(ground.client, scheduled))
    assert "paused by Airflow" in ground.only.name
    control.resume(ground.client, scheduled)
    assert (ground.only.name, ground.only.status) == (name, "scheduled")


def test_only_drafts_and_what_ended_badly_is_deleted(make_ground: Callable[..., Ground]) -> None:
    ground = make_ground()
    ids = {word: ground.run(plan_of(2, key=word, start=word != "draft")).batch.id for word in _WORDS}
    for batch in ground.batches[2:]:
        word = next(word for word, batch_call_id in ids.items() if batch_call_id == batch.id)
        ground.force(batch, word)
    done = control.delete(ground.client, [*ids.values(), "batch_nowhere"])
    assert sorted(done.deleted) == sorted(ids[word] for word in ("draft", "failed", "cancelled"))
    assert done.gone == ["batch_nowhere"]
    assert done.kept == {ids["scheduled"]: "is scheduled", ids["completed"]: "is completed"}
    again = control.delete(ground.client, list(ids.values()))
    assert (again.deleted, len(again.gone)) == ([], 3)


_WORDS = ("draft", "scheduled", "completed", "failed", "cancelled")


def test_what_the_server_does_not_delete_is_listed(ground: Ground, draft: str) -> None:
    data = {"deleted_count": 0, "failed_count": 1, "deleted_ids": [], "failed_ids": [draft]}
    ground.alter("POST", "/batch-calls/bulk-delete", lambda *_: httpx.Response(200, json={"data": data, "meta": {}}))
    assert control.delete(ground.client, [draft]).kept == {draft: "refused by the server"}


def test_a_lost_answer_to_a_delete_is_read(ground: Ground, draft: str) -> None:
    ground.fault("lost_answer", "POST", "bulk-delete$")
    assert control.delete(ground.client, [draft]).deleted == [draft]
    assert ground.batches == []


def test_a_batch_call_that_is_not_there_is_a_clear_error(ground: Ground) -> None:
    for action in (control.pause, control.resume):
        with pytest.raises(NotFoundError, match=re.escape("GET /batch-calls/batch_nowhere")):
            action(ground.client, "batch_nowhere")


def test_a_campaign_is_unmarked_before_it_resumes_because_an_active_one_may_not_be_renamed(ground: Ground) -> None:
    plan = plan_of(3, scheduled_at=None, schedule_type="immediate")
    batch = ground.run(plan).batch
    pausing.pause_with_marker(ground.client, plan.key, steps.read(ground.client, batch.id))
    assert "paused by Airflow" in ground.only.name
    assert control.resume(ground.client, batch.id).status == "active"
    assert ground.only.name == plan.tagged_name


def test_a_paused_campaign_is_not_taken_for_a_scheduled_one(ground: Ground, scheduled: str) -> None:
    control.pause(ground.client, scheduled)
    for start in (TUESDAY, Start(None, None), Start("2026-06-01T08:00", NEW_YORK, "start_now")):
        with pytest.raises(WrongStateError, match=r"paused, so nobody is called.*ResumeBatchCallOperator"):
            schedule(ground, scheduled, start)
    assert control.resume(ground.client, scheduled).status == "scheduled"
    assert schedule(ground, scheduled).status == "scheduled"


@pytest.mark.parametrize("word", ["suspended_by_billing", "queued", ""])
def test_a_state_that_nobody_knows_is_not_taken_for_done(ground: Ground, scheduled: str, word: str) -> None:
    ground.alter_data("GET", "/batch-calls/.*", status=word)
    for command in (lambda: schedule(ground, scheduled), lambda: control.resume(ground.client, scheduled)):
        with pytest.raises(WrongStateError, match="does not know"):
            command()
    with pytest.raises(WrongStateError, match="would not hold it"):
        update(ground.client, scheduled, {"scheduled_at": "2026-06-03T10:00"}, NEW_YORK, ground.now())
    assert sent(ground, "schedule", "resume") == 1


@pytest.mark.parametrize("later", [timedelta(0), timedelta(minutes=1), timedelta(hours=5), timedelta(days=3)])
def test_a_late_start_may_be_asked_for_twice(ground: Ground, draft: str, later: timedelta) -> None:
    late = Start("2026-06-01T08:00", NEW_YORK, "start_now")
    assert schedule(ground, draft, late).status == "active"
    ground.advance(later.total_seconds())
    assert schedule(ground, draft, late).status in ("active", "completed")
    assert sent(ground, "schedule") == 1


def test_a_late_start_of_one_that_waits_for_another_is_refused(ground: Ground, scheduled: str) -> None:
    with pytest.raises(WrongStateError, match="asked for at once"):
        schedule(ground, scheduled, Start("2026-06-01T08:00", NEW_YORK, "start_now"))


def test_a_start_that_came_may_be_asked_for_again(ground: Ground, scheduled: str) -> None:
    ground.advance(timedelta(days=1, hours=2).total_seconds())
    for on_past in ("fail", "start_now"):
        assert schedule(ground, scheduled, Start(START, NEW_YORK, on_past)).status in ("active", "completed")  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["active", "completed", "failed", "cancelled"])
def test_a_campaign_that_has_begun_is_not_held_by_another_start(ground: Ground, draft: str, status: str) -> None:
    schedule(ground, draft, Start(None, None))
    if status != "active":
        ground.do("force_batch", ground.only, status=status)
    with pytest.raises(WrongStateError, match=f"is '{status}': another start would not hold it"):
        update(ground.client, draft, {"scheduled_at": "2026-06-03T10:00"}, NEW_YORK, ground.now())
    assert not [write for write in ground.writes if write.startswith("PATCH")]
