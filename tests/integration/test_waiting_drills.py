"""Run the example that waits and brings results back, while the triggerer, a worker or the task itself is killed."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from truedy_sandbox.process import SandboxProcess

from tests import services
from tests.crash.ground import expect_one_campaign
from tests.integration.airflow_env import StartAirflow
from tools.example_world import DAGS, read_csv
from tools.local_airflow import LocalAirflow
from tools.processes import wait_until

DAG, TASK = "campaign_with_results", "call_customers"
# Virtual seconds per real second. The example's 56 people take 20 minutes, five at a time: the first speed leaves
# minutes in the middle of a campaign, the second ends it in seconds.
IN_THE_MIDDLE, TO_THE_END = 3, 300
ANSWERS_THAT_ARE_CALLED_AGAIN = ("no_answer", "busy", "voicemail")


@dataclass
class Drill:
    """Hold one run of the example, which begins with an empty sandbox and an empty results table."""

    airflow: LocalAirflow
    sandbox: SandboxProcess
    people: services.Database
    run_id: str = ""

    def begin(self) -> None:
        """Start a run."""
        self.sandbox.restart()
        self.query("DROP TABLE IF EXISTS call_results")
        self.run_id = self.airflow.rest.trigger(DAG, conf={"poll_interval": 0.5})

    def begin_and_call(self) -> None:
        """Start a run, and return when its campaign is calling and the triggerer waits for it."""
        self.begin()
        self.wait_for("deferred")
        self.let_it_call()
        self.wait_for_a_look()

    def let_it_call(self) -> None:
        """Move the clock from a scheduled campaign to the middle of it."""
        first_call = datetime.fromisoformat(self.first_batch()["first_due"].replace("Z", "+00:00"))
        self.clock(set=(first_call + timedelta(minutes=4)).isoformat(), speed=IN_THE_MIDDLE)
        self.expect_middle()

    def clock(self, **change: Any) -> None:
        """Move virtual time, or change its speed."""
        self.sandbox.admin("POST", "clock", change)

    def wait_for(self, *states: str) -> dict[str, Any]:
        return self.airflow.rest.wait_for_task(DAG, self.run_id, TASK, states, seconds=90)

    def first_batch(self) -> dict[str, Any]:
        """Return the oldest batch call as it is now."""
        batch: dict[str, Any] = self.sandbox.state()["batch_calls"][0]
        return batch

    def expect_middle(self) -> None:
        """Make sure that the campaign has begun and has not ended."""
        batch = self.first_batch()
        assert batch["status"] in ("active", "paused")
        assert 0 < batch["called"] < batch["total_contacts"]

    def requests(self, method: str, end: str = "") -> int:
        """Count the requests of a method, and of an end of the path, that the sandbox got."""
        return sum(
            1 for request in self.sandbox.requests() if request["method"] == method and request["path"].endswith(end)
        )

    def wait_for_a_look(self) -> None:
        """Wait until the triggerer has read the campaign; while the task is deferred nobody else does."""
        before = self.requests("GET")
        wait_until(lambda: self.requests("GET") > before, seconds=60, what="the campaign is looked at")

    def finish(self) -> None:
        """Call everybody, wait for the end of the run, and check its results."""
        self.clock(advance_seconds=1, speed=TO_THE_END)
        assert self.airflow.rest.wait_for_run(DAG, self.run_id, seconds=120) == "success"
        state = self.sandbox.state()
        first, second = (
            [batch for batch in state["batch_calls"] if ("second try" in batch["name"]) is is_second]
            for is_second in (False, True)
        )
        listed = self.extracted()
        assert len(listed) > 20
        expect_one_campaign({"batch_calls": first}, listed)
        results = dict(self.query("SELECT phone_number, call_status FROM call_results"))
        assert sorted(results) == sorted(listed)
        (rows,) = self.query("SELECT count(*) FROM call_results WHERE called_at IS NOT NULL")[0]
        assert rows == len(listed) == first[0]["called"]
        (joined,) = self.query("SELECT count(*) FROM people JOIN call_results ON contact_key = customer_id")[0]
        assert joined == len(listed)
        unanswered = [number for number, status in results.items() if status in ANSWERS_THAT_ARE_CALLED_AGAIN]
        assert unanswered
        expect_one_campaign({"batch_calls": second}, unanswered)

    def extracted(self) -> list[str]:
        """Return the numbers that the query returned."""
        path = self.airflow.rest.xcom(DAG, self.run_id, "extract_contacts")["uri"]
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return [json.loads(line)["phone_number"] for line in lines]

    def query(self, statement: str) -> list[Any]:
        with contextlib.closing(self.people.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []


@contextlib.contextmanager
def people_database() -> Iterator[services.Database]:
    """Create a PostgreSQL database of the example's people."""
    with services.temporary_database() as database:
        with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
            for table in ("people", "do_not_call"):
                rows = read_csv(f"{table}.csv")
                columns = ", ".join(f'"{column}" TEXT' for column in rows[0])
                cursor.execute(f"CREATE TABLE {table} ({columns})")
                places = ", ".join(["%s"] * len(rows[0]))
                cursor.executemany(f"INSERT INTO {table} VALUES ({places})", [tuple(row.values()) for row in rows])
        yield database


@contextlib.contextmanager
def ground(folder: Path) -> Iterator[tuple[Path, dict[str, str], SandboxProcess, services.Database]]:
    """Yield a Dags folder with the example, its connections, and what they lead to."""
    dags = folder / "dags"
    dags.mkdir()
    example = (DAGS / f"{DAG}.py").read_text()
    assert example.count("timedelta(minutes=1)") == 1
    (dags / f"{DAG}.py").write_text(example.replace("timedelta(minutes=1)", "timedelta(seconds=1)"))
    with people_database() as people, SandboxProcess(rate_limit=0) as sandbox:
        unpaced = {
            **json.loads(sandbox.connection()),
            "extra": {"requests_per_minute": 0, "settle": sandbox.settings.settle},
        }
        env = {
            "AIRFLOW_CONN_TRUEDY_DEFAULT": json.dumps(unpaced),
            "AIRFLOW_CONN_PEOPLE_DB": people.airflow_uri,
            "AIRFLOW_VAR_CONTACTS_FOLDER": str(folder / "contacts"),
        }
        yield dags, env, sandbox, people


def unpause(airflow: LocalAirflow) -> None:
    airflow.rest.wait_for_dag(DAG)
    airflow.rest.set_paused(DAG, False)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """Share one Airflow with LocalExecutor among all drills that leave it running."""
    folder = tmp_path_factory.mktemp("drills")
    with ground(folder) as (dags, env, sandbox, people), services.temporary_database() as database:
        airflow = LocalAirflow(
            folder / "airflow", dags, database_url=database.sqlalchemy_url, quick_failover=True, env=env
        )
        with airflow:
            unpause(airflow)
            yield Drill(airflow, sandbox, people)
        assert airflow.leftovers() == []


@pytest.fixture
def drill(local: Drill) -> Iterator[Drill]:
    """Run the next drill on it, and print the logs if the drill fails."""
    yield local
    if local.airflow.rest.dag_run_state(DAG, local.run_id) != "success":
        local.airflow.print_logs()


def test_the_example_runs_from_a_query_to_rows_in_postgresql(drill: Drill) -> None:
    drill.begin_and_call()
    drill.expect_middle()
    drill.finish()
    assert drill.airflow.rest.task_instance(DAG, drill.run_id, TASK)["try_number"] == 1


def test_a_killed_triggerer_goes_on_waiting_when_it_is_started_again(drill: Drill) -> None:
    drill.begin_and_call()
    drill.airflow.kill("triggerer")
    drill.expect_middle()
    assert drill.wait_for("deferred")
    drill.airflow.restart("triggerer")
    drill.wait_for_a_look()
    drill.expect_middle()
    drill.finish()
    assert drill.airflow.rest.task_instance(DAG, drill.run_id, TASK)["try_number"] == 1


def test_a_task_cleared_while_deferred_finds_its_campaign_again(drill: Drill) -> None:
    drill.begin_and_call()
    drill.airflow.rest.clear_task(DAG, drill.run_id, TASK)
    wait_until(
        lambda: drill.wait_for("deferred")["try_number"] == 2, seconds=60, what="the cleared task is deferred again"
    )
    drill.expect_middle()
    drill.finish()
    # Airflow kills what it clears: the trigger paused the campaign, and the second try of the task resumed it.
    assert drill.requests("POST", "/pause") == drill.requests("POST", "/resume") == 1


def test_a_task_failed_while_deferred_pauses_its_campaign_until_it_is_cleared(drill: Drill) -> None:
    drill.begin_and_call()
    drill.airflow.rest.set_task_state(DAG, drill.run_id, TASK, "failed")
    wait_until(lambda: drill.first_batch()["status"] == "paused", seconds=30, what="the campaign is paused")
    assert drill.airflow.rest.wait_for_run(DAG, drill.run_id) == "failed"
    placed = drill.first_batch()["placed"]
    drill.sandbox.advance(1800)
    assert drill.first_batch()["placed"] == placed
    drill.expect_middle()
    drill.airflow.rest.clear_task(DAG, drill.run_id, TASK, downstream=True)
    wait_until(lambda: drill.first_batch()["status"] == "active", seconds=60, what="the campaign goes on")
    drill.wait_for("deferred")
    drill.finish()


def test_a_celery_worker_killed_while_it_starts_the_campaign_leaves_one(
    start_airflow: StartAirflow, tmp_path: Path
) -> None:
    with ground(tmp_path) as (dags, env, sandbox, people):
        airflow = start_airflow(dags, executor="CeleryExecutor", quick_failover=True, env=env)
        unpause(airflow)
        drill = Drill(airflow, sandbox, people)
        drill.begin()
        # The campaign is started, but the answer comes after the worker was killed.
        sandbox.fault("slow", "POST", "/schedule$", seconds=60)
        victim = airflow.component_of(airflow.running_task(DAG, drill.run_id, TASK))
        wait_until(
            lambda: [batch["status"] for batch in sandbox.state()["batch_calls"]] == ["scheduled"],
            seconds=60,
            what="the campaign is started",
        )
        airflow.kill(victim)
        assert drill.wait_for("deferred")["try_number"] == 2
        drill.let_it_call()
        drill.finish()
        assert not airflow.components[victim].running
