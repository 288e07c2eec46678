"""Run ``campaign_with_results`` to its end in ``airflow standalone``: what `make matrix` tries on each Airflow."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from truedy_sandbox.process import SandboxProcess

from tools.airflow_rest import AirflowRest
from tools.example_world import DAGS, connections, end_on_signals, private_folder
from tools.local_airflow import LocalAirflow
from tools.processes import Component

DAG_ID = "campaign_with_results"


class StandaloneAirflow(LocalAirflow):
    """Run one Airflow by ``airflow standalone``: all components in one process tree, on SQLite."""

    def _components(self) -> Iterator[Component]:
        yield self._component("standalone", "standalone")


def follow_campaign(rest: AirflowRest, sandbox: SandboxProcess) -> dict[str, dict[str, Any]]:
    """
    Run the Dag to its end while the sandbox's time passes, and check that each contact has a result and that only the
    unanswered are called again.

    :return: what its tasks returned, by task id.
    """
    # Moving the clock would call the campaigns of others too.
    sandbox.admin("POST", "reset")
    run_id = rest.trigger(DAG_ID, conf={"poll_interval": 1})
    rest.wait_for_task(DAG_ID, run_id, "call_customers", ("deferred",))
    # Past every night and weekend before the last call.
    sandbox.advance(timedelta(days=4.5).total_seconds())
    assert rest.wait_for_run(DAG_ID, run_id, seconds=240) == "success"
    returned = {task: rest.xcom(DAG_ID, run_id, task) for task in ("call_customers", "fetch_results", "call_again")}
    first, results, again = returned.values()
    assert first["called"] == results["contacts"] == results["rows_written"] > 20
    unanswered = sum(results["by_outcome"].get(word, 0) for word in ("no_answer", "busy", "voicemail"))
    assert again["total_contacts"] == unanswered > 0
    assert again["batch_call_id"] != first["batch_call_id"]
    return returned


def main() -> int:
    """Run the Dag once and print what it returned; return 0."""
    end_on_signals()
    with private_folder("standalone") as home, SandboxProcess(rate_limit=0) as sandbox:
        dags = home / "dags"
        dags.mkdir()
        shutil.copy(DAGS / f"{DAG_ID}.py", dags)
        # The command starts its parts by the name `airflow`.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {**connections(sandbox, home / "people"), "PATH": path}
        airflow = StandaloneAirflow(home / "airflow", dags, env=env)
        with airflow:
            airflow.rest.wait_for_dag(DAG_ID)
            airflow.rest.set_paused(DAG_ID, False)
            returned = follow_campaign(airflow.rest, sandbox)
        assert airflow.leftovers() == []
    first, results, again = returned.values()
    print(f"{first['called']} called, {results['rows_written']} results, {again['total_contacts']} called again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
