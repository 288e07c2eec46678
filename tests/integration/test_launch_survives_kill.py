"""Kill a worker in the middle of a chunked launch: Airflow's scheduler retries it, and one campaign is started."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from truedy_sandbox.process import SandboxProcess

from tests.crash.ground import expect_one_campaign, people
from tests.integration.airflow_env import StartAirflow
from tools.processes import wait_until

CONTACTS, CHUNK = 40, 2
DAG = f"""
from datetime import timedelta

from airflow.sdk import dag

from airflow_truedy.operators.batch_calls import CreateBatchCallOperator

@dag(schedule=None)
def chunked():
    CreateBatchCallOperator(
        task_id="launch",
        name="Renewals",
        agent_id="agt_f9447372",
        contacts={people(CONTACTS)!r},
        chunk_size={CHUNK},
        scheduled_at="{{{{ (dag_run.run_after + macros.timedelta(days=2)).date() }}}}T12:00",
        timezone="America/New_York",
        start_time="09:00",
        end_time="17:30",
        retries=2,
        retry_delay=timedelta(seconds=1),
    )


chunked()
"""


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    # Reads, lists and counters are behind, as behind replicas.
    with SandboxProcess(rate_limit=0, read_lag=0.5, list_lag=0.5, counter_lag=0.5) as process:
        yield process


def test_a_killed_worker_is_retried_and_leaves_one_campaign(
    start_airflow: StartAirflow, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "chunked.py").write_text(DAG)
    # Slow enough to kill the worker in the middle.
    connection = {**json.loads(sandbox.connection()), "extra": {"requests_per_minute": 120, "settle": 2}}
    airflow = start_airflow(
        dags, quick_failover=True, triggerer=False, env={"AIRFLOW_CONN_TRUEDY_DEFAULT": json.dumps(connection)}
    )
    airflow.rest.wait_for_dag("chunked")
    airflow.rest.set_paused("chunked", False)
    run_id = airflow.rest.trigger("chunked")
    worker = airflow.running_task("chunked", run_id, "launch")

    def adds() -> int:
        return sum(1 for request in sandbox.requests() if request["method"] == "POST" and request["contacts"])

    wait_until(lambda: adds() >= 5, seconds=60, what="some chunks are added")
    worker.kill()
    assert adds() < CONTACTS / CHUNK, "the launch was over before the kill"

    assert airflow.rest.wait_for_run("chunked", run_id) == "success"
    assert airflow.rest.task_instance("chunked", run_id, "launch")["try_number"] == 2
    expect_one_campaign(sandbox.state(), [person["phone_number"] for person in people(CONTACTS)])
    assert adds() <= CONTACTS / CHUNK + 1, "the retry did not go on where the first try had stopped"
    assert airflow.rest.extra_links("chunked", run_id, "launch")["Truedy campaign"].startswith(sandbox.url)
