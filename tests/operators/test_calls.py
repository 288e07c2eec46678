from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG
from truedy_sandbox.process import SandboxProcess

from airflow_truedy.campaigns.errors import LaunchInterruptedError
from airflow_truedy.hooks.truedy import TruedyHook
from airflow_truedy.operators.calls import CreateCallOperator
from tests.support.airflow_versions import serialised
from tests.support.contexts import context_of
from tests.support.stores import StateStore

NUMBER = "+12125550100"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxProcess]:
    with SandboxProcess(rate_limit=0, speed=3000) as server:
        monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", server.connection())
        yield server


def operator_of(**options: Any) -> CreateCallOperator:
    fixed = {"task_id": "call", "agent_id": "agt_f9447372", "phone_number": NUMBER, "variables": {"name": "Ann"}}
    return CreateCallOperator(**{**fixed, **options})


def placed() -> int:
    with TruedyHook() as hook:
        return len(list(hook.list_calls()))


def test_a_call_is_placed_once_however_often_the_task_runs(sandbox: SandboxProcess) -> None:
    operator, store = operator_of(), StateStore()
    first = operator.execute(context_of(operator, store=store))
    second = operator.execute(context_of(operator, store=store, try_number=2))
    assert (first["attached"], second["attached"]) == (False, True)
    assert first["call_id"] == second["call_id"]
    assert placed() == 1


def test_a_cleared_task_whose_state_is_gone_finds_its_call(sandbox: SandboxProcess) -> None:
    operator = operator_of()
    first = operator.execute(context_of(operator))
    second = operator.execute(context_of(operator, try_number=2))
    assert (second["call_id"], second["attached"], placed()) == (first["call_id"], True, 1)


def test_a_cleared_run_that_started_anew_after_the_call_finds_it(sandbox: SandboxProcess) -> None:
    operator = operator_of()
    first = operator.execute(context_of(operator))
    context = context_of(operator, try_number=2)
    # Clearing a finished run gives it a new start; when it was due stays.
    start = context["dag_run"].start_date
    context["dag_run"] = SimpleNamespace(start_date=start + timedelta(days=300), run_after=start, clear_number=1)
    second = operator.execute(context)
    assert (second["call_id"], second["attached"], placed()) == (first["call_id"], True, 1)


@pytest.mark.parametrize("other", [{}, {"task_id": "two"}, {"variables": {"name": "Bob"}}])
def test_a_run_calls_a_number_once_whichever_tasks_ask_for_it(sandbox: SandboxProcess, other: dict[str, Any]) -> None:
    summaries = []
    for options in ({}, other):
        operator = operator_of(**options)
        summaries.append(operator.execute(context_of(operator, store=StateStore())))
    assert [summary["attached"] for summary in summaries] == [False, True]
    assert summaries[0]["call_id"] == summaries[1]["call_id"]
    assert placed() == 1


def test_a_later_run_calls_again(sandbox: SandboxProcess) -> None:
    operator = operator_of()
    operator.execute(context_of(operator))
    # Made again after it was deleted: it starts later, and was due when it was.
    again = context_of(operator)
    later = datetime(2100, 1, 1, tzinfo=timezone.utc)
    again["dag_run"] = SimpleNamespace(start_date=later, run_after=again["dag_run"].start_date, clear_number=0)
    assert operator.execute(again)["attached"] is True
    again["dag_run"] = SimpleNamespace(start_date=later, run_after=later, clear_number=0)
    again["ti"].run_id = "later"
    assert operator.execute(again)["attached"] is False


def test_two_tasks_ring_one_person_twice_where_the_dag_says_so(sandbox: SandboxProcess) -> None:
    for task_id in ("one", "two"):
        operator = operator_of(task_id=task_id, once_per="task")
        operator.execute(context_of(operator))
    assert [request["method"] for request in sandbox.requests()] == ["POST", "POST"]


def test_once_per_takes_two_words() -> None:
    with pytest.raises(ValueError, match="once_per"):
        operator_of(once_per="dag")


@pytest.mark.parametrize("keys_are_ignored", [True, False])
def test_a_number_twice_in_a_mapped_list_rings_once(monkeypatch: pytest.MonkeyPatch, keys_are_ignored: bool) -> None:
    with SandboxProcess(rate_limit=0, ignore_idempotency_keys=keys_are_ignored) as server:
        monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", server.connection())
        for i in range(10):
            operator = operator_of(variables={"row": str(i)})
            context = context_of(operator, store=StateStore())
            context["ti"].map_index = i
            assert operator.execute(context)["attached"] is (i > 0)
        assert placed() == 1


def test_a_mapped_list_that_changed_rings_nobody_twice(sandbox: SandboxProcess) -> None:
    stores: dict[int, StateStore] = {}

    def run(*people: str) -> list[bool]:
        attached = []
        for i, person in enumerate(people):
            operator = operator_of(phone_number=f"{NUMBER}{person}")
            context = context_of(operator, store=stores.setdefault(i, StateStore()))
            context["ti"].map_index = i
            attached.append(operator.execute(context)["attached"])
        return attached

    assert run("1", "2") == [False, False]
    assert run("3", "1", "2") == [False, True, True]
    assert placed() == 3


def test_waiting_brings_how_the_call_ended(sandbox: SandboxProcess) -> None:
    operator = operator_of(wait_for_completion=True, poll_interval=0.05)
    summary = operator.execute(context_of(operator))
    assert summary["status"] in ("completed", "no_answer", "busy", "voicemail", "failed")
    assert summary["ended_at"] is not None


def test_nobodys_number_is_shown(sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with DAG("dag"):
        operator = operator_of(phone_number="{{ params.who }}", call_settings={"greeting": "Hello Ann"})
    context = {**context_of(operator, store=StateStore()), "params": {"who": NUMBER}}
    operator.render_template_fields(context)
    shown = {field: str(getattr(operator, field)) for field in operator.template_fields}
    summary = operator.execute(context)
    for text in (str(shown), json.dumps(summary), caplog.text, str(context["task_state_store"])):
        assert "5550100" not in text
        assert "Ann" not in text
    with TruedyHook() as hook:
        assert hook.get_call(summary["call_id"]).to_number == NUMBER


def test_the_serialised_dag_holds_nobody() -> None:

    with DAG("dag", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
        operator_of()
    text = json.dumps(serialised(dag), default=str)
    assert "5550100" not in text
    assert "Ann" not in text


def test_an_upstream_task_stays_visible_to_airflow() -> None:
    from airflow.sdk import task

    with DAG("dag"):

        @task
        def number() -> str:
            return NUMBER

        operator = operator_of(phone_number=number())
    assert operator.upstream_task_ids == {"number"}


def test_a_bad_number_is_refused_without_showing_it(sandbox: SandboxProcess) -> None:
    operator = operator_of(phone_number="2125550100")
    with pytest.raises(AirflowFailException, match="phone_number") as caught:
        operator.execute(context_of(operator))
    assert "5550100" not in str(caught.value)
    assert sandbox.requests() == []


def test_a_killed_task_places_no_call(sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_truedy.campaigns.single_call import SingleCall

    operator = operator_of()
    place = SingleCall.place

    def killed_before(self: Any) -> Any:
        operator.on_kill()
        return place(self)

    monkeypatch.setattr(SingleCall, "place", killed_before)
    with pytest.raises(LaunchInterruptedError):
        operator.execute(context_of(operator))
    assert placed() == 0
