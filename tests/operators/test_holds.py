"""The operators of holds: their parameters, their connection's restrictions, and a hold from end to end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG
from airflow.sdk.bases.operator import ExecutorSafeguard

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.calling_hours import Blackout, CallingHours
from airflow_truedy.operators.holds import HoldBatchCallsOperator, ReleaseBatchCallsOperator
from airflow_truedy.parameters.kinds import NotOfKindError, several
from tests.support.contexts import context_of
from tests.support.ground import Ground
from tests.support.plans import plan_of

NOW = {"schedule_type": "immediate", "scheduled_at": None}
DAYTIME = {"start_time": "09:00", "end_time": "17:00"}


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A sandbox that the hook reaches, whose clock stands at Monday, nine in New York."""
    with Ground() as made:
        monkeypatch.setattr("airflow_truedy.hooks.truedy.TruedyHook.client", made.client)
        monkeypatch.setattr("airflow_truedy.hooks.truedy.TruedyHook.close", lambda self: None)
        monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)
        connect(monkeypatch)
        yield made


def connect(monkeypatch: pytest.MonkeyPatch, **extra: Any) -> None:
    connection = {"conn_type": "truedy", "host": "http://127.0.0.1", "password": "truedy_sandbox_key", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", json.dumps(connection))


def run(kind: type[Any], *, params: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    task = kind(task_id="t", **{"hold": "stop", **(DAYTIME if kind is ReleaseBatchCallsOperator else {}), **options})
    context = context_of(task, params=params or {})
    task.render_template_fields(context)
    done: dict[str, Any] = task.execute(context)
    return done


def test_what_is_held_is_released(ground: Ground) -> None:
    batch = ground.run(plan_of(30, **NOW)).batch
    told = run(HoldBatchCallsOperator)
    assert told == {"held": 1, "left": 0, "stopped": [batch.id], "unmarked": []}
    assert ground.only.status == "paused"
    assert run(ReleaseBatchCallsOperator) == {"released": [batch.id], "kept": {}}
    assert ground.only.status == "active"


@pytest.mark.parametrize(
    ("params", "stops"),
    [
        ({"zone": None, "state": None}, True),
        ({"zone": "", "state": ""}, True),
        ({"zone": "America/Detroit", "state": None}, True),
        ({"zone": "America/Chicago", "state": None}, False),
        ({"zone": None, "state": "US-FL"}, True),
        ({"zone": None, "state": "US-CA"}, False),
        ({"zone": "America/New_York", "state": "US-CA"}, True),
    ],
)
def test_a_form_chooses_and_nothing_chosen_means_all(ground: Ground, params: dict[str, Any], stops: bool) -> None:
    ground.run(plan_of(30, **NOW))
    run(HoldBatchCallsOperator, params=params, zones="{{ params.zone }}", states="{{ params.state }}")
    assert (ground.only.status == "paused") == stops


@pytest.mark.parametrize("chosen", [{"zones": "New York"}, {"states": "Florida"}, {"hold": "two words"}])
def test_what_does_not_exist_fails_for_good(ground: Ground, chosen: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException):
        run(HoldBatchCallsOperator, **chosen)
    assert ground.requests == []


def test_with_a_policy_only_days_without_calls_are_held(ground: Ground) -> None:
    ground.run(plan_of(30, **NOW))
    today, tomorrow = (
        {"calling_hours": CallingHours(blackout=Blackout(dates=[day])), "jurisdictions": "US-NY"}
        for day in ("2026-06-01", "2026-06-02")
    )
    assert run(HoldBatchCallsOperator, **tomorrow)["held"] == 0
    assert run(HoldBatchCallsOperator, **today)["held"] == 1
    assert run(ReleaseBatchCallsOperator, **today)["released"] == []
    assert run(ReleaseBatchCallsOperator, **tomorrow, ahead=timedelta(days=1))["released"] == []
    assert len(run(ReleaseBatchCallsOperator, **tomorrow)["released"]) == 1


def test_a_dry_run_tells_and_changes_nothing(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = ground.run(plan_of(30, **NOW)).batch
    connect(monkeypatch, dry_run=True)
    writes = list(ground.writes)
    told = run(HoldBatchCallsOperator)
    assert told == {"dry_run": True, "would": "hold 1 campaigns", "batch_call_ids": [batch.id]}
    connect(monkeypatch)
    run(HoldBatchCallsOperator)
    connect(monkeypatch, dry_run=True)
    writes = list(ground.writes)
    told = run(ReleaseBatchCallsOperator)
    assert told == {"dry_run": True, "would": "let 1 campaigns go on", "batch_call_ids": [batch.id]}
    assert ground.writes == writes


def test_people_that_the_connection_may_not_call_are_held_and_not_let_go_on(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.run(plan_of(30, **NOW))
    connect(monkeypatch, only_numbers=["+12125550199"])
    assert run(HoldBatchCallsOperator)["held"] == 1
    with pytest.raises(AirflowFailException, match="only_numbers"):
        run(ReleaseBatchCallsOperator)
    assert ground.only.status == "paused"


@pytest.mark.parametrize(
    "wrong",
    [{"start_time": "9"}, {"end_time": "08:00"}, {"working_days": [0]}, {"working_days": "some"}, {"zones": [5]}],
)
def test_what_cannot_be_meant_fails_while_the_dag_is_parsed(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidPayloadError, match="task 't'"), DAG("d", schedule=None):
        ReleaseBatchCallsOperator(task_id="t", **{"hold": "stop", **DAYTIME, **wrong})


def test_hours_have_no_default() -> None:
    with pytest.raises(TypeError, match="start_time"), DAG("d", schedule=None):
        ReleaseBatchCallsOperator(task_id="t", hold="stop")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        ("", ()),
        ("None", ()),
        ("a", ("a",)),
        (" a ", ("a",)),
        (["a", "", "b"], ("a", "b")),
        ("['a', 'b']", ("a", "b")),
        ('["a"]', ("a",)),
    ],
)
def test_one_or_several_texts(value: Any, expected: tuple[str, ...]) -> None:
    assert several(value) == expected


@pytest.mark.parametrize("value", [5, [5], {"a": 1}])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(NotOfKindError):
        several(value)


def test_the_present_is_the_servers(ground: Ground) -> None:
    """Its clock stands in June; ours, which would be in the hours or not, does not count."""
    ground.run(plan_of(30, **NOW))
    run(HoldBatchCallsOperator)
    ground.advance(9 * 3600)
    assert datetime.now(timezone.utc) > ground.now()
    assert "outside its hours" in next(iter(run(ReleaseBatchCallsOperator)["kept"].values()))
