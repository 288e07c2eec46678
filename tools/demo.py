"""Run ``make demo``: a real Airflow turns people in a database into a scheduled batch call on the sandbox."""

from __future__ import annotations

import csv
import itertools
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from truedy_sandbox.process import SandboxProcess

from airflow_truedy.contacts.reasons import Reason
from tools.example_world import DAGS, connections, end_on_signals, private_folder
from tools.local_airflow import LocalAirflow

DAG_ID = "contacts_to_batch_call"
CLOCK = "%A %d %B %Y, %H:%M"
REJECTS_SHOWN = 4


def main() -> int:
    """Run the example once and show the result; return 0 if it succeeded."""
    end_on_signals()
    began = time.monotonic()
    with private_folder("demo") as home:
        succeeded = run_example(home)
    print(f"\n{'Done' if succeeded else 'Failed'} after {time.monotonic() - began:.0f} s.")
    if succeeded:
        print(f"The Dag is {DAGS.name}/{DAG_ID}.py. `make airflow` shows it, and the others, in Airflow's UI.")
    return 0 if succeeded else 1


def run_example(home: Path) -> bool:
    """Start the sandbox and Airflow, run the Dag, show its results, stop both."""
    with SandboxProcess() as sandbox:
        print(f"A local Truedy (the sandbox) runs at {sandbox.url}; it calls nobody.")
        print("Starting a real Airflow (scheduler, Dag processor, API server); half a minute or so ...", flush=True)
        airflow = LocalAirflow(home, DAGS, triggerer=False, env=connections(sandbox, home))
        with airflow:
            print(f"Ready after {airflow.seconds_to_ready:.0f} s. Running Dag {DAG_ID} ...", flush=True)
            airflow.rest.wait_for_dag(DAG_ID)
            airflow.rest.set_paused(DAG_ID, False)
            run_id = airflow.rest.trigger(DAG_ID)
            if airflow.rest.wait_for_run(DAG_ID, run_id) != "success":
                airflow.print_logs()
                return False
            show_contacts(airflow.rest.xcom(DAG_ID, run_id, "extract_contacts"))
            batch_call = airflow.rest.xcom(DAG_ID, run_id, "create_batch_call")
        show_batch_call(batch_call)
        on_server = sandbox.state()["batch_calls"]
    states = ", ".join(f"{known['id']} {known['status']}" for known in on_server)
    print(f"  on the sandbox: {len(on_server)} batch call ({states})")
    left = airflow.leftovers()
    print(f"Still running: {left}" if left else "Nothing is left running.")
    return not left and [known["id"] for known in on_server] == [batch_call["batch_call_id"]]


def show_contacts(manifest: dict[str, Any]) -> None:
    """Print how many rows became contacts, and why the others did not."""
    print(f"\n{manifest['rows_read']:5} rows read ({manifest['source']})")
    print(f"{manifest['contacts']:5} accepted as contacts")
    print(f"{manifest['duplicates']:5} dropped: another row has the same number")
    print(f"{manifest['suppressed']:5} dropped: on the do-not-call list")
    print(f"{manifest['rejected']:5} rejected:")
    by_reason = sorted(manifest["rejected_by_reason"].items(), key=lambda item: (-item[1], item[0]))
    for reason, count in by_reason:
        print(f"{count:9} {reason:21} {Reason(reason).explanation}")
    print(f"{manifest['rows_read'] - manifest['contacts']:5} are in the rejects file, for whoever corrects the source:")
    show_rejects(manifest["rejects_uri"])


def show_rejects(uri: str) -> None:
    """Print the first rows of the rejects file with their reasons; a masked number shows two digits at most."""
    with Path(uri.removeprefix("file://")).open(encoding="utf-8", newline="") as file:
        first = list(itertools.islice(csv.DictReader(file), REJECTS_SHOWN))
    for row in first:
        customer, number = row["contact_key"], row["masked_number"]
        print(f"         row {row['row_number']:>3}, customer {customer}: {number:22} {row['reason']}")


def show_batch_call(batch_call: dict[str, Any]) -> None:
    """Print the batch call that the task returned, with its start in local time and in UTC."""
    start = datetime.fromisoformat(batch_call["scheduled_at"].replace("Z", "+00:00"))
    zone = batch_call["timezone"]
    print(f"\nBatch call  {batch_call['batch_call_id']} ({batch_call['status']})")
    print(f"  name      {batch_call['name']}")
    print(f"  contacts  {batch_call['total_contacts']}")
    print(f"  starts    {start.astimezone(ZoneInfo(zone)).strftime(CLOCK)} in {zone}")
    print(f"            {start.astimezone(timezone.utc).strftime(CLOCK)} UTC")


if __name__ == "__main__":
    sys.exit(main())
