from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.campaigns import control
from airflow_truedy.campaigns.errors import PastStartError, ReadBackError, TagLostError, TimingError, WrongStateError
from airflow_truedy.campaigns.identity import find
from airflow_truedy.campaigns.update import Updated, update
from tests.support.ground import Ground, Rule, Send
from tests.support.plans import START, STARTS_AT, plan_of

NEW_YORK = "America/New_York"


@pytest.fixture
def scheduled(ground: Ground) -> str:
    return ground.run(plan_of(3)).batch.id


def change(ground: Ground, batch_call_id: str, timezone: str | None = NEW_YORK, **fields: Any) -> Updated:
    return update(ground.client, batch_call_id, fields, timezone, ground.now())


def patches(ground: Ground) -> int:
    return sum(1 for request in ground.requests if request.startswith("PATCH"))


def test_only_what_differs_is_sent_and_a_second_run_sends_nothing(ground: Ground, scheduled: str) -> None:
    fields = {"name": "Renewals, moved", "scheduled_at": "2026-06-03T10:00"}
    first = change(ground, scheduled, **fields)
    assert (first.sent, first.not_taken, first.unreadable) == (["name", "scheduled_at"], [], [])
    assert first.batch.scheduled_at == STARTS_AT + timedelta(days=1)
    assert change(ground, scheduled, **fields).sent == []
    assert change(ground, scheduled, name="Renewals, moved", scheduled_at=START).sent == ["scheduled_at"]
    assert patches(ground) == 2


def test_a_new_name_keeps_the_tag_by_which_the_campaign_is_found(ground: Ground, scheduled: str) -> None:
    for name in ("Other", "x" * 255):
        change(ground, scheduled, name=name)
        chosen = find(ground.client, plan_of(3).key).chosen
        assert chosen is not None
        assert chosen.id == scheduled
        assert len(ground.only.name) <= 255
    assert ground.run(plan_of(3)).attached


def test_what_cannot_be_read_back_is_said(ground: Ground, scheduled: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    done = change(ground, scheduled, start_time="10:00", end_time="16:00", max_calls_per_day=5)
    assert done.unreadable == ["start_time", "end_time", "max_calls_per_day"]
    assert "cannot be read back" in caplog.text
    assert (ground.only.hours.start_time, ground.only.hours.max_calls_per_day) == ("10:00", 5)


def test_what_did_not_take_is_warned_about(ground: Ground, scheduled: str, caplog: pytest.LogCaptureFixture) -> None:
    ground.alter_data("GET", "/batch-calls/.*", name="Old")
    assert change(ground, scheduled, name="New").not_taken == ["name"]
    assert "did not take: name" in caplog.text


def test_times_without_a_zone_or_in_another_are_refused(ground: Ground, scheduled: str) -> None:
    with pytest.raises(TimingError, match="start_time, end_time need timezone"):
        change(ground, scheduled, None, start_time="10:00", end_time="16:00")
    with pytest.raises(TimingError, match="read in America/New_York"):
        change(ground, scheduled, "Europe/Berlin", start_time="10:00", end_time="16:00")
    assert patches(ground) == 0


def test_a_start_in_another_zone_is_the_instant_that_it_means(ground: Ground, scheduled: str) -> None:
    done = change(ground, scheduled, "Europe/Berlin", scheduled_at="2026-06-03T16:00")
    assert done.batch.scheduled_at == STARTS_AT + timedelta(days=1)


def test_times_in_a_zone_that_the_server_does_not_tell_are_refused(ground: Ground, scheduled: str) -> None:
    ground.alter_data("GET", "/batch-calls/.*", timezone=...)
    with pytest.raises(TimingError, match=r"does not tell the zone .* start_time, end_time.*dashboard"):
        change(ground, scheduled, start_time="10:00", end_time="16:00")
    assert patches(ground) == 0


WEDNESDAY = "2026-06-03T10:00"


def stores(ground: Ground, moment: datetime) -> Rule:
    """A rule that stores another start than the one that was sent."""

    def rule(*_: Any) -> httpx.Response:
        ground.do("update_batch", ground.only, changes={"scheduled_at": moment.timestamp()})
        return httpx.Response(200, json={"data": {"id": ground.only.id}})

    return rule


def test_a_start_that_stays_fails_and_pauses_nobody(ground: Ground, scheduled: str) -> None:
    ground.alter("PATCH", ".*", stores(ground, STARTS_AT))
    with pytest.raises(ReadBackError, match=r"not take the new start. Asked for: Wed .*; before: Tue .*; now: Tue"):
        change(ground, scheduled, scheduled_at=WEDNESDAY)
    assert ground.only.status == "scheduled"


def test_a_third_start_is_paused_and_fails_with_all_three(ground: Ground, scheduled: str) -> None:
    ground.alter("PATCH", ".*", stores(ground, STARTS_AT - timedelta(hours=7)))
    story = r"Asked for: Wed 2026-06-03 10:00.*; before: Tue 2026-06-02 10:00.*; now: Tue 2026-06-02 03:00.*is paused"
    with pytest.raises(ReadBackError, match=story):
        change(ground, scheduled, scheduled_at=WEDNESDAY)
    assert ground.only.status == "paused"
    assert ground.run(plan_of(3)).batch.status == "paused"


def test_a_start_that_is_gone_is_paused(ground: Ground, scheduled: str) -> None:
    def forgets_it(_: httpx.Request, send: Send) -> httpx.Response:
        ground.alter_data("GET", "/batch-calls/.*", scheduled_at=None)
        return send()

    ground.alter("PATCH", ".*", forgets_it)
    with pytest.raises(ReadBackError, match=r"now: no date.*is paused"):
        change(ground, scheduled, scheduled_at=WEDNESDAY)
    assert ground.only.status == "paused"


def test_an_immediate_draft_that_gets_a_start_is_scheduled_for_it(ground: Ground) -> None:
    draft = ground.run(plan_of(3, start=False, scheduled_at=None)).batch
    assert draft.schedule_type == "immediate"
    done = change(ground, draft.id, scheduled_at=WEDNESDAY)
    assert (done.batch.schedule_type, done.batch.scheduled_at) == ("scheduled", STARTS_AT + timedelta(days=1))
    assert (done.sent, done.not_taken, done.unreadable) == (["scheduled_at", "schedule_type"], [], [])
    assert change(ground, draft.id, scheduled_at=WEDNESDAY).sent == []


def test_a_draft_that_stays_immediate_in_spite_of_its_new_start_fails(ground: Ground) -> None:
    draft = ground.run(plan_of(3, start=False, scheduled_at=None)).batch
    ground.alter("PATCH", ".*", stores(ground, STARTS_AT + timedelta(days=1)))
    with pytest.raises(ReadBackError, match=r"before: no date \(immediate\); now: Wed .* \(immediate\)"):
        change(ground, draft.id, scheduled_at=WEDNESDAY)
    assert ground.only.status == "draft"


def test_a_start_in_the_past_would_call_at_once_and_is_refused(ground: Ground, scheduled: str) -> None:
    with pytest.raises(PastStartError, match="calls would begin at once"):
        change(ground, scheduled, scheduled_at="2026-05-29T10:00")
    assert patches(ground) == 0


def test_a_bad_value_is_refused_before_any_request(ground: Ground, scheduled: str) -> None:
    before = len(ground.requests)
    with pytest.raises(InvalidPayloadError, match="max_calls_per_day"):
        change(ground, scheduled, max_calls_per_day=0)
    assert len(ground.requests) == before


def test_a_lost_answer_is_sent_again(ground: Ground, scheduled: str) -> None:
    ground.fault("lost_answer", "PATCH", "batch-calls")
    assert change(ground, scheduled, name="Other").not_taken == []


def test_a_running_campaign_is_to_be_paused_first(ground: Ground, scheduled: str) -> None:
    ground.advance(26 * 3600)
    ground.alter(
        "PATCH", "/batch-calls/.*", lambda *_: httpx.Response(422, json={"error": {"code": "validation_error"}})
    )
    ground.alter_data("GET", "/batch-calls/.*", status="running")
    with pytest.raises(WrongStateError, match="PauseBatchCallOperator, then this update"):
        change(ground, scheduled, name="Other")


@pytest.mark.parametrize("limit", [60, 100])
def test_a_server_that_cuts_names_keeps_the_tag(make_ground: Callable[..., Ground], limit: int) -> None:
    ground = make_ground(name_limit=limit)
    batch_call_id = ground.run(plan_of(3)).batch.id
    change(ground, batch_call_id, name="x" * 200)
    assert len(ground.only.name) <= limit
    assert ground.run(plan_of(3)).attached


def test_a_server_that_rewrites_names_gets_the_old_one_back(ground: Ground, scheduled: str) -> None:
    name = ground.only.name

    def upper(request: httpx.Request, _: Send) -> httpx.Response:
        ground.heal()
        ground.do("update_batch", ground.only, changes={"name": json.loads(request.read())["name"].upper()})
        return httpx.Response(200, json={"data": {"id": scheduled}})

    ground.alter("PATCH", ".*", upper)
    with pytest.raises(TagLostError, match=r"made 'OTHER .*has its old name again"):
        change(ground, scheduled, name="Other")
    assert ground.only.name == name


def test_a_start_that_passes_before_the_request_is_sent_starts_nothing(ground: Ground) -> None:
    draft = ground.run(plan_of(3, start=False)).batch.id
    ground.clock.change(to=STARTS_AT.timestamp() - 10)
    answers = iter(
        [httpx.Response(429, headers={"Retry-After": "60"}, json={"error": {"code": "rate_limit_exceeded"}})]
    )
    ground.alter("POST", ".*/schedule", lambda _, send: next(answers, None) or send())
    with pytest.raises(PastStartError):
        control.schedule(ground.client, draft, control.Start(START, NEW_YORK), ground.now)
    assert ground.only.status == "draft"
