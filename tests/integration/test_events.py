"""Tell Dags and people of campaigns through a real scheduler and triggerer, which is killed meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from truedy_sandbox.process import SandboxProcess

from tests import services
from tests.integration.test_examples import every_row
from tools.example_world import DAGS, connections
from tools.local_airflow import LocalAirflow
from tools.processes import wait_until

ENDED, DEADLINE = "on_campaign_end", "campaign_deadline"
ON_CALL = "+12125550187"
# What an example waits for, made short.
SHORTER = {
    "BatchCallEndedTrigger()": "BatchCallEndedTrigger(interval=10)",
    "return max(60, round((end - now).total_seconds()))": "return 40",
    "{{ day_of(dag_run.run_after) }}T": "{{ day_of(dag_run.run_after) + macros.timedelta(days=1) }}T",
}


@dataclass
class World:
    """Hold an Airflow with two examples, and a sandbox."""

    airflow: LocalAirflow
    sandbox: SandboxProcess
    database: services.Database

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {self.sandbox.api_key}"}) as client:
            answer = client.request(method, f"{self.sandbox.base_url}/{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()["data"]

    def campaign(self, name: str) -> str:
        """Start a campaign with two people, and return its id."""
        contacts = [{"phone_number": f"+1212555010{n}"} for n in range(2)]
        body = {"name": name, "agent_id": "agt_f9447372", "contacts": contacts}
        batch_id: str = self.ask("POST", "batch-calls", body)["id"]
        self.ask("POST", f"batch-calls/{batch_id}/schedule", {})
        return batch_id

    def events(self) -> list[dict[str, Any]]:
        # Not by the REST API: it cannot show an event whose Dag run is still queued.
        with self.database.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT extra::text FROM asset_event ORDER BY id")
            return [json.loads(extra)["payload"] for (extra,) in cursor.fetchall()]

    def watermark(self) -> dict[str, Any]:
        kept = self.airflow.rest.request("GET", "/variables")["variables"]
        found = [each["value"] for each in kept if each["key"].startswith("truedy_ended_")]
        return json.loads(found[0]) if found else {}

    def taken_up(self) -> list[str]:
        """Return the campaigns whose end a successful Dag run was told."""
        runs = self.airflow.rest.request("GET", f"/dags/{ENDED}/dagRuns")["dag_runs"]
        assert all(run["state"] != "failed" for run in runs)
        done = [run["dag_run_id"] for run in runs if run["state"] == "success"]
        return [each["batch_call_id"] for run in done for each in self.airflow.rest.xcom(ENDED, run, "endings")]

    def rings(self) -> list[str]:
        return [call["to"] for call in self.ask("GET", "calls?agent_id=agt_5e1ec7ed")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("events")
    dags = home / "dags"
    dags.mkdir()
    for dag_id in (ENDED, DEADLINE):
        text = (DAGS / f"{dag_id}.py").read_text()
        for wait, shorter in SHORTER.items():
            text = text.replace(wait, shorter)
        (dags / f"{dag_id}.py").write_text(text)
    with services.temporary_database() as database, SandboxProcess(rate_limit=0) as sandbox:
        on_call = json.dumps({"conn_type": "generic", "password": ON_CALL})
        env = {
            **connections(sandbox, home / "people"),
            "AIRFLOW_CONN_TRUEDY_ON_CALL": on_call,
            # A watcher begins when the scheduler has seen its asset and the Dag is parsed once more.
            "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "2",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3",
        }
        airflow = LocalAirflow(
            home / "airflow", dags, database_url=database.sqlalchemy_url, quick_failover=True, env=env
        )
        with airflow:
            for dag_id in (ENDED, DEADLINE):
                airflow.rest.wait_for_dag(dag_id)
                airflow.rest.set_paused(dag_id, False)
            yield World(airflow, sandbox, database)
        assert airflow.leftovers() == []


def test_neither_example_is_refused_or_warned_of_by_the_dag_processor(world: World) -> None:
    assert world.airflow.rest.import_errors() == {}
    assert world.airflow.rest.request("GET", "/dagWarnings")["dag_warnings"] == []


def test_every_campaign_that_ends_is_told_once_though_the_triggerer_is_killed(world: World) -> None:
    wait_until(lambda: bool(world.watermark()), seconds=90, what="the watching begins")
    first = world.campaign("One")
    world.sandbox.advance(1800)
    wait_until(lambda: len(world.events()) == 1, seconds=60, what="the first end is told")
    wait_until(lambda: first in world.watermark()["ended"], seconds=30, what="the watermark is kept")
    world.airflow.kill("triggerer")
    others = [world.campaign("Two"), world.campaign("Three")]
    world.sandbox.advance(1800)
    world.airflow.restart("triggerer")
    wait_until(lambda: len(world.events()) >= 3, seconds=120, what="what ended meanwhile is told")
    wait_until(lambda: len(world.taken_up()) >= 3, seconds=120, what="every end is taken up by a Dag run")
    told = world.events()
    assert sorted(event["batch_call_id"] for event in told) == sorted(world.taken_up()) == sorted([first, *others])
    assert all((event["status"], event["called"]) == ("completed", 2) for event in told)


def test_a_campaign_that_is_not_over_in_time_is_paused_and_the_person_on_call_rung_once(world: World) -> None:
    """The deadline passes while the campaign is waited for; half a minute later the wait ends and the run fails."""
    logical_date = datetime.now(timezone.utc) - timedelta(hours=9) + timedelta(seconds=10)
    run_id = world.airflow.rest.trigger(DEADLINE, logical_date=logical_date.isoformat())
    if world.airflow.rest.request("GET", "/version")["version"] >= "3.2":
        wait_until(lambda: world.rings() == [ON_CALL], seconds=90, what="the missed deadline rings")
        assert world.airflow.rest.dag_run_state(DEADLINE, run_id) in ("queued", "running")
    assert world.airflow.rest.wait_for_run(DEADLINE, run_id, seconds=120) == "failed"
    (campaign,) = [each for each in world.ask("GET", "batch-calls") if each["name"].startswith("Today only")]
    assert campaign["status"] == "paused"
    variables = {each["key"]: each["value"] for each in world.airflow.rest.request("GET", "/variables")["variables"]}
    assert any(key.startswith("truedy_on_call_") for key in variables)

    def refused() -> bool:
        logs = world.airflow.logs_folder.rglob("*.log")
        return any("this person was rung at" in path.read_text(errors="replace") for path in logs)

    wait_until(refused, seconds=60, what="the failed run does not ring again")
    assert world.rings() == [ON_CALL]


def test_nothing_of_a_person_is_in_any_log_or_in_airflows_database(world: World) -> None:
    """Search what the tests above have left."""
    for path in world.airflow.logs_folder.rglob("*.log"):
        text = path.read_text(errors="replace")
        assert ON_CALL[1:] not in text, path
        assert "212555010" not in text, path
    for table, text in every_row(world.database):
        assert ON_CALL[1:] not in text, table
        assert "212555010" not in text, table
