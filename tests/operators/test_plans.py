"""The plan before the campaign, and the campaign that starts only as planned and approved."""

from __future__ import annotations

import json
import logging
import runpy
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import time_machine
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import DAG
from airflow.sdk.bases.operator import ExecutorSafeguard

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.calling_hours import PartHours
from airflow_truedy.campaigns.errors import TimingError
from airflow_truedy.campaigns.plan_format import seal_of
from airflow_truedy.contacts import Columns, ContactRules, RegionColumn
from airflow_truedy.contacts.prepare import prepare_contacts
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.plans import MARKDOWN_KEY, PlanBatchCallsOperator
from tests.support.contexts import context_of
from tests.support.ground import Ground
from tests.support.plans import AGENT, HOURS, MONDAY, manifest_of, people
from tools.example_world import DAGS, read_csv

CAMPAIGN: dict[str, Any] = {
    "name": "Renewals",
    "agent_id": AGENT,
    "scheduled_at": "{{ ds }}T10:00",
    "timezone": "America/New_York",
    "start_time": "09:00",
    "end_time": "17:30",
    "max_calls_per_day": 200,
}


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A sandbox that the operators' hook reaches, on a Monday."""
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)
    connection = {"conn_type": "truedy", "host": "http://127.0.0.1", "password": "truedy_sandbox_key"}
    monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", json.dumps(connection))
    with Ground() as made, time_machine.travel(MONDAY, tick=False):
        monkeypatch.setattr("airflow_truedy.hooks.truedy.TruedyHook.client", made.client)
        monkeypatch.setattr("airflow_truedy.hooks.truedy.TruedyHook.close", lambda self: None)
        yield made


def run(kind: Callable[..., Any], contacts: Any = None, ds: str = "2026-06-02", **parameters: Any) -> Any:
    """Render and run a task as Airflow does; ``pushed`` holds its XComs."""
    stated = {**CAMPAIGN, "contacts": people(3) if contacts is None else contacts, **parameters}
    task = kind(task_id=parameters.pop("task_id", "task"), **{key: one for key, one in stated.items() if one != ""})
    context = context_of(task, ds=ds)
    run.pushed = context["ti"].pushed  # type: ignore[attr-defined]
    task.render_template_fields(context)
    return task.execute(context)


def plan(contacts: Any = None, **parameters: Any) -> dict[str, Any]:
    found: dict[str, Any] = run(PlanBatchCallsOperator, contacts, **parameters)
    return found


def yes(to: dict[str, Any], minutes: float = 10) -> dict[str, Any]:
    """What ApprovePlanOperator returns after a yes to a plan."""
    at = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    asked = {"chosen_options": ["Approve"], "params_input": {}, "responded_at": at, "responded_by_user": None}
    return {**asked, "plans": [seal_of(to)]}


class TestPlan:
    def test_it_makes_no_request_and_shows_nobody(
        self, ground: Ground, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        found = plan(cost_per_minute="0.1", average_minutes=3)
        assert ground.requests == []
        assert found["people"] == 3
        assert found["cost"]["expected"] == "0.90"
        assert found["parts"][0]["first_call"]["utc"] == "2026-06-02T14:00:00Z"
        markdown = run.pushed[MARKDOWN_KEY]  # type: ignore[attr-defined]
        assert "| People | 3 |" in markdown
        assert "(truedy/plan.svg?dag_id=dag&run_id=run&task_id=task&map_index=-1)" in markdown
        assert "(truedy/run?dag_id=dag&run_id=run)" in markdown
        told = json.dumps(found) + markdown + caplog.text + capfd.readouterr().out
        assert "Calls per day" in told
        assert "Person" not in told
        assert "2125550" not in told

    def test_it_is_what_a_dry_run_of_the_create_task_returns(self, ground: Ground) -> None:
        dry = run(CreateBatchCallOperator, dry_run=True)
        found = plan()
        assert {name: dry[name] for name in found if name != "made_at"} == {
            name: value for name, value in found.items() if name != "made_at"
        }

    def test_how_a_campaign_is_launched_and_waited_for_may_be_in_the_dict_that_both_are_given(
        self, ground: Ground
    ) -> None:
        shared = {"wait_for_completion": True, "deferrable": False, "min_called": 0.5, "durable": False}
        found, expected = plan(**shared), plan()
        assert found == {**expected, "made_at": found["made_at"]}

    def test_each_manifest_of_a_list_is_a_batch_call(self, ground: Ground, tmp_path: Path) -> None:
        rows = [{**person, "segment": f"s{number % 2}"} for number, person in enumerate(people(5))]
        made = prepare_contacts(rows, tmp_path / "all.jsonl.gz", ContactRules(region="US", split_by="segment"))
        several = [manifest.to_dict() for manifest in made]
        found = plan(several, ds="2026-06-02")
        assert [(part["part"], part["people"]) for part in found["parts"]] == [("s0", 3), ("s1", 2)]
        assert found["list"]["rows_read"] == 5
        assert plan(iter(several))["parts"] == plan(json.dumps(several))["parts"] == found["parts"]
        alone = plan(several[0])
        assert alone["parts"] == found["parts"][:1]
        assert "shrank by 40 %" in " ".join(plan(several[0], previous=several)["warnings"])

    def test_the_hours_and_the_start_are_those_of_the_people(self, ground: Ground, tmp_path: Path) -> None:
        own = dict.fromkeys(("scheduled_at", "timezone", "start_time", "end_time"), "")
        (part,) = plan(manifest_of(tmp_path), start_on="{{ ds }}", **own)["parts"]
        assert (part["timezone"], part["start_time"], part["end_time"]) == HOURS.window[:3]
        assert part["start"] == "2026-06-02T13:00:00Z"
        with pytest.raises(AirflowFailException, match="TimingError"):
            plan(manifest_of(tmp_path), **{**own, "end_time": "18:00"}, start_on="2026-06-02")

    def test_the_parts_of_a_list_over_many_zones_are_planned_each_by_its_own_hours(
        self, ground: Ground, tmp_path: Path
    ) -> None:
        hours = runpy.run_path(str(DAGS / "campaign_by_region.py"))["HOURS"]
        columns = Columns("phone", first_name="first_name")
        rules = ContactRules(region=RegionColumn("country"), columns=columns, calling_hours=hours, max_splits=12)
        made_by = {"task_id": "extract", "run_id": "run"}
        files = prepare_contacts(read_csv("people.csv"), tmp_path / "all.jsonl.gz", rules, made_by=made_by)
        made = [part.to_dict() for part in files]
        own = dict.fromkeys(("scheduled_at", "timezone", "start_time", "end_time", "max_calls_per_day"), "")
        limits = {**own, "start_on": "{{ ds }}", "max_calls_per_day": 500}
        found = plan(made, **limits)
        assert len(json.dumps(found)) < 8_192
        assert 5 < len(made) == len(found["parts"]) <= 12
        assert found["list"]["rows_read"] == len(read_csv("people.csv"))
        assert found["people"] == sum(part["contacts"] for part in made)
        for part, manifest in zip(found["parts"], made, strict=True):
            binding = PartHours.from_dict(manifest["calling_hours"])
            assert (part["timezone"], part["start_time"], part["end_time"]) == binding.window[:3]
            assert binding.allows(datetime.fromisoformat(part["first_call"]["utc"].replace("Z", "+00:00")))
            # The create task of each part starts exactly this.
            summary = run(CreateBatchCallOperator, manifest, approved_plan=found, approval=yes(found), **limits)
            assert (summary["scheduled_at"], summary["total_contacts"]) == (part["start"], part["people"])

    def test_it_refuses_and_skips_as_the_create_task_would(self, ground: Ground) -> None:
        with pytest.raises(AirflowFailException, match="PastStartError"):
            plan(ds="2026-05-29")
        with pytest.raises(AirflowSkipException):
            plan(ds="2026-05-29", on_past="skip")
        with pytest.raises(AirflowFailException, match="outside the calling window"):
            plan(scheduled_at="{{ ds }}T08:00")
        with pytest.raises(TimingError):
            plan(start_time="")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"average_minutes": 0},
            {"average_minutes": "soon"},
            {"concurrency": 0},
            {"cost_per_call": -1},
            {"cost_per_call": float("nan")},
            {"cost_per_minute": True},
            {"cost_per_call": 1, "cost_per_minute": 1},
            {"previous": "yesterday"},
            {"previous": [{"contacts": 3}]},
        ],
    )
    def test_what_no_plan_can_be_made_of_is_an_error_while_the_dag_is_parsed(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(InvalidPayloadError, match=f"task 'plan': {next(iter(wrong))}"):
            PlanBatchCallsOperator(task_id="plan", contacts=people(1), **CAMPAIGN, **wrong)

    @pytest.mark.parametrize(("price", "expected"), [(0.1, "0.30"), ("0.085", "0.255"), (1, "3.00")])
    def test_a_price_is_taken_as_it_is_written(self, ground: Ground, price: Any, expected: str) -> None:
        assert plan(cost_per_call=price)["cost"]["expected"] == expected
        assert plan(cost_per_call=f"{{{{ '{price}' }}}}")["cost"]["expected"] == expected


class TestApproved:
    def test_what_was_approved_starts_once(self, ground: Ground) -> None:
        approved = json.loads(json.dumps(plan()))
        for _ in range(2):
            summary = run(CreateBatchCallOperator, approved_plan=approved, approval=yes(approved))
            assert summary["status"] == "scheduled"
        assert len(ground.batches) == 1

    def test_as_text_too(self, ground: Ground) -> None:
        made = plan()
        text = json.dumps(made)
        answer = json.dumps({**yes(made), "responded_at": yes(made)["responded_at"].isoformat()})
        assert run(CreateBatchCallOperator, approved_plan=text, approval=answer)["status"] == "scheduled"

    def test_without_an_answer_the_plan_itself_must_be_young(self, ground: Ground) -> None:
        approved = plan()
        ground.advance(3_700)
        with pytest.raises(AirflowFailException, match=r"NotApprovedError.*max_approval_age"):
            run(CreateBatchCallOperator, approved_plan=approved, max_approval_age=3_600)
        assert ground.writes == []
        assert run(CreateBatchCallOperator, approved_plan=approved, max_approval_age=timedelta(hours=2))["status"]

    @pytest.mark.parametrize(
        "change",
        [
            {"contacts": people(4)},
            {"contacts": people(2)},
            {"contacts": people(3, 1)},
            {"agent_id": "agt_5e1ec7ed"},
            {"end_time": "17:31"},
            {"scheduled_at": "{{ ds }}T10:30"},
            {"max_calls_per_day": 201},
            {"max_calls_per_day": ""},
            {"campaign_key": "another"},
            {"on_duplicate": "allow"},
            {"on_retry": "new"},
            {"max_rejected": 0.5},
            {"tag_word": "other"},
        ],
    )
    def test_anything_else_starts_nothing(self, ground: Ground, change: dict[str, Any]) -> None:
        approved = plan()
        with pytest.raises(AirflowFailException, match=r"NotApprovedError.*not what was approved"):
            run(CreateBatchCallOperator, approved_plan=approved, approval=yes(approved), **change)
        assert ground.writes == []

    def test_one_approval_starts_no_second_campaign_under_another_key(self, ground: Ground) -> None:
        campaign = {"campaign_key": "one", "on_duplicate": "allow"}
        approved = plan(**campaign)
        assert run(CreateBatchCallOperator, approved_plan=approved, approval=yes(approved), **campaign)["status"]
        with pytest.raises(AirflowFailException, match=r"NotApprovedError.*campaign_key"):
            run(
                CreateBatchCallOperator,
                approved_plan=approved,
                approval=yes(approved),
                **{**campaign, "campaign_key": "two"},
            )
        assert len(ground.batches) == 1

    def test_a_yes_to_the_plan_before_starts_nothing(self, ground: Ground) -> None:
        # Of the same campaign: only the price that a person saw differs.
        shown, made_again = plan(cost_per_call=1), plan(cost_per_call=2)
        with pytest.raises(AirflowFailException, match=r"NotApprovedError.*nobody has approved this one"):
            run(CreateBatchCallOperator, approved_plan=made_again, approval=yes(shown))
        assert ground.writes == []

    def test_a_list_that_was_made_again_with_the_same_people_is_the_same(self, ground: Ground, tmp_path: Path) -> None:
        first, again = (manifest_of(tmp_path / name, hours=None) for name in ("one", "two"))
        made = plan(first)
        summary = run(CreateBatchCallOperator, again, approved_plan=made, approval=yes(made))
        assert summary["total_contacts"] == 3

    def test_each_part_of_a_mapped_task_is_compared_with_the_plan_of_all(self, ground: Ground, tmp_path: Path) -> None:
        parts = [manifest_of(tmp_path / name, count, hours=None) for name, count in (("a", 2), ("b", 3))]
        parts[1]["split"] = {"column": "segment", "value": "b"}
        made = plan(parts, on_duplicate="allow")
        given = {"approved_plan": made, "approval": yes(made)}
        with DAG("mapped", start_date=MONDAY):
            mapped = CreateBatchCallOperator.partial(
                task_id="create", **CAMPAIGN, on_duplicate="allow", **given
            ).expand(contacts=[*parts, people(4)])
        for index, people_of in enumerate([*parts, people(4)]):
            task = mapped.unmap({"contacts": people_of})
            context = context_of(task, ds="2026-06-02", map_index=index)
            task.render_template_fields(context)
            if index < 2:
                assert task.execute(context)["total_contacts"] == index + 2
            else:
                with pytest.raises(AirflowFailException, match="none of its parts has these people"):
                    task.execute(context)
        assert len(ground.batches) == 2

    @pytest.mark.parametrize("answer", [{"chosen_options": ["Reject"]}, {"chosen_options": []}, {}])
    def test_another_answer_starts_nothing(self, ground: Ground, answer: dict[str, Any]) -> None:
        made = plan()
        with pytest.raises(AirflowFailException, match="NotApprovedError"):
            run(CreateBatchCallOperator, approved_plan=made, approval={**yes(made), **answer} if answer else {})
        assert ground.writes == []

    @pytest.mark.parametrize("nothing", ["{{ none }}", "{{ '' }}", "{{ 'null' }}"])
    @pytest.mark.parametrize("name", ["approved_plan", "approval"])
    def test_what_renders_to_nothing_approves_nothing(self, ground: Ground, name: str, nothing: str) -> None:
        made = plan()
        given = {"approved_plan": made, "approval": yes(made), name: nothing}
        with pytest.raises(AirflowFailException, match=f"{name}.*rendered to nothing"):
            run(CreateBatchCallOperator, **given)
        assert ground.requests == []

    def test_an_answer_without_a_plan_and_a_folder_are_refused_while_the_dag_is_parsed(self) -> None:
        with pytest.raises(InvalidPayloadError, match="approved_plan"):
            CreateBatchCallOperator(task_id="t", contacts=people(1), **CAMPAIGN, approval=yes({}))
        with pytest.raises(InvalidPayloadError, match="contact_folder_id"):
            CreateBatchCallOperator(task_id="t", **CAMPAIGN, contact_folder_id="f", approved_plan={"kind": "x"})

    @pytest.mark.parametrize("age", [None, -1, "soon"])
    def test_an_age_that_is_none_is_refused_while_the_dag_is_parsed(self, age: Any) -> None:
        with pytest.raises(InvalidPayloadError, match="max_approval_age"):
            CreateBatchCallOperator(task_id="t", contacts=people(1), **CAMPAIGN, max_approval_age=age)

    def test_a_dry_run_tells_what_the_launch_would_refuse(self, ground: Ground) -> None:
        with pytest.raises(AirflowFailException, match="NotApprovedError"):
            run(CreateBatchCallOperator, people(4), approved_plan=plan(), dry_run=True)
