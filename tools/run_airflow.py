"""``make airflow``: Airflow with its UI, the sandbox, a connection to it and the examples, until Ctrl-C."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path

from truedy_sandbox.process import SandboxProcess

from tools.airflow_settings import PASSWORD, USERNAME
from tools.example_world import DAGS, connections, end_on_signals, fill_folder, private_folder
from tools.local_airflow import LocalAirflow


def main() -> int:
    """Start everything, say where it is, and end all of it on Ctrl-C."""
    end_on_signals()
    with (
        suppress(KeyboardInterrupt),
        private_folder("airflow") as home,
        SandboxProcess() as sandbox,
    ):
        run(sandbox, home)
    print("Stopped.")
    return 0


def run(sandbox: SandboxProcess, home: Path) -> None:
    """Run Airflow beside the sandbox until one of its components ends or Ctrl-C comes."""
    environment = connections(sandbox, home)
    fill_folder(sandbox)
    # In the database rather than the environment, so that the UI shows it and can test it.
    connection = json.loads(environment.pop("AIRFLOW_CONN_TRUEDY_DEFAULT"))
    environment["AIRFLOW__CORE__TEST_CONNECTION"] = "Enabled"
    print("Starting Airflow ...", flush=True)
    with LocalAirflow(home, DAGS, env=environment) as airflow:
        airflow.rest.add_connection("truedy_default", **connection)
        print(f"Airflow  {airflow.base_url}  (user {USERNAME}, password {PASSWORD})")
        print(f"Sandbox  {sandbox.url}  (its page shows the campaigns; it calls nobody)")
        print("Time     passes as usual; '+1 day' on the sandbox's page lets the campaigns of tomorrow call")
        print(f"Dags     {DAGS}, paused until you unpause one")
        print("Ctrl-C stops all of it.", flush=True)
        while all(component.running for component in airflow.components.values()):
            time.sleep(1)
        raise RuntimeError("a component of Airflow has ended")


if __name__ == "__main__":
    sys.exit(main())
