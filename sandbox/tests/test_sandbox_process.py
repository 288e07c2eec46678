"""The program: address, greeting, refusals, clean ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from truedy_sandbox.process import SandboxProcess
from truedy_sandbox.testing import MONDAY


def run(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "truedy_sandbox", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_how_to_connect_and_ends_cleanly(sent):
    child = run("--port", "0", "--api-key", "truedy_other")
    greeting, ready = child.stdout.readline(), child.stdout.readline()
    assert ready == "ready\n"
    connection = json.loads(greeting.split("AIRFLOW_CONN_TRUEDY_DEFAULT='")[1].split("'")[0])
    assert connection["conn_type"] == "truedy"
    assert connection["password"] == "truedy_other"
    with urllib.request.urlopen(connection["host"] + "/api/public/v1/openapi.json", timeout=10) as answer:
        assert json.load(answer)["info"]["title"] == "Truedy sandbox"
    child.send_signal(sent)
    out, err = child.communicate(timeout=15)
    assert (child.returncode, out, err) == (0, "", "")


def test_it_refuses_an_address_that_is_not_loopback_unless_told():
    child = run("--host", "0.0.0.0", "--port", "0")
    _, err = child.communicate(timeout=15)
    assert child.returncode == 2
    assert "--allow-foreign-hosts" in err
    child = run("--host", "0.0.0.0", "--port", "0", "--allow-foreign-hosts")
    assert "http://0.0.0.0:" in child.stdout.readline()
    child.terminate()
    child.communicate(timeout=15)
    assert child.returncode == 0


def test_a_port_in_use_and_a_bad_setting_are_said_plainly():
    with SandboxProcess() as sandbox:
        child = run("--port", sandbox.url.rsplit(":", 1)[1])
        _, err = child.communicate(timeout=15)
        assert child.returncode == 2
        assert "in use" in err
        assert "Traceback" not in err
    child = run("--outcomes", "answered=1")
    _, err = child.communicate(timeout=15)
    assert (child.returncode, "unknown outcome" in err) == (2, True)


def test_it_ends_with_the_process_that_started_it():
    starter = (
        "import sys; from truedy_sandbox.process import SandboxProcess;"
        "s = SandboxProcess(); s.start(); print(s.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and _alive(child):
        time.sleep(0.05)
    assert not _alive(child)
    parent.stdout.close()
    parent.stdin.close()


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_child_takes_every_kind_of_setting_and_its_clock_is_moved_from_outside():
    with SandboxProcess(speed=0, start=MONDAY, retry_after_header=True, live_state="running") as sandbox:
        assert sandbox.admin("GET", "clock")["now"] == "2026-06-01T13:00:00.000000Z"
        sandbox.advance(60)
        assert sandbox.admin("GET", "clock")["now"] == "2026-06-01T13:01:00.000000Z"
        moved = sandbox.admin("POST", "clock", {"set": "2026-07-01T00:00:00Z", "speed": 60})
        assert (moved["now"][:10], moved["speed"]) == ("2026-07-01", 60)
        with pytest.raises(urllib.error.HTTPError, match="422"):
            sandbox.admin("POST", "clock", {"set": "2026-06-01T00:00:00Z"})
        assert json.loads(sandbox.connection())["host"] == sandbox.url
        settings = sandbox.admin("GET", "view")["settings"]
        assert (settings["live_state"], settings["retry_after_header"]) == ("running", True)


def test_a_child_that_cannot_start_says_so(tmp_path):
    state = tmp_path / "state"
    with SandboxProcess(state_file=state):
        pass
    with pytest.raises(RuntimeError, match="did not start"):
        SandboxProcess(state_file=state, seed=9).start()


def test_a_setting_that_does_not_exist_is_refused_at_once():
    with pytest.raises(TypeError):
        SandboxProcess(velocity=3)


def test_the_speed_of_a_running_clock_can_be_changed_alone() -> None:
    with SandboxProcess(rate_limit=0, speed=1000) as sandbox:
        for speed in (5000, 10, 0):
            assert sandbox.admin("POST", "clock", {"speed": speed})["speed"] == speed
