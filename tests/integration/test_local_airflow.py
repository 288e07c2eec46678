"""Try the real Airflow that other tests rely on: it runs a Dag, survives kills, and leaves nothing running."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.integration.airflow_env import StartAirflow
from tools.local_airflow import LocalAirflow

DAG = """
import time

from airflow.sdk import dag, task


@dag(schedule=None, params={"hang": False})
def two_steps():
    @task
    def numbers():
        return [1, 2, 3]

    @task(retries=1, retry_delay=1)
    def total(values, params, ti):
        if params["hang"] and ti.try_number == 1:
            time.sleep(600)
        return sum(values)

    total(numbers())


two_steps()
"""


@pytest.fixture
def dags_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dags with a space"
    folder.mkdir()
    (folder / "two_steps.py").write_text(DAG)
    return folder


def test_a_dag_runs_survives_a_killed_worker_and_leaves_nothing_running(
    start_airflow: StartAirflow, dags_folder: Path
) -> None:
    airflow = start_airflow(dags_folder, quick_failover=True)
    airflow.rest.wait_for_dag("two_steps")
    airflow.rest.set_paused("two_steps", False)
    run_id = airflow.rest.trigger("two_steps")
    assert airflow.rest.wait_for_run("two_steps", run_id) == "success"
    assert airflow.rest.xcom("two_steps", run_id, "total") == 6

    run_id = airflow.rest.trigger("two_steps", conf={"hang": True})
    airflow.running_task("two_steps", run_id, "total").kill()
    assert airflow.rest.wait_for_run("two_steps", run_id) == "success"
    assert airflow.rest.task_instance("two_steps", run_id, "total")["try_number"] == 2

    everything = airflow.leftovers()
    assert len(everything) >= len(airflow.components)
    airflow.stop()
    assert not [process for process in everything if process.is_running()]


def test_a_dag_runs_on_celery_workers(start_airflow: StartAirflow, dags_folder: Path) -> None:
    airflow = start_airflow(dags_folder, executor="CeleryExecutor")
    airflow.rest.wait_for_dag("two_steps")
    airflow.rest.set_paused("two_steps", False)
    run_id = airflow.rest.trigger("two_steps", conf={"hang": True})
    task = airflow.running_task("two_steps", run_id, "total")
    worker = airflow.component_of(task)
    assert worker.startswith("worker-")
    task.kill(supervisor=False)
    assert airflow.rest.wait_for_run("two_steps", run_id) == "success"
    assert airflow.rest.xcom("two_steps", run_id, "total") == 6


def test_what_does_not_parse_is_an_error_at_once(tmp_path: Path) -> None:
    # Not the folder around the home, whose logs hold a link to themselves.
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "broken.py").write_text("import airflow.sdk  # dag\nraise ValueError('broken on purpose')\n")
    airflow = LocalAirflow(tmp_path / "home", dags, triggerer=False)
    with pytest.raises(RuntimeError, match="broken on purpose"), airflow:
        airflow.rest.wait_for_dag("two_steps")
    assert airflow.leftovers() == []
    assert not psutil.pid_exists(airflow.components["scheduler"].pid)
