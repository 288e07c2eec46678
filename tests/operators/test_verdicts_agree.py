"""Operator, sensor and trigger come to the same verdict for every state and count, on every path."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_truedy.api.models import BatchCall
from airflow_truedy.monitoring.outcome import SuccessRules, Verdict, outcome_of
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.sensors.batch_calls import BatchCallSensor
from tests.monitoring.watched import batch
from tests.operators.waiting_world import answer, context, resumed

STATES = ["completed", "failed", "cancelled"]
COUNTS = [
    {"called": 100},
    {"called": 60},
    {"called": 60, "pending": 0, "failed": 30},
    {"called": 100, "failed": 100, "completed": 0},
    {"called": 0, "total": 0},
    {"called": None, "total": None, "completed": None, "failed": None},
]
RULES: list[dict[str, Any]] = [
    {},
    {"min_called": 0.9},
    {"min_called": 60, "on_partial": "warn"},
    {"max_failed": 0.25},
    {"max_failed": 50, "min_called": 0.5, "on_partial": "warn"},
]
TABLE = list(itertools.product(STATES, COUNTS, RULES))
KEYS = ("batch_call_id", "status", "outcome", "total_contacts", "called", "completed", "failed", "pending")


def operator(deferrable: bool, rules: dict[str, Any]) -> CreateBatchCallOperator:
    return CreateBatchCallOperator(
        task_id="launch",
        name="Renewals",
        agent_id="agt_1",
        contact_ids=["con_1"],
        schedule_type="immediate",
        timezone="UTC",
        start_time="00:00",
        end_time="23:59",
        wait_for_completion=True,
        deferrable=deferrable,
        poll_interval=0.004,
        **rules,
    )


def sensor(deferrable: bool, rules: dict[str, Any]) -> BatchCallSensor:
    return BatchCallSensor(task_id="wait", batch_call_id="batch_1", deferrable=deferrable, poke_interval=0.004, **rules)


def told(run: Any) -> Any:
    """What a task makes of it: its result, or the failure and its words."""
    try:
        result = run()
    except AirflowFailException as failure:
        return str(failure).split(": ", 1)[1]
    return {key: result[key] for key in KEYS}


def deferred(task: Any) -> Any:
    try:
        task.execute(context())
    except TaskDeferred as deferral:
        return resumed(task, deferral)
    raise AssertionError("It did not defer.")


def at_once_or_deferred(task: Any) -> Any:
    try:
        return task.execute(context())
    except TaskDeferred as deferral:
        return resumed(task, deferral)


def poked(task: Any) -> Any:
    while not (answered := task.poke(context())):
        time.sleep(0.001)
    return answered.xcom_value


@pytest.mark.parametrize(("state", "counts", "rules"), TABLE)
def test_every_path_tells_the_same(
    monkeypatch: pytest.MonkeyPatch, state: str, counts: dict[str, Any], rules: dict[str, Any]
) -> None:
    going_on, ended = batch("active", 1), batch(state, **counts)
    outcome = outcome_of(ended, SuccessRules(**rules))
    assert outcome is not None
    expected = outcome.message
    if outcome.verdict is not Verdict.FAILURE:
        expected = {key: value for key, value in outcome.summary().items() if key in KEYS}  # type: ignore[assignment]

    def after(*readings: BatchCall) -> None:
        answer(monkeypatch, *readings, launched=readings[0])

    after(going_on, ended)
    assert told(lambda: operator(False, rules).execute(context())) == expected
    after(ended)
    assert told(lambda: operator(False, rules).execute(context())) == expected, "a retry that finds it ended"
    assert told(lambda: at_once_or_deferred(operator(True, rules))) == expected, "counters may be read once more"
    after(going_on, ended)
    assert told(lambda: deferred(operator(True, rules))) == expected
    after(going_on, ended)
    assert told(lambda: deferred(sensor(True, rules))) == expected
    after(going_on, ended)
    assert told(lambda: sensor(False, rules).execute(context())) == expected
    after(ended)
    assert told(lambda: poked(sensor(False, rules))) == expected


@pytest.mark.parametrize("state", ["draft", "scheduled", "active", "running", "paused", "dialing", ""])
@pytest.mark.parametrize("counts", COUNTS)
def test_every_path_waits_on(monkeypatch: pytest.MonkeyPatch, state: str, counts: dict[str, Any]) -> None:
    answer(monkeypatch, batch(state, **counts))
    for task in (operator(True, {}), sensor(True, {})):
        with pytest.raises(TaskDeferred):
            task.execute(context())
    assert sensor(False, {}).poke(context()) is False
