"""The command that checks a server: what it prints, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import Any

import pytest
from truedy_sandbox.server import SandboxThread
from truedy_sandbox.testing import SandboxClient

from airflow_truedy.check import main

KEY = "truedy_0123456789abcdefghijklmn"


class Outcome:
    """How the command ended for a sandbox with some settings; time passes only while it waits."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        extra: dict[str, Any],
        settings: dict[str, Any],
    ) -> None:
        with ExitStack() as stack:
            sandbox = SandboxClient(api_key=KEY, **settings)
            stack.callback(sandbox.close)
            server = stack.enter_context(SandboxThread(sandbox.app))
            connection = {
                "conn_type": "truedy",
                "password": KEY,
                "host": server.url,
                "extra": {"requests_per_minute": 0, **extra},
            }
            monkeypatch.setenv("AIRFLOW_CONN_SOME_TRUEDY", json.dumps(connection))
            self.code = main(
                ["--conn-id", "some_truedy"],
                sleep=sandbox.advance,
                clock=sandbox.clock.now,
                now=lambda: datetime.fromtimestamp(sandbox.clock.now(), timezone.utc),
            )
            self.text = capsys.readouterr().out
            self.left = [batch["id"] for batch in sandbox.admin("GET", "state")["batch_calls"]]
        last = self.text.splitlines()[-1]
        self.report = json.loads(last)
        # Whatever happens, the report can be shown to anybody, and no number is printed.
        for secret in (KEY, "+1", "55501", "127.0.0.1", "batch_", "agt_", "some_truedy"):
            assert secret not in last
        for secret in (KEY, "+1212", "+1646"):
            assert secret not in self.text


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda extra=None, **settings: Outcome(monkeypatch, capsys, extra or {}, settings)


def test_a_good_server_ends_with_0_and_leaves_nothing(check: Any) -> None:
    done = check()
    assert (done.code, done.left) == (0, [])
    assert "holds  A long name keeps the tag: kept" in done.text
    assert "settle = 15 or more fits" in done.text
    assert "raise it" not in done.text
    assert done.report["complete"] is True
    assert done.report["left_behind"] == 0


def test_a_broken_promise_ends_with_1_and_says_so(check: Any) -> None:
    done = check(name_limit=100, list_lag=20)
    assert (done.code, done.left) == (1, [])
    assert "DOES NOT HOLD  A long name keeps the tag: cut, 100 of" in done.text
    assert done.report["settle"] > 15
    assert f"settle = {done.report['settle']:.0f} or more fits" in done.text
    assert "The connection has settle = 15: raise it." in done.text


def test_a_lag_that_is_never_over_is_told(check: Any) -> None:
    done = check(counter_lag=1000)
    assert "NOT SEEN  added contacts are counted" in done.text
    assert "No settle fits" in done.text


def test_a_check_that_stops_ends_with_2_and_names_what_it_left(check: Any) -> None:
    done = check(create_answer="scheduled")
    assert done.code == 2
    assert "it was paused" in done.text
    assert f"delete by hand: {done.left[0]}" in done.text
    assert done.report["complete"] is False


@pytest.mark.parametrize("extra", [{"dry_run": True}, {"only_numbers": ["+12025550123"]}])
def test_a_connection_that_may_not_dial_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], extra: dict[str, Any]
) -> None:
    sandbox = SandboxClient(api_key=KEY)
    with SandboxThread(sandbox.app) as server:
        connection = {"conn_type": "truedy", "password": KEY, "host": server.url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SOME_TRUEDY", json.dumps(connection))
        assert main(["--conn-id", "some_truedy"]) == 2
        assert sandbox.admin("GET", "requests")["requests"] == []
    assert "Check with the connection that production uses" in capsys.readouterr().out


def test_a_wrong_key_is_told(check: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox = SandboxClient(api_key=KEY)
    with SandboxThread(sandbox.app) as server:
        monkeypatch.setenv(
            "AIRFLOW_CONN_SOME_TRUEDY",
            json.dumps({"conn_type": "truedy", "password": "truedy_other", "host": server.url}),
        )
        assert main(["--conn-id", "some_truedy"]) == 2
    assert "Check the API key in the connection" in capsys.readouterr().out


def test_a_connection_that_cannot_be_used_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOME_TRUEDY", json.dumps({"conn_type": "truedy"}))
    assert main(["--conn-id", "some_truedy"]) == 2
    assert "some_truedy" in capsys.readouterr().out


def test_a_connection_that_was_made_in_the_ui_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    # Outside of tasks a hook reads the environment and the secrets backends only.
    from airflow import settings
    from airflow.models.base import Base
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    Base.metadata.create_all(settings.engine)
    with create_session() as session:
        session.add(Connection(conn_id="made_in_the_ui", conn_type="truedy", extra={"timeout": "soon"}))

    assert main(["--conn-id", "made_in_the_ui"]) == 2
    assert "'made_in_the_ui'" in (told := capsys.readouterr().out)
    assert "no connection" not in told


def test_a_connection_that_is_not_there_is_told_with_where_to_make_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--conn-id", "nowhere"]) == 2
    assert "no connection 'nowhere'. Make it in the UI, or set AIRFLOW_CONN_NOWHERE" in capsys.readouterr().out


def test_a_server_that_does_not_answer_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Nothing was created, so there is nothing to clean up either.
    connection = {"conn_type": "truedy", "password": KEY, "host": "http://127.0.0.1:9"}
    monkeypatch.setenv("AIRFLOW_CONN_SOME_TRUEDY", json.dumps(connection))
    monkeypatch.setattr("airflow_truedy.api.client.time.sleep", lambda _: None)
    assert main(["--conn-id", "some_truedy"]) == 2
    told = capsys.readouterr().out
    assert told.count("DOES NOT HOLD") == 1
    assert "nothing is known" in told


def test_the_command_explains_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow_truedy.check", "--help"], capture_output=True, text=True, check=True
    )
    assert "--conn-id" in done.stdout
    assert "--agent-id" in done.stdout
