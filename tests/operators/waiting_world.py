"""An operator or sensor in the part of a task that runs it, with batch calls answered from a list."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.sdk.bases.operator import ExecutorSafeguard

from airflow_truedy.campaigns.launch import Launch, Launched
from airflow_truedy.hooks.truedy import TruedyAsyncHook, TruedyHook
from airflow_truedy.triggers.batch_calls import BatchCallTrigger
from tests.support.contexts import context_of
from tests.support.stores import StateStore


class Answers:
    """Stands for both clients: gives one reading after the other, the last one for ever."""

    base_url = "http://127.0.0.1/api/public/v1"

    def __init__(self, *readings: Any) -> None:
        self.readings = list(readings)
        self.sent: list[str] = []

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def send(self, call: Any) -> Any:
        self.sent.append(call.operation)
        reading = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        if isinstance(reading, Exception):
            raise reading
        return reading

    def close(self) -> None:
        pass


class AsyncAnswers:
    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def send(self, call: Any) -> Any:
        return self._answers.send(call)

    async def close(self) -> None:
        pass


def context(store: StateStore | None = None) -> Any:
    made = context_of(SimpleNamespace(task_id="t", get_dag=lambda: None), store)
    return {**made, "pushed": made["ti"].pushed}


def answer(monkeypatch: pytest.MonkeyPatch, *readings: Any, launched: Any = None) -> Answers:
    """Let hooks answer with these readings; a launch finds ``launched`` (or the first reading)."""
    answers = Answers(*readings)

    async def connect(_: TruedyAsyncHook) -> AsyncAnswers:
        return AsyncAnswers(answers)

    monkeypatch.setenv(
        "AIRFLOW_CONN_TRUEDY_DEFAULT",
        json.dumps({"conn_type": "truedy", "password": "key_1234", "extra": {"settle": 0.001}}),
    )
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)
    monkeypatch.setattr(TruedyHook, "client", answers)
    monkeypatch.setattr(TruedyHook, "close", lambda self: None)
    monkeypatch.setattr(TruedyAsyncHook, "get_async_conn", connect)
    monkeypatch.setattr(Launch, "run", lambda self: Launched(launched or readings[0], attached=False))
    return answers


def through_the_trigger(deferred: TaskDeferred) -> Any:
    """Take a deferral over the wire to a triggerer and bring back its event."""
    _, kwargs = deferred.trigger.serialize()
    trigger = BatchCallTrigger(**json.loads(json.dumps(kwargs)))

    async def run() -> Any:
        return [event.payload async for event in trigger.run()]

    (event,) = asyncio.run(run())
    return json.loads(json.dumps(event))


@contextmanager
def deferring() -> Iterator[list[TaskDeferred]]:
    caught: list[TaskDeferred] = []
    try:
        yield caught
    except TaskDeferred as deferred:
        caught.append(deferred)


def resumed(operator: Any, deferred: TaskDeferred, store: StateStore | None = None) -> Any:
    """Resume a deferred task with what its trigger found."""
    kwargs = json.loads(json.dumps(deferred.kwargs or {}))
    return getattr(operator, deferred.method_name)(context(store), event=through_the_trigger(deferred), **kwargs)
