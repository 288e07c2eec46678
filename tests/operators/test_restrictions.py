"""No operator sends a write with a connection that may not dial, and each ends green behind a dry run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from truedy_sandbox.process import SandboxProcess

from airflow_truedy.hooks.truedy import TruedyHook
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.calls import CreateCallOperator
from airflow_truedy.operators.contacts import ImportContactsOperator
from airflow_truedy.operators.results import BatchCallResultsOperator
from airflow_truedy.operators.steering import ResumeBatchCallOperator, ScheduleBatchCallOperator
from airflow_truedy.sensors.batch_calls import BatchCallSensor
from tests.support.contexts import context_of
from tests.support.operators import parameters_of, public_operators
from tests.support.plans import AGENT, people

SCHEDULE = {"scheduled_at": "2099-06-02T10:00", "timezone": "America/New_York"}
WINDOW = {"start_time": "09:00", "end_time": "17:30"}
PLANNED = {"dry_run": True, "would": "create and schedule", "batch_call_id": None}
# What each operator is given; those that take contacts are given three people.
GIVEN: dict[str, dict[str, Any]] = {
    "CreateBatchCallOperator": {"name": "n", "agent_id": AGENT, "contacts": people(3), **SCHEDULE, **WINDOW},
    "CreateCallOperator": {"agent_id": AGENT, "phone_number": people(1)[0]["phone_number"]},
    "ImportContactsOperator": {"contacts": people(3), "folder": "spring"},
    "ScheduleBatchCallOperator": SCHEDULE,
    "PauseBatchCallOperator": {},
    "ResumeBatchCallOperator": {},
    "UpdateBatchCallOperator": {"max_calls_per_day": 5},
    "DeleteBatchCallsOperator": {},
    "HoldBatchCallsOperator": {"hold": "stop"},
    "ReleaseBatchCallsOperator": {"hold": "stop", **WINDOW},
}
# Those that take the id of a batch call, or several.
STEERING = [name for name in GIVEN if name.startswith(("Schedule", "Pause", "Resume", "Update", "Delete"))]
ONLY_READS = {"BatchCallResultsOperator", "BatchCallSensor", "PlanBatchCallsOperator"}


OPERATORS = {name: kind for name, kind in public_operators().items() if "truedy_conn_id" in parameters_of(kind)}
BASES = {"CampaignOperator"}


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxProcess]:
    with SandboxProcess(rate_limit=0) as server:
        connect(monkeypatch, server)
        yield server


def connect(monkeypatch: pytest.MonkeyPatch, server: SandboxProcess, **extra: Any) -> None:
    connection = {"conn_type": "truedy", "host": server.base_url, "password": server.api_key, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", json.dumps(connection))


def draft_of(contacts: list[dict[str, Any]]) -> dict[str, Any]:
    operator = CreateBatchCallOperator(task_id="draft", name="n", agent_id=AGENT, contacts=contacts, start=False)
    made: dict[str, Any] = operator.execute(context_of(operator))
    return made


def run(kind: Any, batch_call: Any, **more: Any) -> dict[str, Any]:
    parameters = {**GIVEN[kind.__name__], **more}
    names = parameters_of(kind)
    for name, value in {"batch_call_id": batch_call, "batch_call_ids": [batch_call]}.items():
        if name in names:
            parameters[name] = value
    operator = kind(task_id="t", **parameters)
    summary: dict[str, Any] = operator.execute(context_of(operator))
    return summary


def writes_of(server: SandboxProcess) -> list[str]:
    return [f"{each['method']} {each['path']}" for each in server.requests() if each["method"] != "GET"]


def test_every_operator_that_talks_to_truedy_is_tried() -> None:
    assert set(OPERATORS) - BASES == set(GIVEN) | ONLY_READS


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("exists", [True, False])
def test_with_a_dry_connection_nothing_is_written_and_the_task_is_green(
    name: str,
    exists: bool,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    batch_call = draft_of(people(3)) if exists else PLANNED
    before = writes_of(sandbox)
    connect(monkeypatch, sandbox, dry_run=True)
    summary = run(OPERATORS[name], batch_call)
    assert writes_of(sandbox) == before
    assert summary["dry_run"] is True
    assert summary["would"]
    assert json.loads(json.dumps(summary)) == summary
    told = capfd.readouterr().out
    assert "Dry run: nothing was written" in told
    assert "2125550" not in told + json.dumps(summary)


@pytest.mark.parametrize("name", STEERING)
def test_behind_a_dry_run_there_is_nothing_to_steer(name: str, sandbox: SandboxProcess) -> None:
    """The operator's own ``dry_run`` plans; the rest of the Dag uses the same connection, which may dial."""
    assert run(OPERATORS[name], PLANNED)["dry_run"] is True
    assert sandbox.requests() == []


def test_behind_a_dry_run_a_sensor_is_done_and_results_are_skipped(sandbox: SandboxProcess, tmp_path: Path) -> None:
    sensor = BatchCallSensor(task_id="s", batch_call_id=PLANNED)
    assert sensor.execute(context_of(sensor))["dry_run"] is True
    results = BatchCallResultsOperator(task_id="r", batch_call_id=PLANNED, to=str(tmp_path / "results.csv"))
    with pytest.raises(AirflowSkipException, match="dry run"):
        results.execute(context_of(results))
    assert sandbox.requests() == []


OTHERS = people(3)
ONE = [OTHERS[0]["phone_number"]]


@pytest.mark.parametrize("name", ["CreateBatchCallOperator", "CreateCallOperator", "ImportContactsOperator"])
def test_other_numbers_than_the_connection_allows_are_refused_before_anything_is_sent(
    name: str, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox, only_numbers=[OTHERS[1]["phone_number"], "+12125550177"])
    with pytest.raises(AirflowFailException, match="only_numbers") as refused:
        run(OPERATORS[name], None)
    assert writes_of(sandbox) == []
    assert ONE[0][2:] not in str(refused.value)


@pytest.mark.parametrize("unknown", [{"contact_ids": ["ctc_1"]}, {"contact_folder_id": "fld_1"}])
def test_people_whose_numbers_only_the_server_knows_are_refused(
    unknown: dict[str, Any], sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox, only_numbers=ONE)
    with pytest.raises(AirflowFailException, match=next(iter(unknown))):
        run(CreateBatchCallOperator, None, contacts=people(1), **unknown)
    assert writes_of(sandbox) == []


@pytest.mark.parametrize("kind", [ScheduleBatchCallOperator, ResumeBatchCallOperator])
def test_a_campaign_that_holds_others_is_not_started(
    kind: Any, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = draft_of(OTHERS)
    before = writes_of(sandbox)
    connect(monkeypatch, sandbox, only_numbers=ONE)
    with pytest.raises(AirflowFailException, match="only_numbers"):
        run(kind, draft)
    assert writes_of(sandbox) == before


def test_who_may_be_called_is_called(sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, sandbox, only_numbers=ONE)
    made = run(CreateBatchCallOperator, None, contacts=people(1))
    assert made["status"] == "scheduled"
    assert run(CreateCallOperator, None)["call_id"]
    run(ImportContactsOperator, None, contacts=people(1))
    with TruedyHook() as hook:
        assert hook.settings.only_numbers == tuple(ONE)
