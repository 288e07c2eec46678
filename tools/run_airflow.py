"""Run ``make airflow``: Airflow with its UI, the sandbox, a connection to it and the examples, until Ctrl-C."""

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
    """Start everything, print where it is, and stop it on Ctrl-C."""
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
    """Run Airflow beside the sandbox until Ctrl-C; raise :class:`RuntimeError` if a component ends."""
    environment = connections(sandbox, home)
    fill_folder(sandbox)
    # The UI shows and tests a connection only if it is in the database.
    connection = json.loads(environment.pop("AIRFLOW_CONN_TRUEDY_DEFAULT"))
    environment["AIRFLOW__CORE__TEST_CONNECTION"] = "Enabled"
    print("Starting Airflow ...", flush=True)
    with LocalAirflow(home, DAGS, env=environment) as airflow:
        # The UI's test button sends port 0 for none, and Airflow 3.3.2 refuses what differs from the stored connection.
        airflow.rest.add_connection("truedy_default", port=0, **connection)
        print(f"Airflow  {airflow.base_url}  (user {USERNAME}, password {PASSWORD})")
        print(f"Sandbox  {sandbox.url}  (its page shows the campaigns; it calls nobody)")
        print("Time     passes as usual; '+1 day' on the sandbox's page moves on to tomorrow's campaigns")
        print(f"Dags     {DAGS}, paused until you unpause one")
        print("Ctrl-C stops all of it.", flush=True)
        while all(component.running for component in airflow.components.values()):
            time.sleep(1)
        raise RuntimeError("a component of Airflow has ended")


if __name__ == "__main__":
    sys.exit(main())
