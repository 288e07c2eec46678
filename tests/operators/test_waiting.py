from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from airflow.sdk.bases.operator import ExecutorSafeguard
from truedy_sandbox.app import create_app
from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.server import SandboxThread
from truedy_sandbox.settings import Settings
from truedy_sandbox.testing import MONDAY

from airflow_truedy.api import endpoints
from airflow_truedy.api.client import TruedyClient
from airflow_truedy.api.errors import InvalidPayloadError, ServerError
from airflow_truedy.api.models import BatchCall
from airflow_truedy.campaigns.errors import LaunchInterruptedError, WindowClosedError
from airflow_truedy.campaigns.launch import Launch, Launched
from airflow_truedy.monitoring.outcome import StoppedEarlyError, WaitInterruptedError
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.parameters.kinds import optional, seconds
from airflow_truedy.triggers.batch_calls import BatchCallTrigger
from tests.monitoring.watched import batch
from tests.operators.waiting_world import answer, context, resumed, through_the_trigger
from tests.support.plans import HOURS, manifest_of
from tests.support.stores import StateStore

AGENT = "agt_f9447372"


def operator(**parameters: Any) -> CreateBatchCallOperator:
    given: dict[str, Any] = {
        "task_id": "t",
        "name": "Renewals",
        "agent_id": AGENT,
        "contacts": [{"phone_number": f"+1212555010{n}"} for n in range(4)],
        "schedule_type": "immediate",
        "timezone": "UTC",
        "start_time": "00:00",
        "end_time": "23:59",
        "wait_for_completion": True,
        "deferrable": False,
        "poll_interval": 0.02,
    }
    return CreateBatchCallOperator(**{**given, **parameters})


# --- Parameters


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("on_partial", "ignore"),
        ("on_timeout", "cancel"),
        ("on_kill_action", "delete"),
        ("poll_interval", 0),
        ("timeout", -5),
        ("max_paused", "soon"),
        ("min_called", 1.5),
        ("max_failed", True),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_when_the_dag_is_parsed(parameter: str, value: Any) -> None:
    with pytest.raises(InvalidPayloadError, match=parameter):
        operator(**{parameter: value})


def test_the_same_is_refused_before_a_launch_when_it_comes_from_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = answer(monkeypatch, batch())
    task = operator(timeout="{{ params.timeout }}")
    task.timeout = "-5"  # as rendered
    with pytest.raises(AirflowFailException, match="timeout"):
        task.execute(context())
    assert answers.sent == []


def test_a_draft_cannot_be_waited_for() -> None:
    with pytest.raises(InvalidPayloadError, match="a draft dials nobody"):
        operator(start=False)


@pytest.mark.parametrize(
    ("value", "expected"), [(90, 90.0), ("90", 90.0), (timedelta(minutes=2), 120.0), (None, None), ("", None)]
)
def test_durations_are_seconds_or_timedeltas(value: Any, expected: float | None) -> None:
    assert optional(seconds)(value) == expected


def test_without_waiting_the_summary_is_that_of_the_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("active"))
    result = operator(wait_for_completion=False).execute(context())
    assert result["status"] == "active"
    assert "outcome" not in result


# --- In the worker and deferred


@pytest.mark.parametrize(("hears", "action", "warns"), [(False, "pause", 1), (False, "leave", 0), (True, "pause", 0)])
def test_a_task_that_defers_where_no_trigger_hears_of_a_kill_says_what_to_do(
    hears: bool, action: str, warns: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, batch("active"))
    monkeypatch.setattr("airflow_truedy.operators.waiting.triggers_hear_of_kills", lambda: hears)
    with pytest.raises(TaskDeferred):
        operator(deferrable=True, on_kill_action=action).execute(context())
    assert capfd.readouterr().out.count("the campaign goes on calling. Pause batch call batch_1") == warns


def test_the_link_is_there_before_the_wait_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("active"))
    given = context()
    with pytest.raises(TaskDeferred):
        operator(deferrable=True).execute(given)
    assert "batch_1" in given["pushed"]["truedy_campaign_url"]


def test_the_result_tells_launch_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("active"), ServerError("broken"), batch("active", 50), batch("completed", 100))
    result = operator().execute(context())
    assert (result["name"], result["status"], result["outcome"]) == (batch().name, "completed", "success")
    assert (result["called"], result["total_contacts"]) == (100, 100)
    assert json.loads(json.dumps(result)) == result
    assert len(json.dumps(result)) < 1000


def test_what_is_deferred_with_is_plain_json(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("active"), batch("completed", 100))
    task = operator(deferrable=True, timeout=3600)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context())
    assert json.loads(json.dumps(deferral.value.kwargs)) == deferral.value.kwargs
    assert resumed(task, deferral.value)["outcome"] == "success"


def test_airflow_ends_a_deferral_only_well_after_our_own_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("active"))
    with time_machine.travel(MONDAY, tick=False), pytest.raises(TaskDeferred) as deferral:
        operator(deferrable=True, timeout=3600).execute(context())
    assert deferral.value.timeout == timedelta(seconds=3600 + 15 * 60)


@pytest.mark.parametrize("event", [None, {"status": "finished", "version": 9}])
def test_an_event_that_is_not_understood_fails_the_try_and_not_the_task(
    monkeypatch: pytest.MonkeyPatch, event: Any
) -> None:
    answer(monkeypatch, batch())
    with pytest.raises(WaitInterruptedError, match="not understood"):
        operator(deferrable=True).execute_complete(context(), event=event)


def test_kwargs_of_another_version_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch())
    result = operator(deferrable=True).execute_complete(
        context(), event={"status": "success", "batch_call_id": "b"}, colour="red"
    )
    assert result["batch_call_id"] == "b"


@pytest.mark.parametrize(("on_retry", "error"), [("attach", AirflowFailException), ("new", StoppedEarlyError)])
def test_a_campaign_that_failed_is_retried_only_if_a_new_one_may_be_made(
    monkeypatch: pytest.MonkeyPatch, on_retry: str, error: type[Exception]
) -> None:
    answer(monkeypatch, batch("active"), batch("failed", 3))
    with pytest.raises(error, match="3 of 100 called"):
        operator(on_retry=on_retry).execute(context())


# --- Deadlines


def test_the_timeout_is_one_for_all_tries_where_airflow_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("active"))
    with time_machine.travel(MONDAY, tick=False):
        store = StateStore({"truedy_waiting": {"batch_call_id": "batch_1", "since": time.time() - 500}})
        with pytest.raises(AirflowFailException, match="did not end within the 500 s"):
            operator(timeout=400).execute(context(store))
        with pytest.raises(TaskDeferred) as deferral:
            operator(timeout=400, deferrable=True).execute(context(StateStore()))
        assert deferral.value.trigger.serialize()[1]["settings"]["deadline"] == time.time() + 400


def refuse_to_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: Launch) -> Any:
        raise WindowClosedError("Campaign 'Renewals' stays paused.", retry_after=3600)

    monkeypatch.setattr(Launch, "run", run)
    monkeypatch.setattr(Launch, "batch_call_id", "batch_1")


def paused_by_a_kill(task: CreateBatchCallOperator) -> BatchCall:
    """The campaign of a task, as the kill handler of an earlier try left it."""
    key = task._plan(context(), task.parameters.read(task, task._stated)).key
    return batch("paused", name=key.with_pause_marker(key.tagged("Renewals", "0" * 64)))


def test_a_wait_goes_on_through_the_night_in_which_a_pause_of_ours_must_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("paused"))
    refuse_to_resume(monkeypatch)
    with time_machine.travel(MONDAY, tick=False), pytest.raises(TaskDeferred) as deferral:
        operator(deferrable=True).execute(context())
    settings = deferral.value.trigger.serialize()[1]["settings"]
    assert (settings["batch_call_id"], settings["resume_from"]) == ("batch_1", MONDAY.timestamp() + 3600)


def test_resuming_a_campaign_that_stays_paused_again_and_again_needs_no_deeper_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, depths = operator(poll_interval=0.001), []
    answers = answer(monkeypatch, paused := paused_by_a_kill(task))

    def run(_: Launch) -> Launched:
        depths.append(len(inspect.stack(0)))
        if len(depths) == 6:
            answers.readings = [batch("completed", 100)]
        return Launched(paused, attached=True)

    monkeypatch.setattr(Launch, "run", run)
    assert task.execute(context())["outcome"] == "success"
    assert len(set(depths[1:])) == 1, depths


def test_a_task_that_does_not_wait_is_tried_again_when_the_window_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, batch("paused"))
    refuse_to_resume(monkeypatch)
    with pytest.raises(WindowClosedError):
        operator(wait_for_completion=False).execute(context())


# --- Against the sandbox


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with serving(monkeypatch, VirtualClock(speed=0)) as served:
        yield served


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, clock: VirtualClock) -> Iterator[Any]:
    app = create_app(Settings(rate_limit=0), clock=clock)
    with SandboxThread(app) as server:
        connection = {
            "conn_type": "truedy",
            "host": server.base_url,
            "password": app.state.world.settings.api_key,
            "extra": {"requests_per_minute": 0},
        }
        monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", json.dumps(connection))
        monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)
        yield SimpleNamespace(app=app, base_url=server.base_url)


def client_of(sandbox: Any) -> TruedyClient:
    return TruedyClient(sandbox.app.state.world.settings.api_key, sandbox.base_url, requests_per_minute=0)


def the_campaign(sandbox: Any) -> BatchCall:
    """The one campaign there is; two would be the worst of all bugs."""
    with client_of(sandbox) as client:
        (campaign,) = client.pages(endpoints.list_batch_calls())
    return campaign


def launched_and_deferred(task: CreateBatchCallOperator, store: StateStore) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context(store))
    return deferral.value


def to_the_end(task: CreateBatchCallOperator, store: StateStore) -> Any:
    try:
        return task.execute(context(store))
    except TaskDeferred as deferral:
        return resumed(task, deferral, store)


def killed_in_the_triggerer(deferred: TaskDeferred) -> None:
    asyncio.run(BatchCallTrigger(**json.loads(json.dumps(deferred.trigger.serialize()[1]))).on_kill())


def test_a_task_killed_while_deferred_pauses_its_campaign_and_the_next_try_resumes_it(sandbox: Any) -> None:
    store = StateStore()
    deferred = launched_and_deferred(operator(deferrable=True), store)
    killed_in_the_triggerer(deferred)
    assert the_campaign(sandbox).status == "paused"
    launched_and_deferred(operator(deferrable=True), store)
    assert the_campaign(sandbox).status == "active"


def test_a_person_who_pauses_a_campaign_that_we_had_resumed_is_obeyed(sandbox: Any) -> None:
    store = StateStore()
    killed_in_the_triggerer(launched_and_deferred(operator(deferrable=True), store))
    launched_and_deferred(operator(deferrable=True), store)
    with client_of(sandbox) as client:
        client.send(endpoints.pause_batch_call(the_campaign(sandbox).id))
    launched_and_deferred(operator(deferrable=True), store)
    assert the_campaign(sandbox).status == "paused"


def test_the_campaign_is_left_going_if_so_wished(sandbox: Any) -> None:
    deferred = launched_and_deferred(operator(deferrable=True, on_kill_action="leave"), StateStore())
    killed_in_the_triggerer(deferred)
    assert the_campaign(sandbox).status == "active"


def test_a_pause_of_a_person_stays_one_after_a_kill_and_a_retry(sandbox: Any) -> None:
    store = StateStore()
    deferred = launched_and_deferred(operator(deferrable=True), store)
    with client_of(sandbox) as client:
        client.send(endpoints.pause_batch_call(the_campaign(sandbox).id))
    killed_in_the_triggerer(deferred)
    launched_and_deferred(operator(deferrable=True), store)
    assert the_campaign(sandbox).status == "paused"


def test_a_kill_while_the_server_is_away_says_so_and_ends_in_time(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deferred = launched_and_deferred(operator(deferrable=True), StateStore())
    gone = {"conn_type": "truedy", "host": "http://127.0.0.1:9", "password": "key_1234"}
    monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", json.dumps(gone))
    killed_in_the_triggerer(deferred)
    assert "could NOT be paused" in capsys.readouterr().out


def test_a_task_cleared_while_deferred_is_resumed_even_if_the_kill_comes_after_the_next_launch(sandbox: Any) -> None:
    store = StateStore()
    first = launched_and_deferred(operator(deferrable=True), store)
    task = operator(deferrable=True)
    second = launched_and_deferred(task, store)
    killed_in_the_triggerer(first)
    event = through_the_trigger(second)
    assert event["status"] == "resume"
    with pytest.raises(TaskDeferred) as third:
        task.execute_complete(context(store), event=event, **second.kwargs)
    assert the_campaign(sandbox).status == "active"
    sandbox.app.state.world.clock.change(speed=100_000)
    assert resumed(task, third.value, store)["outcome"] == "success"


def test_a_worker_that_is_evicted_pauses_the_campaign_and_stops(sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store, task = StateStore(), operator()
    naps = []

    def killed_in_the_third_nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            task.on_kill()

    monkeypatch.setattr("airflow_truedy.operators.waiting.time.sleep", killed_in_the_third_nap)
    with pytest.raises(WaitInterruptedError, match="killed"):
        task.execute(context(store))
    assert the_campaign(sandbox).status == "paused"


def test_a_kill_in_the_middle_of_the_launch_leaves_a_draft(sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    task = operator()
    sending = TruedyClient.send

    def killed_after_the_create(self: TruedyClient, call: Any) -> Any:
        answered = sending(self, call)
        if call.operation == "POST /batch-calls":
            task.on_kill()
        return answered

    monkeypatch.setattr(TruedyClient, "send", killed_after_the_create)
    with pytest.raises(LaunchInterruptedError):
        task.execute(context(StateStore()))
    assert the_campaign(sandbox).status == "draft"


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_kill_in_the_very_schedule_step_pauses_what_it_started(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    task, store = operator(deferrable=deferrable), StateStore()
    sending = TruedyClient.send

    def killed_before_the_schedule(self: TruedyClient, call: Any) -> Any:
        if call.operation.endswith("/schedule"):
            task.on_kill()  # It reads a draft; the request goes out all the same.
        return sending(self, call)

    monkeypatch.setattr(TruedyClient, "send", killed_before_the_schedule)
    with pytest.raises(WaitInterruptedError, match="killed"):
        task.execute(context(store))
    monkeypatch.setattr(TruedyClient, "send", sending)
    assert the_campaign(sandbox).status == "paused"
    launched_and_deferred(operator(deferrable=True), store)
    assert the_campaign(sandbox).status == "active"


@pytest.mark.parametrize(("on_timeout", "status"), [("fail", "active"), ("pause", "paused")])
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_timeout_fails_for_good_and_may_pause_for_good(
    sandbox: Any, on_timeout: str, status: str, deferrable: bool
) -> None:
    store, task = StateStore(), operator(timeout=0.2, on_timeout=on_timeout, deferrable=deferrable)
    told = "is paused; to let it go on" if status == "paused" else "may call on: pause it"
    with pytest.raises(AirflowFailException, match=f"did not end within .*{told}"):
        to_the_end(task, store)
    assert the_campaign(sandbox).status == status
    with pytest.raises((TaskDeferred, AirflowFailException)):
        task.execute(context(store))  # cleared
    assert the_campaign(sandbox).status == status, "a pause after a timeout is no pause of a kill"


def test_a_task_cleared_after_a_timeout_waits_anew_and_leaves_a_resumed_campaign_alone(sandbox: Any) -> None:
    store, task = StateStore(), operator(timeout=0.2, on_timeout="pause", deferrable=True)
    with pytest.raises(AirflowFailException, match="did not end within"):
        to_the_end(task, store)
    with client_of(sandbox) as client:
        client.send(endpoints.resume_batch_call(the_campaign(sandbox).id))
    again = operator(timeout=60, on_timeout="pause", deferrable=True)
    launched_and_deferred(again, store)
    assert the_campaign(sandbox).status == "active"


def test_a_campaign_deleted_while_waited_for_is_not_made_again(sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_truedy.hooks.settings.DEFAULT_SETTLE", 0.2)
    store, task = StateStore(), operator(deferrable=True)
    deferred = launched_and_deferred(task, store)
    world = sandbox.app.state.world
    world.do("delete_batches", {"ids": [the_campaign(sandbox).id], "by_force": True})
    with pytest.raises(AirflowFailException, match="deleted"):
        resumed(task, deferred, store)
    with pytest.raises(AirflowFailException, match="deleted"):
        operator().execute(context(store))
    with client_of(sandbox) as client:
        assert list(client.pages(endpoints.list_batch_calls())) == []


def test_a_worker_killed_while_waiting_goes_on_waiting_for_the_same_campaign(sandbox: Any) -> None:
    launched_and_deferred(operator(deferrable=True), StateStore())
    sandbox.app.state.world.clock.change(speed=100_000)
    # SIGKILL: no handler ran, and this Airflow keeps no state.
    assert operator().execute(context())["outcome"] == "success"
    assert the_campaign(sandbox).called == 4


def test_a_pause_of_a_kill_on_a_blocked_day_is_resumed_once_when_the_people_may_be_called_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The campaign's window is open on Friday the 5th, so only the launch knows that nobody may be called then."""
    thursday, friday, monday = (
        datetime.fromisoformat(f"2026-06-{at}:00-04:00") for at in ("04T10:00", "05T10:00", "08T09:00")
    )
    contacts = manifest_of(tmp_path, 100, HOURS, thursday)
    window = {"timezone": None, "start_time": None, "end_time": None, "held_on_blocked_days": True}
    given: dict[str, Any] = {"contacts": contacts, "on_past": "start_now", "poll_interval": 600, **window}
    store = StateStore()
    with time_machine.travel(thursday) as clock, serving(monkeypatch, VirtualClock()) as sandbox:
        killed_in_the_triggerer(launched_and_deferred(operator(deferrable=True, **given), store))
        assert the_campaign(sandbox).pending
        clock.move_to(friday)
        monkeypatch.setattr("airflow_truedy.operators.waiting._NAP", 600.0)
        monkeypatch.setattr("airflow_truedy.operators.waiting.time.sleep", clock.shift)
        result = operator(**given).execute(context(store))
        with client_of(sandbox) as client:
            people = list(client.pages(endpoints.list_batch_call_contacts(result["batch_call_id"])))
        resumes = [each for each in sandbox.app.state.log.all if each.path.endswith("/resume")]
    assert (result["outcome"], result["called"], len(resumes)) == ("success", 100, 1)
    assert capfd.readouterr().out.count("which Airflow had paused, stays paused") == 1, "no launch at each poll"
    days = {each.called_at.astimezone(monday.tzinfo).date() for each in people if each.called_at}
    assert days == {thursday.date(), monday.date()}
    assert min(each.called_at for each in people if each.called_at and each.called_at > friday) >= monday
