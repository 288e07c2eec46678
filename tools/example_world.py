"""Set up what the example Dags need: a people database, a Truedy folder, and connections to both."""

from __future__ import annotations

import contextlib
import csv
import json
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NoReturn

from truedy_sandbox.process import SandboxProcess

from airflow_truedy.api import endpoints
from airflow_truedy.api.client import TruedyClient

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
DAGS = ROOT / "dags_examples"
DATA = DAGS / "data"
PEOPLE_CONNECTION = "people_db"
# The first renewal date in people.csv. Renewals move with the calendar, so that some always lie ahead.
FIRST_RENEWAL = date(2026, 1, 1)
FOLDER = "Lapsed customers"


def make_people_database(path: Path) -> None:
    """Create a SQLite file with the tables ``people`` and ``do_not_call`` from the CSV files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    moved = date.today() - FIRST_RENEWAL  # noqa: DTZ011 - one day more or less does not matter
    people = read_csv("people.csv")
    for person in people:
        person["renewal_date"] = (date.fromisoformat(person["renewal_date"]) + moved).isoformat()
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        make_table(database, "people", people)
        make_table(database, "do_not_call", read_csv("do_not_call.csv"))


def read_csv(name: str) -> list[dict[str, str]]:
    """Return the rows of one of the examples' data files."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def make_table(database: sqlite3.Connection, name: str, rows: list[dict[str, str]]) -> None:
    """Create a table of text columns, as an import of a CSV file does."""
    columns = ", ".join(f'"{column}" TEXT' for column in rows[0])
    places = ", ".join("?" for _ in rows[0])
    database.execute(f"CREATE TABLE {name} ({columns})")
    database.executemany(f"INSERT INTO {name} VALUES ({places})", [tuple(row.values()) for row in rows])


def fill_folder(sandbox: SandboxProcess) -> None:
    """Create the folder of ``folder_campaign.py`` in the sandbox, as a colleague would in Truedy's dashboard."""
    content = (DATA / "lapsed_customers.csv").read_bytes()
    with TruedyClient(sandbox.api_key, sandbox.base_url) as client:
        folder = client.send(endpoints.create_folder(FOLDER))
        client.send(endpoints.import_contacts(content, "lapsed_customers.csv", folder.id))


def connections(sandbox: SandboxProcess, folder: Path) -> dict[str, str]:
    """Create the people database in ``folder``; return connections and variables as environment for Airflow."""
    people = folder / "people.db"
    make_people_database(people)
    return {
        "AIRFLOW_CONN_TRUEDY_DEFAULT": sandbox.connection(),
        f"AIRFLOW_CONN_{PEOPLE_CONNECTION.upper()}": json.dumps({"conn_type": "sqlite", "host": str(people)}),
        "AIRFLOW_VAR_CONTACTS_FOLDER": str(folder / "contacts"),
    }


@contextlib.contextmanager
def private_folder(name: str) -> Iterator[Path]:
    """Create a folder below the checkout's ``.cache``, and remove it at the end."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=CACHE, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def end_on_signals() -> None:
    """End the program, and all that it started, on SIGTERM or a closed terminal as on Ctrl-C."""

    def leave(number: int, frame: object) -> NoReturn:
        sys.exit(128 + number)

    # A shell starts background jobs with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)
