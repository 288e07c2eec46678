from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import time_machine
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import DAG
from truedy_sandbox.process import SandboxProcess

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.campaigns.errors import TimingError
from airflow_truedy.hooks.truedy import TruedyHook
from airflow_truedy.operators.steering import (
    DeleteBatchCallsOperator,
    PauseBatchCallOperator,
    ResumeBatchCallOperator,
    ScheduleBatchCallOperator,
    UpdateBatchCallOperator,
)
from airflow_truedy.parameters.kinds import NotOfKindError, batch_call, batch_calls
from tests.support.contexts import context_of

MONDAY = datetime(2026, 6, 1, 13, tzinfo=timezone.utc)
WEDNESDAY = {"scheduled_at": "2026-06-03T10:00", "timezone": "America/New_York"}


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxProcess]:
    with SandboxProcess(rate_limit=0, speed=0, start=MONDAY) as server:
        monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", server.connection())
        yield server


@pytest.fixture
def draft(sandbox: SandboxProcess) -> dict[str, Any]:
    from airflow_truedy.api.models import BatchCallRequest

    request = BatchCallRequest.checked(
        name="Renewals",
        agent_id="agt_f9447372",
        contacts=[{"phone_number": "+12125550100"}],
        timezone="America/New_York",
        start_time="09:00",
        end_time="17:30",
    )
    with TruedyHook() as hook:
        return {"batch_call_id": hook.create_batch_call(request).id}


def run(kind: type[Any], **options: Any) -> dict[str, Any]:
    operator = kind(task_id="steer", **options)
    # Only "now" is asked of this clock; requests take real time.
    with time_machine.travel(MONDAY, tick=True):
        done: dict[str, Any] = operator.execute(context_of(operator))
    return done


def test_a_draft_is_scheduled_moved_paused_resumed_and_each_step_twice(
    sandbox: SandboxProcess, draft: dict[str, Any]
) -> None:
    moved = {"scheduled_at": "2026-06-04T10:00", "timezone": "America/New_York", "max_calls_per_day": 50}
    steps: list[tuple[type[Any], dict[str, Any], str]] = [
        (ScheduleBatchCallOperator, WEDNESDAY, "scheduled"),
        (PauseBatchCallOperator, {}, "paused"),
        (UpdateBatchCallOperator, moved, "paused"),
        (ResumeBatchCallOperator, {}, "scheduled"),
    ]
    for kind, options, status in steps:
        for _ in range(2):
            assert run(kind, batch_call_id=draft, **options)["status"] == status
    (batch,) = sandbox.state()["batch_calls"]
    assert batch["scheduled_at"] == "2026-06-04T14:00:00Z"
    assert batch["hours"]["max_calls_per_day"] == 50
    writes = [each["path"].rpartition("/")[2] for each in sandbox.requests() if each["method"] == "POST"]
    assert writes == ["batch-calls", "schedule", "pause", "resume"]


def test_an_update_says_what_it_sent_and_what_nobody_knows(draft: dict[str, Any]) -> None:
    done = run(UpdateBatchCallOperator, batch_call_id=draft, name="Other", max_calls_per_day="7")
    assert (done["sent"], done["not_taken"], done["unreadable"]) == (
        ["name", "max_calls_per_day"],
        [],
        ["max_calls_per_day"],
    )


def test_the_link_leads_to_the_batch_call(sandbox: SandboxProcess, draft: dict[str, Any]) -> None:
    operator = PauseBatchCallOperator(task_id="steer", **draft)
    context = context_of(operator)
    operator.execute(context)
    assert context["ti"].pushed == {"truedy_campaign_url": f"{sandbox.url}/#{draft['batch_call_id']}"}


def test_a_start_in_the_past_can_skip_the_task(sandbox: SandboxProcess, draft: dict[str, Any]) -> None:
    past = {**WEDNESDAY, "scheduled_at": MONDAY - timedelta(days=1)}
    with pytest.raises(AirflowSkipException):
        run(ScheduleBatchCallOperator, **draft, **past, on_past="skip")
    with pytest.raises(AirflowFailException, match="has passed"):
        run(ScheduleBatchCallOperator, **draft, **past)
    assert sandbox.state()["batch_calls"][0]["status"] == "draft"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scheduled_at": "2026-06-03T10:00"},
        {"schedule_type": "immediate", "scheduled_at": "2026-06-03T10:00", "timezone": "UTC"},
        {"scheduled_at": "2026-03-08T02:30", "timezone": "America/New_York"},
        {"scheduled_at": "2026-06-03", "timezone": "UTC"},
        {"schedule_type": "immediate", "timezone": "Mars/Base"},
    ],
)
def test_a_start_that_is_not_stated_fails_when_the_dag_is_parsed(options: dict[str, Any]) -> None:
    with pytest.raises(TimingError):
        ScheduleBatchCallOperator(task_id="steer", batch_call_id="b", **options)


@pytest.mark.parametrize(
    ("scheduled_at", "schedule_type", "timezone"),
    [
        ("", None, ""),
        ("2026-06-03T10:00", "immediate", "UTC"),
        ("2026-06-03T10:00", None, ""),
        ("None", "scheduled", "UTC"),
    ],
)
def test_a_start_must_still_be_stated_when_its_templates_are_rendered(
    draft: dict[str, Any], scheduled_at: str, schedule_type: str | None, timezone: str
) -> None:
    operator = ScheduleBatchCallOperator(
        task_id="steer",
        batch_call_id=str(draft),
        scheduled_at="{{ params.at }}",
        timezone="{{ params.zone }}",
        schedule_type="{{ params.kind }}",
    )
    operator.scheduled_at, operator.schedule_type, operator.timezone = scheduled_at, schedule_type, timezone
    with time_machine.travel(MONDAY, tick=True), pytest.raises(AirflowFailException, match="TimingError"):
        operator.execute(context_of(operator))
    with TruedyHook() as hook:
        assert hook.get_batch_call(draft["batch_call_id"]).status == "draft"


def test_a_start_at_once_needs_no_zone_when_its_templates_are_rendered(draft: dict[str, Any]) -> None:
    operator = ScheduleBatchCallOperator(
        task_id="steer", batch_call_id=str(draft), scheduled_at="{{ params.at }}", timezone="{{ params.zone }}"
    )
    operator.scheduled_at, operator.schedule_type, operator.timezone = "None", "immediate", None
    with time_machine.travel(datetime(2026, 6, 1, 14, tzinfo=timezone.utc), tick=True):
        assert operator.execute(context_of(operator))["status"] in ("active", "scheduled")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ScheduleBatchCallOperator, {**WEDNESDAY, "on_past": "never"}),
        (UpdateBatchCallOperator, {}),
        (UpdateBatchCallOperator, {"start_time": "10:00", "end_time": "12:00"}),
        (UpdateBatchCallOperator, {"end_time": "9pm", "timezone": "UTC"}),
        (UpdateBatchCallOperator, {"working_days": [8], "timezone": "UTC"}),
    ],
)
def test_a_parameter_that_cannot_be_meant_fails_when_the_dag_is_parsed(kind: type[Any], options: Any) -> None:
    with pytest.raises(InvalidPayloadError):
        kind(task_id="steer", batch_call_id="b", **options)


def test_templates_are_left_to_the_run(draft: dict[str, Any]) -> None:
    with DAG("dag"):
        operator = ScheduleBatchCallOperator(
            task_id="steer",
            batch_call_id="{{ params.made }}",
            scheduled_at="{{ params.at }}",
            timezone="{{ params.zone }}",
            on_past="{{ params.past }}",
        )
    params = {"made": str(draft), "at": "2026-06-03T10:00", "zone": "America/New_York", "past": "fail"}
    context = {**context_of(operator), "params": params}
    operator.render_template_fields(context)
    with time_machine.travel(MONDAY, tick=True):
        assert operator.execute(context)["scheduled_at"] == "2026-06-03T14:00:00Z"


@pytest.mark.parametrize(
    "field",
    [
        "name",
        "phone_number_ids",
        "phone_rotation_strategy",
        "scheduled_at",
        "start_time",
        "end_time",
        "working_days",
        "max_calls_per_day",
        "retry_failed",
        "timezone",
    ],
)
@pytest.mark.parametrize("nothing", ["{{ params.get('a', '') }}", "{{ none }}"])
def test_an_update_of_which_a_part_renders_to_nothing_changes_nothing(
    sandbox: SandboxProcess, draft: dict[str, Any], field: str, nothing: str
) -> None:
    stated = {"name": "Other", "timezone": "America/New_York", field: nothing}
    with DAG("dag"):
        operator = UpdateBatchCallOperator(task_id="steer", **draft, **stated)
    context = {**context_of(operator), "params": {}}
    operator.render_template_fields(context)
    with pytest.raises(AirflowFailException, match=f"{field}.*rendered to nothing"):
        operator.execute(context)
    assert all(each["method"] != "PATCH" for each in sandbox.requests())


def test_what_may_not_be_deleted_is_listed_after_the_rest_is_gone(
    sandbox: SandboxProcess, draft: dict[str, Any]
) -> None:
    ids = [draft["batch_call_id"]]
    run(ScheduleBatchCallOperator, **draft, **WEDNESDAY)
    other = sandbox.state()["batch_calls"][0]["id"]
    assert ids == [other]
    from airflow_truedy.api.models import BatchCallRequest

    with TruedyHook() as hook:
        request = BatchCallRequest.checked(
            name="Two", agent_id="agt_f9447372", contacts=[{"phone_number": "+12125550101"}]
        )
        ids.append(hook.create_batch_call(request).id)
    with pytest.raises(AirflowFailException, match=f"1 batch calls were not deleted: {other} is scheduled. 1 others"):
        run(DeleteBatchCallsOperator, batch_call_ids=[draft, ids[1]])
    assert run(DeleteBatchCallsOperator, batch_call_ids=str(ids), fail_if_kept=False) == {
        "deleted": [],
        "gone": [ids[1]],
        "kept": {other: "is scheduled"},
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("batch_1", "batch_1"),
        ("123", "123"),
        ({"batch_call_id": "batch_1"}, "batch_1"),
        ("{'batch_call_id': 'batch_1', 'status': None}", "batch_1"),
        ('{"batch_call_id": "batch_1"}', "batch_1"),
    ],
)
def test_an_id_is_found_in_what_tasks_return(value: Any, expected: str) -> None:
    assert batch_call(value) == expected
    assert batch_calls([value, value]) == [expected]


@pytest.mark.parametrize("value", ["", " ", "None", None])
def test_an_id_whose_template_rendered_to_nothing_is_called_empty(value: Any) -> None:
    with pytest.raises(NotOfKindError, match=r"^is empty"):
        batch_call(value)
    with pytest.raises(InvalidPayloadError, match=r"task 'steer': batch_call_id = .*: is empty"):
        run(PauseBatchCallOperator, batch_call_id=value)


@pytest.mark.parametrize("value", [None, "", "None", {}, {"id": "x"}, 5, []])
def test_what_is_no_id_is_refused(value: Any) -> None:
    with pytest.raises(NotOfKindError):
        batch_call(value)
    with pytest.raises(NotOfKindError):
        batch_calls([value])


@pytest.mark.parametrize("value", ["a,b", "a, b", "a b", "a;b", "a\nb", ["a,b"], {"batch_call_id": "a,b"}])
def test_several_ids_in_one_text_are_refused(value: Any) -> None:
    with pytest.raises(NotOfKindError, match="give several as a list"):
        batch_call(value[0] if isinstance(value, list) else value)
    with pytest.raises(InvalidPayloadError, match="give several as a list"):
        DeleteBatchCallsOperator(task_id="steer", batch_call_ids=value)


@pytest.mark.parametrize("value", [[], (), "[]"])
def test_a_clean_up_may_have_nothing_to_delete(sandbox: SandboxProcess, draft: dict[str, Any], value: Any) -> None:
    assert run(DeleteBatchCallsOperator, batch_call_ids=value) == {"deleted": [], "gone": [], "kept": {}}
    assert len(sandbox.state()["batch_calls"]) == 1
    for missing in (None, "", "{}"):
        with pytest.raises(InvalidPayloadError):
            DeleteBatchCallsOperator(task_id="steer", batch_call_ids=missing)
