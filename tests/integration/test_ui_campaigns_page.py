"""The pages in a real browser, from a real API server behind a sub-path, for people with different rights."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from truedy_sandbox.process import SandboxProcess

from tests.integration.airflow_env import StartAirflow
from tests.support.browser import Browser
from tools.airflow_rest import AirflowRest
from tools.local_airflow import LocalAirflow

HOSTILE = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
AGENT = "agt_f9447372"
#: The document inside Airflow's frame.
INSIDE = "document.querySelector('iframe').contentDocument"
DAG = f"""
from datetime import datetime
from airflow.sdk import DAG
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.plans import PlanBatchCallsOperator

CAMPAIGN = dict(
    name={HOSTILE!r},
    agent_id="{AGENT}",
    contacts=[{{"phone_number": f"+1212555{{n:04}}", "first_name": "Annabel"}} for n in range(100, 160)],
    scheduled_at="2099-06-01T10:00",
    timezone="America/New_York",
    start_time="09:00",
    end_time="17:30",
    working_days=[1, 2, 3, 4, 5],
)
with DAG("renewals", schedule=None, start_date=datetime(2026, 1, 1)):
    PlanBatchCallsOperator(task_id="plan", **CAMPAIGN)
    CreateBatchCallOperator(task_id="create", **CAMPAIGN)
"""


class World:
    """An Airflow with two connections, to two accounts, and the people who may see them or not."""

    def __init__(self, airflow: LocalAirflow, sandbox: SandboxProcess, other: SandboxProcess) -> None:
        self.airflow, self.sandbox, self.other = airflow, sandbox, other
        self.base = airflow.base_url
        self.began = time.monotonic()
        passwords = json.loads(airflow.passwords_file.read_text())
        self._tokens = {name: self._token(name, word) for name, word in passwords.items()}

    def _token(self, username: str, password: str) -> str:
        rest = AirflowRest(self.base, username, password)
        token: str = rest._send("POST", "/auth/token", {"username": username, "password": password})["access_token"]
        return token

    def get(self, path: str, user: str | None = "admin", method: str = "GET") -> httpx.Response:
        cookies = {"_token": self._tokens[user]} if user else {}
        return httpx.request(method, f"{self.base}/{path}", cookies=cookies, trust_env=False, timeout=30)

    def browse(self, page: Browser, user: str = "admin") -> Browser:
        page.sign_in(self.base, self._tokens[user])
        return page


def api(sandbox: SandboxProcess) -> httpx.Client:
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    return httpx.Client(base_url=sandbox.base_url + "/", headers=headers, trust_env=False)


def make_batch_calls(sandbox: SandboxProcess, names: Iterator[str], people: int = 1) -> None:
    contacts = [{"phone_number": f"+1212555{at:04}", "first_name": "Annabel"} for at in range(100, 100 + people)]
    with api(sandbox) as client:
        for name in names:
            body = {"name": name, "agent_id": AGENT, "contacts": contacts, "timezone": "Europe/Berlin"}
            assert client.post("batch-calls", json=body).status_code < 300


def reads_of(sandbox: SandboxProcess) -> int:
    return len([one for one in sandbox.requests() if one["method"] == "GET"])


@pytest.fixture
def world(start_airflow: StartAirflow, tmp_path: Path) -> Iterator[World]:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "renewals.py").write_text(DAG)
    with SandboxProcess(rate_limit=0) as sandbox, SandboxProcess(rate_limit=0, api_key="truedy_other") as other:
        airflow = start_airflow(
            dags,
            triggerer=False,
            path="/sub",
            env={
                "AIRFLOW_CONN_TRUEDY_DEFAULT": sandbox.connection(),
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer,op:op",
            },
        )
        stored = json.loads(other.connection())
        airflow.rest.add_connection("truedy_other", **stored)
        airflow.rest.add_connection("not_truedy", "http", host="http://127.0.0.1:9", password="x")
        make_batch_calls(other, ("Only in the other account" if at == 0 else f"Wave {at}" for at in range(500)))
        yield World(airflow, sandbox, other)


def test_the_pages_in_airflow(world: World, tmp_path: Path) -> None:
    """One Airflow for all of it, because starting one takes longer than everything that is tried."""
    only_those_see_a_page_who_may(world)
    run_id = run_the_dag(world)
    with Browser() as page:
        the_run_and_its_campaign_are_linked(world, world.browse(page), run_id)
        the_run_has_a_page_of_its_own(world, page, run_id)
        the_other_connection_shows_its_own(world, page)
        the_keyboard_is_enough(world, page)
        it_is_dark_where_airflow_is(world, page)
        five_hundred_are_quick_and_cheap(world)
        a_server_that_is_down_leaves_the_last_reading(world, page)
        assert page.run("document.title") != "owned"
        assert page.errors == []


def run_the_dag(world: World) -> str:
    rest = world.airflow.rest
    rest.wait_for_dag("renewals")
    rest.set_paused("renewals", False)
    run_id = rest.trigger("renewals")
    assert rest.wait_for_run("renewals", run_id) == "success"
    return run_id


def only_those_see_a_page_who_may(world: World) -> None:
    run = "truedy/run?dag_id=renewals&run_id=x"
    status = {
        (user, path): world.get(path, user).status_code
        for user in (None, "viewer", "op", "admin")
        for path in ("truedy/campaigns", "truedy/campaigns?conn_id=not_truedy", run)
    }
    for path in ("truedy/campaigns", run):
        assert status[None, path] == 401
    # The simple auth manager lets viewers read Dags, and connections only from "op" on.
    assert [status[user, "truedy/campaigns"] for user in ("viewer", "op", "admin")] == [403, 200, 200]
    assert [status[user, run] for user in ("viewer", "op", "admin")] == [200, 200, 200]
    assert {status[user, "truedy/campaigns?conn_id=not_truedy"] for user in ("viewer", "op", "admin")} == {403}
    for path in ("truedy/docs", "truedy/openapi.json", "truedy/redoc"):
        assert world.get(path).status_code == 404
    assert world.get("truedy/campaigns", method="POST").status_code == 405
    for method in ("api", "truedy"):
        forged = httpx.get(f"{world.base}/{method}/campaigns", cookies={"_token": "x.y.z"}, trust_env=False)
        assert forged.status_code in (401, 403, 404)
    assert "default-src 'none'" in world.get("truedy/campaigns").headers["content-security-policy"]


def the_run_and_its_campaign_are_linked(world: World, page: Browser, run_id: str) -> None:
    page.open(f"{world.base}/plugin/truedy-campaigns")
    page.wait(lambda: "renewals" in (page.run(f"{INSIDE}?.body?.innerText") or ""), "the frame shows the campaign")
    text = page.run(f"{INSIDE}.body.innerText")
    for expected in (
        HOSTILE,
        "scheduled",
        "0 of 60 called",
        "Mon 2099-06-01 10:00",
        "America/New_York, in ",
        "Mon-Fri",
    ):
        assert expected in text
    assert "Annabel" not in text
    assert "555" not in text
    assert page.run("[...document.querySelectorAll('a')].some(a => a.href.endsWith('/plugin/truedy-campaigns'))")
    # Airflow's frame lets no link out by itself.
    page.run(f"{INSIDE}.querySelector('a[target=_top]').click()")
    page.wait(lambda: "/dags/renewals/runs/" in page.run("location.pathname"), "the link leads to the run")
    assert page.run("location.pathname").startswith("/sub/dags/renewals/runs/")
    assert page.run("window === top")


def the_run_has_a_page_of_its_own(world: World, page: Browser, run_id: str) -> None:
    run = f"{world.base}/dags/renewals/runs/{quote(run_id, safe='')}"
    for address in (f"{run}/tasks/create/plugin/truedy-task", f"{run}/plugin/truedy-run"):
        page.open(address)
        page.wait(lambda: "From rows" in (page.run(f"{INSIDE}?.body?.innerText") or ""), "the frame shows the funnel")
        text = page.run(f"{INSIDE}.body.innerText")
        assert HOSTILE in text
        assert "0 of 60 called" in text
    assert "Mon 2099-06-01 10:00 EDT" in text
    page.wait(lambda: page.run(f"{INSIDE}.querySelector('img.plan').naturalWidth > 100"), "the plan has its picture")


def the_other_connection_shows_its_own(world: World, page: Browser) -> None:
    page.open(f"{world.base}/truedy/campaigns?conn_id=truedy_other")
    assert "Only in the other account" in page.text()
    assert "renewals" not in page.text()
    page.open(f"{world.base}/truedy/campaigns")
    assert "Only in the other account" not in page.text()
    choices = page.run("[...document.querySelectorAll('[name=conn_id] option')].map(o => o.value)")
    assert choices == ["truedy_default", "truedy_other"]


def the_keyboard_is_enough(world: World, page: Browser) -> None:
    page.open(f"{world.base}/truedy/campaigns")
    reached = []
    for _ in range(12):
        page.press("Tab")
        reached.append(page.run("document.activeElement.name || document.activeElement.innerText"))
    for expected in ("conn_id", "state", "dag_id", "Show", HOSTILE, "renewals"):
        assert expected in reached
    assert page.run("[...document.querySelectorAll('select')].every(s => s.labels.length === 1)")
    assert page.run("document.querySelectorAll('th:not([scope])').length") == 0


def it_is_dark_where_airflow_is(world: World, page: Browser) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    page.open(f"{world.base}/truedy/campaigns")
    light = page.run(paper)
    page.dark(airflow_theme=True)
    page.open(f"{world.base}/truedy/campaigns")
    assert page.run(paper) != light
    page.run("localStorage.removeItem('theme')")


def five_hundred_are_quick_and_cheap(world: World) -> None:
    def view(_: int) -> float:
        began = time.monotonic()
        assert ">500 campaigns" in world.get("truedy/campaigns?conn_id=truedy_other", "op").text
        return time.monotonic() - began

    seconds = [view(number) for number in range(7)]
    assert statistics.median(seconds) < 1, seconds
    with ThreadPoolExecutor(10) as people:
        list(people.map(view, range(30)))
    minutes = 1 + (time.monotonic() - world.began) // 60
    assert 6 <= reads_of(world.other) <= 6 * minutes


def a_server_that_is_down_leaves_the_last_reading(world: World, page: Browser) -> None:
    page.open(f"{world.base}/truedy/campaigns")
    page.run("window.here = true")
    world.sandbox.kill()
    page.wait(lambda: "could not be read" in page.text(), "the page refreshes itself and tells that it is down", 60)
    assert page.run("window.here")
    assert "What is shown was read" in page.text()
    assert "renewals" in page.text()
