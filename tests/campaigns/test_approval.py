"""Nothing starts but what was approved, and for as long as the approval counts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_truedy.campaigns.approval import Approval, approval_of
from airflow_truedy.campaigns.errors import NotApprovedError, PastStartError, PastStartSkip
from airflow_truedy.campaigns.identity import CampaignKey
from airflow_truedy.campaigns.plan import CampaignPlan
from airflow_truedy.campaigns.plan_format import seal_of
from airflow_truedy.campaigns.preview import planned, preview
from airflow_truedy.campaigns.terms import approved, check_terms
from airflow_truedy.formats import utc_text
from tests.support.ground import Ground
from tests.support.plans import MONDAY, STARTS_AT, people, plan_of
from tests.support.stores import Memory

A_DAY = timedelta(days=1)


def plan_json(*plans: CampaignPlan) -> dict[str, Any]:
    """A plan as it comes out of XCom."""
    found: dict[str, Any] = json.loads(json.dumps(preview([planned(each, MONDAY) for each in plans], MONDAY)))
    return found


def answer(
    chosen: Any = ("Approve",), at: Any = MONDAY + timedelta(minutes=5), to: dict[str, Any] | None = None
) -> dict[str, Any]:
    """An answer of ApprovePlanOperator to a plan; by default to that of three people."""
    plans = [seal_of(to or plan_json(plan_of(3)))]
    asked = {"chosen_options": list(chosen), "params_input": {}, "responded_at": at, "responded_by_user": None}
    return {**asked, "plans": plans}


def test_the_same_campaign_is_what_was_approved() -> None:
    check_terms(plan_json(plan_of(3)), plan_of(3))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Another name"},
        {"chunk_size": 1},
        {"on_past": "skip"},
        {"on_change": "rebuild"},
        # The same instant, written otherwise.
        {"scheduled_at": "2026-06-02T14:00Z"},
    ],
)
def test_what_calls_nobody_else_at_no_other_time_needs_no_other_approval(change: dict[str, Any]) -> None:
    check_terms(plan_json(plan_of(3)), plan_of(3, **change))


MORE_PEOPLE = people(4)
OTHER_NAME = [*people(2), {**people(3)[2], "first_name": "Trillian"}]
OTHER_NUMBER = [*people(2), *people(1, 7)]


@pytest.mark.parametrize(
    ("contacts", "change", "says"),
    [
        (MORE_PEOPLE, {}, "other people"),
        (people(2), {}, "other people"),
        (OTHER_NAME, {}, "other people"),
        (OTHER_NUMBER, {}, "other people"),
        (3, {"contact_ids": ["ctc_1"]}, "other people"),
        (3, {"agent_id": "agt_5e1ec7ed"}, "agent: agent_id is 'agt_5e1ec7ed', approved was 'agt_f9447372'"),
        (3, {"timezone": "America/Toronto"}, "hours: timezone is 'America/Toronto'"),
        (3, {"start_time": "08:00"}, "hours: start_time is '08:00', approved was '09:00'"),
        (3, {"end_time": "17:31"}, "hours: end_time"),
        (3, {"working_days": [1, 2]}, r"hours: working_days is \[1, 2\], approved was None"),
        (3, {"scheduled_at": "2026-06-02T10:01"}, "start: start is '2026-06-02T14:01:00Z'"),
        (3, {"scheduled_at": None, "schedule_type": "immediate"}, "start: start is 'at once'"),
        (3, {"max_calls_per_day": 3}, "caps: max_calls_per_day is 3, approved was None"),
        (3, {"phone_number_ids": ["num_1"]}, "numbers to call from"),
        (3, {"phone_rotation_strategy": "sequential"}, "rotation"),
        (3, {"extra_fields": {"max_concurrent_calls": 90}}, "another field"),
        (3, {"key": "dag/task/other"}, "campaign_key, run"),
        (3, {"on_duplicate": "allow"}, "on_duplicate"),
        (3, {"on_duplicate": "warn"}, "on_duplicate"),
        (3, {"on_retry": "new"}, "on_retry"),
        (3, {"max_rejected": 1}, "max_rejected"),
        (3, {"max_rejected": 0.5}, "max_rejected"),
    ],
)
def test_anything_else_is_refused_and_named(contacts: Any, change: dict[str, Any], says: str) -> None:
    with pytest.raises(NotApprovedError, match=says) as refused:
        check_terms(plan_json(plan_of(3)), plan_of(contacts, **change))
    assert "This try started nothing" in str(refused.value)
    assert "2125550" not in str(refused.value)


def test_each_part_may_start_and_no_other() -> None:
    west = {"timezone": "America/Los_Angeles", "contacts": people(2, 10)}
    whole = plan_json(plan_of(3), plan_of(**west))
    check_terms(whole, plan_of(3))
    check_terms(whole, plan_of(**west))
    with pytest.raises(NotApprovedError, match="none of its parts has these people"):
        check_terms(whole, plan_of(4))
    with pytest.raises(NotApprovedError, match="hours: timezone is 'America/New_York'"):
        check_terms(whole, plan_of(people(2, 10)))


def test_a_part_that_the_plan_tells_in_brief_is_compared_as_well() -> None:
    whole = plan_json(plan_of(3))
    whole["parts"] = [{name: whole["parts"][0][name] for name in ("part", "people", "digest", "seal")}]
    check_terms(whole, plan_of(3))
    for change in ({"agent_id": "agt_5e1ec7ed"}, {"start_time": "08:00"}):
        with pytest.raises(NotApprovedError):
            check_terms(whole, plan_of(3, **change))


@pytest.mark.parametrize("plan", [{}, {"kind": "truedy.plan", "version": 2}, {"kind": "truedy.contacts"}])
def test_what_is_no_plan_approves_nothing(plan: dict[str, Any]) -> None:
    with pytest.raises(NotApprovedError, match="not what PlanBatchCallsOperator returned"):
        check_terms(plan, plan_of(3))


def test_a_plan_without_parts_approves_nothing() -> None:
    with pytest.raises(NotApprovedError):
        check_terms({**plan_json(plan_of(3)), "parts": []}, plan_of(3))


class TestAnswer:
    @pytest.mark.parametrize("at", [MONDAY + timedelta(minutes=5), utc_text(MONDAY + timedelta(minutes=5))])
    def test_a_yes_counts_from_when_it_was_given(self, at: Any) -> None:
        assert approval_of(plan_json(plan_of(3)), answer(at=at), A_DAY).expires == MONDAY + A_DAY + timedelta(minutes=5)

    def test_without_an_answer_the_age_is_that_of_the_plan(self) -> None:
        assert approval_of(plan_json(plan_of(3)), None, A_DAY).expires == MONDAY + A_DAY

    @pytest.mark.parametrize("chosen", [["Reject"], [], ["approve"], ["Approve", "Reject"], ["Yes"]])
    def test_any_other_answer_starts_nothing(self, chosen: list[str]) -> None:
        with pytest.raises(NotApprovedError, match="answer to the plan"):
            approval_of(plan_json(plan_of(3)), answer(chosen), A_DAY)

    @pytest.mark.parametrize("wrong", [{}, {"chosen_options": None}, answer(at=None), answer(at="soon")])
    def test_what_is_no_answer_starts_nothing(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(NotApprovedError):
            approval_of(plan_json(plan_of(3)), wrong, A_DAY)

    @pytest.mark.parametrize("made_at", [MONDAY - timedelta(hours=1), MONDAY + timedelta(minutes=1)])
    def test_a_yes_to_another_plan_of_the_same_task_counts_for_none(self, made_at: datetime) -> None:
        shown = preview([planned(plan_of(3), made_at)], made_at)
        with pytest.raises(NotApprovedError, match="nobody has approved this one"):
            approval_of(plan_json(plan_of(3)), answer(to=shown), A_DAY)
        assert approval_of(json.loads(json.dumps(shown)), answer(to=shown), A_DAY)

    @pytest.mark.parametrize("plans", [None, [], "", ["0" * 16]])
    def test_an_answer_that_showed_another_plan_or_none_counts_for_none(self, plans: Any) -> None:
        with pytest.raises(NotApprovedError, match="nobody has approved this one"):
            approval_of(plan_json(plan_of(3)), {**answer(), "plans": plans}, A_DAY)

    @pytest.mark.parametrize("at", [MONDAY, MONDAY + timedelta(minutes=5)])
    def test_airflows_own_approval_counts_for_an_older_plan(self, at: datetime) -> None:
        own = {name: value for name, value in answer(at=at).items() if name != "plans"}
        assert approval_of(plan_json(plan_of(3)), own, A_DAY).given_at == at

    def test_airflows_own_approval_counts_for_no_plan_that_was_made_again(self) -> None:
        again = json.loads(json.dumps(preview([planned(plan_of(3), MONDAY)], MONDAY, made_in_try=2)))
        own = {name: value for name, value in answer().items() if name != "plans"}
        with pytest.raises(NotApprovedError, match="nobody has approved this one"):
            approval_of(again, own, A_DAY)
        assert approval_of(again, answer(to=again), A_DAY)

    def test_airflows_own_approval_counts_for_no_younger_plan(self) -> None:
        own = {name: value for name, value in answer(at=MONDAY - timedelta(seconds=1)).items() if name != "plans"}
        with pytest.raises(NotApprovedError, match="nobody has approved this one"):
            approval_of(plan_json(plan_of(3)), own, A_DAY)


def test_the_key_of_a_task_is_sealed_as_its_run_because_the_plan_is_another_task() -> None:
    def keyed(text: str, run: tuple[str, str] | None = None, **more: Any) -> CampaignPlan:
        return replace(plan_of(3), key=CampaignKey(text, **more), run=run)

    run = ("dag", "run")
    shown = plan_json(keyed("dag/plan/run/-1", run=run))
    check_terms(shown, keyed("dag/create/run/3", run=run))
    for other in (
        keyed("dag/create/run/3", run=("dag", "another run")),
        keyed("dag/create/run/3", run=run, word="other"),
        keyed("stated"),
    ):
        with pytest.raises(NotApprovedError, match="campaign_key, run, tag_word"):
            check_terms(shown, other)


def approved_plan(hours: float = 24, **changes: Any) -> CampaignPlan:
    shown = plan_json(plan_of(3, **changes))
    return approved(plan_of(3, **changes), shown, answer(to=shown), timedelta(hours=hours))


class TestLaunch:
    def test_it_starts_in_time(self, ground: Ground) -> None:
        assert ground.run(approved_plan()).batch.scheduled_at == STARTS_AT
        assert ground.only.status == "scheduled"

    def test_an_old_approval_starts_nothing(self, ground: Ground) -> None:
        ground.advance(2 * 3600)
        with pytest.raises(NotApprovedError, match="max_approval_age"):
            ground.run(approved_plan(hours=1))
        assert ground.writes == []

    def test_an_approval_that_expires_during_the_upload_leaves_a_draft(self, ground: Ground) -> None:
        ground.alter("POST", ".*/contacts", lambda _, send: (ground.advance(2 * 3600), send())[1])
        with pytest.raises(NotApprovedError, match="max_approval_age"):
            ground.run(approved_plan(hours=1, chunk_size=1))
        assert ground.only.status == "draft"

    def test_no_request_that_starts_it_is_sent_after_the_approval_has_expired(self, ground: Ground) -> None:
        plan = approved_plan(hours=1)
        now = MONDAY + timedelta(minutes=30)
        assert plan.start_step(now).not_after == MONDAY + timedelta(minutes=65)
        assert approved_plan(hours=900).start_step(now).not_after == STARTS_AT
        assert plan_of(3).start_step(now).not_after == STARTS_AT

    def test_what_was_started_in_time_is_found_again_after_the_approval_has_expired(self, ground: Ground) -> None:
        store = Memory()
        first = ground.run(approved_plan(hours=1), store)
        ground.advance(3 * 3600)
        again = ground.run(approved_plan(hours=1), store)
        assert again.attached
        assert again.batch.id == first.batch.id

    @pytest.mark.parametrize(
        ("on_past", "error"),
        [("start_now", NotApprovedError), ("skip", PastStartSkip), ("fail", PastStartError)],
    )
    def test_no_start_later_than_the_approved_one(self, ground: Ground, on_past: str, error: type[Exception]) -> None:
        ground.advance((STARTS_AT - MONDAY).total_seconds() + 60)
        with pytest.raises(error, match="passed"):
            ground.run(approved_plan(hours=900, on_past=on_past))
        assert ground.writes == []


def test_an_approval_is_no_part_of_the_campaign() -> None:
    plan = plan_of(3)
    assert replace(plan, approval=Approval(datetime.max, A_DAY)).fingerprint == plan.fingerprint
    assert plan.key == CampaignKey("dag/task/run")
