"""A person approves or rejects a campaign in a real Airflow UI, in a real browser: nothing else is started."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from truedy_sandbox.process import SandboxProcess

from airflow_truedy.campaigns.plan_format import seal_of
from tests import services
from tests.support.browser import Browser
from tools.airflow_settings import PASSWORD, USERNAME
from tools.example_world import DAGS, connections
from tools.local_airflow import LocalAirflow

DAG = "approved_campaign"
#: Parked by the scheduler from Airflow 3.3 on, with a trigger before.
WAITING = ("awaiting_input", "deferred")


@dataclass
class World:
    """Hold an Airflow with the example, the sandbox, and a browser whose user has signed in."""

    airflow: LocalAirflow
    sandbox: SandboxProcess
    page: Browser
    people: Path

    def asked(self) -> str:
        """Run the Dag until a person is asked, and return the run id."""
        rest = self.airflow.rest
        run_id = rest.trigger(DAG)
        rest.wait_for_task(DAG, run_id, "approve_plan", WAITING)
        return run_id

    def answer(self, run_id: str, button: str) -> str:
        """Read the question in the UI, press a button, and return what was read."""
        url = f"{self.airflow.base_url}/dags/{DAG}/runs/{run_id}/tasks/approve_plan/required_actions"
        self.page.open(url)
        self.page.wait(lambda: self.page.run(f"{_button(button)} != null") and "People" in self.page.text(), button)
        text = self.page.text()

        def counts() -> bool:
            # A person presses again, too, when a page that has just appeared did not notice.
            self.page.run(f"{_button(button)}?.click()")
            with contextlib.suppress(TimeoutError):
                self.airflow.rest.wait_for_task(DAG, run_id, "approve_plan", ("success", "failed"), seconds=10)
                return True
            return False

        self.page.wait(counts, f"the answer {button} counts", 90)
        return text

    def state(self, run_id: str, task_id: str = "create_batch_call") -> str:
        return str(self.airflow.rest.task_instance(DAG, run_id, task_id)["state"])

    def log_of(self, run_id: str) -> str:
        return "\n".join(path.read_text() for path in self.airflow.task_logs() if run_id in str(path))

    def on_server(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sandbox.state()["batch_calls"]
        return found


def _button(text: str) -> str:
    return f"[...document.querySelectorAll('button')].find(each => each.innerText.trim() === '{text}')"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("approval")
    (home / "dags").mkdir()
    shutil.copy(DAGS / f"{DAG}.py", home / "dags")
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(services.temporary_database())
        sandbox = stack.enter_context(SandboxProcess(rate_limit=0))
        environment = connections(sandbox, home / "people")
        airflow = LocalAirflow(home / "airflow", home / "dags", database_url=database.sqlalchemy_url, env=environment)
        # The browser goes first: its open connections keep the API server from ending.
        with airflow, Browser(height=1_400) as page:
            airflow.rest.wait_for_dag(DAG)
            airflow.rest.set_paused(DAG, False)
            token = airflow.rest._send("POST", "/auth/token", {"username": USERNAME, "password": PASSWORD})
            page.sign_in(airflow.base_url, token["access_token"])
            yield World(airflow, sandbox, page, home / "people" / "people.db")
        assert airflow.leftovers() == []


def test_what_is_approved_in_the_ui_is_started(world: World) -> None:
    run_id = world.asked()
    plan = world.airflow.rest.xcom(DAG, run_id, "plan_campaign")
    assert world.on_server() == []
    text = world.answer(run_id, "Approve")
    # The picture is there, which Airflow shows 300 pixels wide, and on the page to which the link leads.
    pictures = "[...document.querySelectorAll('img[src*=\"plan.svg\"]')].map(each => each.naturalWidth)"
    link = str(world.page.run("document.querySelector('a[href*=\"truedy/run\"]').href"))
    for address in (None, link):
        if address:
            world.page.open(address)
        widths = world.page.wait(lambda: world.page.run(pictures), "the picture of the plan")
        assert [width > 300 for width in widths] == [True]
    # The table, the bars, and the price of the plan are what the person saw.
    assert f"{plan['people']}" in text
    assert f"{plan['cost']['expected']} USD expected" in text
    assert "Calls per day" in text
    assert plan["parts"][0]["first_call"]["local"] in text
    assert world.airflow.rest.wait_for_run(DAG, run_id) == "success"
    (batch,) = world.on_server()
    assert (batch["status"], batch["total_contacts"]) == ("scheduled", plan["people"])
    assert batch["scheduled_at"] == plan["parts"][0]["start"]


def test_what_is_rejected_in_the_ui_is_not(world: World) -> None:
    before = len(world.on_server())
    run_id = world.asked()
    world.answer(run_id, "Reject")
    assert world.airflow.rest.wait_for_run(DAG, run_id) == "success"
    assert world.state(run_id) == "skipped"
    assert len(world.on_server()) == before


def test_a_list_that_changed_after_the_approval_was_asked_for_starts_nothing(world: World) -> None:
    before, rest = len(world.on_server()), world.airflow.rest
    run_id = world.asked()
    with contextlib.closing(sqlite3.connect(world.people)) as database, database:
        database.execute("UPDATE people SET first_name = 'Zaphod' WHERE plan = 'plus'")
    rest.clear_task(DAG, run_id, "extract_contacts")
    rest.wait_for_task(DAG, run_id, "extract_contacts", ("success",))
    world.answer(run_id, "Approve")
    assert rest.wait_for_run(DAG, run_id) == "failed"
    # No retry helps, so there was none.
    assert rest.task_instance(DAG, run_id, "create_batch_call")["try_number"] == 1
    log = world.log_of(run_id)
    assert "NotApprovedError" in log
    assert "other people (the list has changed)" in log
    assert len(world.on_server()) == before


def test_an_answer_to_a_question_that_shows_the_plan_before_starts_nothing(world: World) -> None:
    before, rest = len(world.on_server()), world.airflow.rest
    run_id = world.asked()
    shown = rest.xcom(DAG, run_id, "plan_campaign")
    rest.clear_task(DAG, run_id, "plan_campaign")
    rest.wait_for_task(DAG, run_id, "plan_campaign", ("success",))
    made_again = rest.xcom(DAG, run_id, "plan_campaign")
    assert made_again["made_in_try"] == 2
    assert {**made_again, "made_at": shown["made_at"], "made_in_try": 1} == shown
    text = world.answer(run_id, "Approve")
    assert seal_of(shown) in text
    assert rest.wait_for_run(DAG, run_id) == "failed"
    assert "nobody has approved this one" in world.log_of(run_id)
    assert len(world.on_server()) == before
    # Asked again, a person would see the plan before once more.
    rest.clear_task(DAG, run_id, "approve_plan", downstream=True)
    rest.wait_for_task(DAG, run_id, "approve_plan", ("failed",))
    assert "Nobody was asked" in world.log_of(run_id)
    assert len(world.on_server()) == before
