from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_truedy.api.errors import AuthenticationError, InvalidPayloadError, NotFoundError, ServerError
from airflow_truedy.campaigns.errors import TimingError
from airflow_truedy.sensors.batch_calls import BatchCallSensor
from tests.monitoring.watched import batch
from tests.operators.waiting_world import answer, context, resumed
from tests.support.stores import StateStore


def sensor(**parameters: Any) -> BatchCallSensor:
    given: dict[str, Any] = {"task_id": "wait", "batch_call_id": "batch_1", "poke_interval": 0.004, "deferrable": False}
    return BatchCallSensor(**{**given, **parameters})


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"min_called": -1}, InvalidPayloadError),
        ({"on_partial": "maybe"}, InvalidPayloadError),
        ({"stall_after": "soon"}, InvalidPayloadError),
        ({"timezone": "Mars/Olympus"}, TimingError),
        ({"start_time": "09:00", "end_time": "17:00"}, InvalidPayloadError),
        ({"working_days": [1, 2]}, InvalidPayloadError),
        ({"timezone": "UTC", "working_days": [8]}, InvalidPayloadError),
        ({"timezone": "UTC", "working_days": 3}, InvalidPayloadError),
        ({"timezone": "UTC", "start_time": "9:00", "end_time": "17:00"}, InvalidPayloadError),
        ({"timezone": "UTC", "start_time": "09:00"}, InvalidPayloadError),
        ({"timezone": "UTC", "start_time": "17:00", "end_time": "09:00"}, InvalidPayloadError),
    ],
)
def test_what_makes_no_sense_is_refused_when_the_dag_is_parsed(
    parameters: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        sensor(**parameters)


def test_it_only_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = answer(monkeypatch, batch("active"), batch("paused"), batch("completed", 100))
    sensor().execute(context())
    assert set(answers.sent) == {"GET /batch-calls/batch_1"}


@pytest.mark.parametrize("given", [{"batch_call_id": "batch_1", "status": "active"}, "{'batch_call_id': 'batch_1'}"])
def test_it_takes_what_the_operator_returns(monkeypatch: pytest.MonkeyPatch, given: Any) -> None:
    answers = answer(monkeypatch, batch("completed", 100))
    sensor(batch_call_id=given).execute(context())
    assert answers.sent == ["GET /batch-calls/batch_1"]


def test_a_blip_does_not_end_a_poke_and_a_deleted_batch_call_does(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, ServerError("broken"), batch("active"), NotFoundError("gone"))
    with pytest.raises(AirflowFailException, match="deleted"):
        sensor().execute(context())


def test_a_poke_asks_nothing_while_nothing_can_have_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = answer(monkeypatch, batch("active"))
    waiting = sensor(poke_interval=60)
    assert [waiting.poke(context()) for _ in range(5)] == [False] * 5
    assert len(answers.sent) == 1


def test_a_rescheduled_sensor_remembers_a_pause_over_its_pokes(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("paused"))
    store = StateStore()
    parameters = {"mode": "reschedule", "max_paused": timedelta(hours=1)}
    assert sensor(**parameters).poke(context(store)) is False
    kept = store["truedy_waiting"]
    assert kept["batch_call_id"] == "batch_1"
    for instant in ("since", "at", "paused_at", "due"):
        kept["state"][instant] -= 3600
    with pytest.raises(AirflowFailException, match="paused for 36"):
        sensor(**parameters).poke(context(store))


@pytest.mark.parametrize("problem", [NotFoundError("gone"), AuthenticationError("revoked")])
def test_a_rescheduled_sensor_without_a_memory_notices_what_never_heals(
    monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    answers = answer(monkeypatch, problem)
    with pytest.raises(AirflowFailException, match=r"deleted|revoked"):
        sensor(mode="reschedule").poke(context())
    assert len(answers.sent) <= 3


def test_a_rescheduled_sensor_without_a_memory_bears_one_404(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, NotFoundError("gone"), batch("active"))
    assert sensor(mode="reschedule").poke(context()) is False


def test_a_rescheduled_sensor_without_a_memory_reads_lagging_counters_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("completed", 3), batch("completed", 100))
    assert sensor(mode="reschedule", min_called=1.0).poke(context())


def test_what_was_remembered_ends_with_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("active"), batch("failed", 3))
    store = StateStore()
    waiting = sensor(mode="reschedule")
    assert waiting.poke(context(store)) is False
    time.sleep(0.005)
    with pytest.raises(AirflowFailException):
        waiting.poke(context(store))
    assert store == {}


def test_what_is_remembered_of_another_batch_call_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("completed", 100))
    store = StateStore(
        {"truedy_waiting": {"batch_call_id": "batch_0", "state": {"since": 0, "due": time.time() + 900}}}
    )
    assert sensor(mode="reschedule").poke(context(store))


def test_deferred_it_times_out_like_any_sensor(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("active"))
    waiting = sensor(deferrable=True, timeout=0.05)
    with pytest.raises(TaskDeferred) as deferral:
        waiting.execute(context())
    with pytest.raises(AirflowSensorTimeout, match="did not end"):
        resumed(waiting, deferral.value)


def test_soft_fail_skips_on_every_path(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("failed"))
    for deferrable in (True, False):
        with pytest.raises(AirflowSkipException):
            sensor(soft_fail=True, deferrable=deferrable).execute(context())
    event = {"status": "failure", "reason": "failed", "batch_call_id": "batch_1"}
    with pytest.raises(AirflowSkipException):
        sensor(soft_fail=True).resume_execution("execute_complete", {"event": event}, context())


def test_the_window_is_taken_from_the_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("active"))
    waiting = sensor(
        deferrable=True,
        timezone="America/New_York",
        start_time="09:00",
        end_time="17:30",
        working_days="[1, 2, 3, 4, 5]",
    )
    with pytest.raises(TaskDeferred) as deferral:
        waiting.execute(context())
    window = deferral.value.trigger.serialize()[1]["settings"]["window"]
    assert window == {"zone": "America/New_York", "opens": "09:00", "closes": "17:30", "days": [1, 2, 3, 4, 5]}
