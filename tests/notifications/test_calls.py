from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk import DAG

from airflow_truedy.campaigns.on_call import OnCallRing
from airflow_truedy.notifications.calls import TruedyCallNotifier, facts_of
from tests.support.airflow_versions import serialised
from tests.support.ground import Ground, Send, refused
from tests.support.plans import AGENT

NUMBER = "+12125550100"
DIGITS = NUMBER[1:]
TI = SimpleNamespace(dag_id="renewals", task_id="create", run_id="manual__1", try_number=3)
FAILURE: Any = {"ti": TI, "dag_run": SimpleNamespace(dag_id="renewals", run_id="manual__1"), "exception": KeyError("x")}
# What Airflow 3.3 hands to the callback of a DeadlineAlert.
DEADLINE: Any = {
    "dag_run": {"dag_run_id": "manual__1", "dag_id": "renewals", "conf": {}, "state": "running"},
    "deadline": {"id": "01a2140d", "deadline_time": "2026-06-01T22:00:00+00:00"},
}


@dataclass
class World:
    """What a notifier meets: a sandbox, what was asked of it, and Airflow's variables."""

    ground: Ground
    rung: list[dict[str, Any]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def ring(self, request: httpx.Request, send: Send) -> httpx.Response:
        self.rung.append(json.loads(request.content))
        return send()


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A sandbox, the two connections and Airflow's variables in memory."""
    connect(monkeypatch)
    monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_ON_CALL", json.dumps({"conn_type": "generic", "password": NUMBER}))
    with Ground() as ground:
        made = World(ground)
        ground.alter("POST", "/calls", made.ring)

        class Variable:
            @staticmethod
            def get(key: str, default: str) -> str:
                return made.variables.get(key, default)

            @staticmethod
            def set(key: str, value: str, description: str) -> None:
                made.variables[key] = value

        def client(settings: Any) -> Any:
            ground.client.dry_run, ground.client.only_numbers = settings.dry_run, frozenset(settings.only_numbers)
            return contextlib.nullcontext(ground.client)

        monkeypatch.setattr("airflow.sdk.Variable", Variable)
        monkeypatch.setattr("airflow_truedy.hooks.short_lived.short_lived_client", client)
        monkeypatch.setattr(OnCallRing.__init__, "__kwdefaults__", {"sleep": ground.advance, "now": ground.now})
        yield made


def connect(monkeypatch: pytest.MonkeyPatch, **extra: Any) -> None:
    connection = {"conn_type": "truedy", "password": "truedy_x", "host": "http://127.0.0.1:9", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", json.dumps(connection))


def test_a_failed_task_rings_the_person_on_call_and_tells_the_agent_why(world: World) -> None:
    TruedyCallNotifier(agent_id=AGENT, variables={"team": "sales", "dag_id": "not this"})(FAILURE)
    assert world.rung == [
        {
            "agent_id": AGENT,
            "phone_number": NUMBER,
            "variables": {
                "team": "sales",
                "dag_id": "renewals",
                "task_id": "create",
                "run_id": "manual__1",
                "error_class": "KeyError",
            },
        }
    ]


def test_a_missed_deadline_rings_through_the_triggerer(world: World) -> None:
    async def as_the_triggerer_does() -> None:
        await TruedyCallNotifier(agent_id=AGENT, context=DEADLINE)

    asyncio.run(as_the_triggerer_does())
    (body,) = world.rung
    assert body["variables"] == {
        "dag_id": "renewals",
        "task_id": "",
        "run_id": "manual__1",
        "error_class": "DeadlineMissed",
    }


def test_a_second_failure_does_not_ring_again(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    notifier = TruedyCallNotifier(agent_id=AGENT, once_in_minutes=10)
    notifier(FAILURE)
    notifier(FAILURE)
    TruedyCallNotifier(agent_id=AGENT, once_in_minutes=10)({**FAILURE, "exception": ValueError()})
    assert len(world.rung) == 1
    assert "this person was rung at" in capsys.readouterr().out
    world.ground.advance(16 * 60)
    notifier(FAILURE)
    assert len(world.rung) == 2


def test_a_dry_run_rings_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect(monkeypatch, dry_run=True)
    TruedyCallNotifier(agent_id=AGENT)(FAILURE)
    assert world.ground.requests == []
    assert "Dry run: nobody is rung" in capsys.readouterr().out


def test_a_connection_that_may_call_others_only_rings_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect(monkeypatch, only_numbers=["+12125550199"])
    TruedyCallNotifier(agent_id=AGENT)(FAILURE)
    assert world.rung == []
    assert "ForbiddenByConnectionError" in capsys.readouterr().out


def test_no_failure_of_it_fails_anything_else_and_none_is_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.ground.heal()
    world.ground.alter("POST", "/calls", refused(500, "internal_error", f"cannot call {NUMBER}"))
    TruedyCallNotifier(agent_id=AGENT)(FAILURE)
    assert world.ground.requests.count("POST /calls") <= 1
    TruedyCallNotifier(agent_id=AGENT, on_call_conn_id="not_there")(FAILURE)
    TruedyCallNotifier(agent_id=AGENT, truedy_conn_id="not_there")(FAILURE)
    TruedyCallNotifier(agent_id="")(FAILURE)
    TruedyCallNotifier(agent_id=AGENT)({})
    asyncio.run(TruedyCallNotifier(agent_id=AGENT, on_call_conn_id="not_there").async_notify({}))  # type: ignore[arg-type]
    monkeypatch.setattr("airflow_truedy.campaigns.on_call.OnCallRing.ring", lambda _: 1 / 0)
    TruedyCallNotifier(agent_id=AGENT)(FAILURE)
    told = capsys.readouterr().out
    assert told.count("NOT rung") == 7
    assert "ZeroDivisionError" in told
    assert DIGITS not in told


@pytest.mark.parametrize("password", ["", "2125550100", "call me", None])
def test_a_connection_without_a_number_is_said_without_showing_it(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], password: str | None
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_ON_CALL", json.dumps({"conn_type": "generic", "password": password}))
    TruedyCallNotifier(agent_id=AGENT)(FAILURE)
    told = capsys.readouterr().out
    assert "the password of connection 'truedy_on_call' is not a number in E.164 form" in told
    assert not password or password not in told
    assert world.ground.requests == []


def test_the_number_is_in_no_log_variable_or_dag(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    with DAG("d", schedule=None, on_failure_callback=TruedyCallNotifier(agent_id=AGENT)) as dag:
        pass
    for _ in range(2):
        TruedyCallNotifier(agent_id=AGENT)(FAILURE)
    notifier = TruedyCallNotifier(agent_id=AGENT)
    notifier(FAILURE)
    assert world.variables
    for text in (
        capsys.readouterr().out,
        json.dumps(world.variables),
        json.dumps(serialised(dag)),
        repr(vars(notifier)),
    ):
        assert DIGITS not in text


def test_an_alert_is_made_from_what_airflow_stores_of_it() -> None:
    callback = pytest.importorskip("airflow.sdk.definitions.callback")
    alert = callback.AsyncCallback(TruedyCallNotifier, kwargs={"agent_id": AGENT, "once_in_minutes": 5})
    assert alert.path == "airflow_truedy.notifications.calls.TruedyCallNotifier"
    assert TruedyCallNotifier(**json.loads(json.dumps(alert.kwargs)), context=DEADLINE).once_in_minutes == 5


@pytest.mark.parametrize("minutes", [0, -1, 0.5, float("nan")])
def test_ringing_all_the_time_is_refused(minutes: float) -> None:
    with pytest.raises(ValueError, match="once_in_minutes must be 1 or more"):
        TruedyCallNotifier(agent_id=AGENT, once_in_minutes=minutes)


@pytest.mark.parametrize(
    ("context", "error_class"),
    [
        ({"exception": AirflowException("+12125550100")}, "AirflowException"),
        ({"exception": "airflow.exceptions.AirflowFailException: +12125550100"}, "AirflowFailException"),
        ({"exception": "+12125550100 is not there"}, ""),
        ({"reason": "task_failure"}, "task_failure"),
        ({}, ""),
    ],
)
def test_of_an_error_its_class_alone_is_told(context: Any, error_class: str) -> None:
    assert facts_of(context)["error_class"] == error_class


def test_of_a_dags_failure_no_task_is_told() -> None:
    context = {"reason": "timed_out", "dag_run": SimpleNamespace(dag_id="d", run_id="r"), "ti": TI, "run_id": "r"}
    assert facts_of(context) == {"dag_id": "renewals", "task_id": "", "run_id": "manual__1", "error_class": "timed_out"}
