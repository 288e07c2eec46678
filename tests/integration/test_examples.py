"""Run the examples and the README's Dag, unchanged, through a real scheduler against the sandbox."""

from __future__ import annotations

import csv
import gzip
import json
import re
import runpy
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from truedy_sandbox.process import SandboxProcess

from airflow_truedy import calling_hours
from airflow_truedy.calling_hours import CallingHours
from airflow_truedy.contacts.lists import ContactList
from tests import services
from tests.calling_hours import oracle
from tests.documents import first_dag
from tools.example_world import DAGS, DATA, connections, fill_folder
from tools.local_airflow import LocalAirflow
from tools.standalone import follow_campaign

NOW = datetime.now(timezone.utc)
NEW_YORK = ZoneInfo("America/New_York")


@dataclass
class World:
    """Hold an Airflow with all examples, and a sandbox."""

    airflow: LocalAirflow
    sandbox: SandboxProcess
    database: services.Database
    contacts: Path

    def run(self, dag_id: str, state: str = "success", **how: Any) -> str:
        """Run a Dag to its end, and return the run id."""
        run_id = self.airflow.rest.trigger(dag_id, **how)
        self.ended(dag_id, run_id, state)
        return run_id

    def run_week(self, dag_id: str, day: datetime, state: str = "success") -> str:
        """Run a Dag for the week that ends on a day at 8 o'clock, whatever day it is today."""
        end = day.replace(hour=8, minute=0, second=0, microsecond=0)
        interval = {"data_interval_start": (end - timedelta(days=7)), "data_interval_end": end}
        body = {name: moment.isoformat() for name, moment in interval.items()}
        logical_date = datetime.now(timezone.utc).isoformat()
        answer = self.airflow.rest.request("POST", f"/dags/{dag_id}/dagRuns", {**body, "logical_date": logical_date})
        self.ended(dag_id, answer["dag_run_id"], state)
        return str(answer["dag_run_id"])

    def ended(self, dag_id: str, run_id: str, state: str = "success") -> None:
        rest = self.airflow.rest
        assert rest.wait_for_run(dag_id, run_id, seconds=120) == state

    def result(self, dag_id: str, run_id: str, task_id: str = "create_batch_call", map_index: int = -1) -> Any:
        return self.airflow.rest.xcom(dag_id, run_id, task_id, map_index=map_index)

    def on_server(self, batch_call_id: str) -> dict[str, Any]:
        (found,) = [batch for batch in self.sandbox.state()["batch_calls"] if batch["id"] == batch_call_id]
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("examples")
    dags, people = home / "dags", home / "people"
    # Those of test_events.py stay out: one takes up the end of every campaign. So does the guard, which would pause the
    # others' campaigns on a holiday.
    others = ("on_campaign_end.py", "campaign_deadline.py", "blackout_guard.py")
    shutil.copytree(DAGS, dags, ignore=shutil.ignore_patterns(*others))
    (dags / "first_campaign.py").write_text(first_dag().replace("/tmp/truedy-contacts", str(people / "contacts")))
    with services.temporary_database() as database, SandboxProcess(rate_limit=0) as sandbox:
        fill_folder(sandbox)
        airflow = LocalAirflow(
            home / "airflow", dags, database_url=database.sqlalchemy_url, env=connections(sandbox, people)
        )
        with airflow:
            for path in dags.glob("*.py"):
                airflow.rest.wait_for_dag(path.stem)
                airflow.rest.set_paused(path.stem, False)
            yield World(airflow, sandbox, database, people / "contacts")
        assert airflow.leftovers() == []


def next_monday() -> datetime:
    today = NOW.astimezone(NEW_YORK)
    return today + timedelta(days=7 - today.weekday())


def next_tuesday() -> datetime:
    return next_monday() + timedelta(days=1)


def local(batch: dict[str, Any]) -> datetime:
    """Return the start of a batch call on its own wall clock."""
    instant = datetime.fromisoformat(batch["scheduled_at"].replace("Z", "+00:00"))
    return instant.astimezone(ZoneInfo(batch["timezone"]))


def test_no_example_is_refused_or_warned_of_by_the_dag_processor(world: World) -> None:
    assert world.airflow.rest.import_errors() == {}
    assert world.airflow.rest.request("GET", "/dagWarnings")["dag_warnings"] == []


def test_contacts_to_batch_call_starts_at_noon_on_the_next_working_day_with_every_contact(world: World) -> None:
    run_id = world.run("contacts_to_batch_call")
    manifest = world.result("contacts_to_batch_call", run_id, "extract_contacts")
    batch = world.result("contacts_to_batch_call", run_id)
    assert batch["total_contacts"] == manifest["contacts"] == world.on_server(batch["batch_call_id"])["total_contacts"]
    assert batch["status"] == "scheduled"
    assert local(batch).strftime("%H:%M") == "12:00"
    assert local(batch).isoweekday() <= 5
    assert timedelta(0) < local(batch) - datetime.now(timezone.utc) < timedelta(days=4)


def test_recurring_campaign_refuses_a_list_that_will_be_days_old_on_tuesday(world: World) -> None:
    before = len(world.sandbox.state()["batch_calls"])
    run_id = world.run_week("recurring_campaign", next_tuesday() + timedelta(weeks=1), state="failed")
    task = world.airflow.rest.task_instance("recurring_campaign", run_id, "create_batch_call")
    assert (task["state"], task["try_number"]) == ("failed", 1)
    assert len(world.sandbox.state()["batch_calls"]) == before


def test_recurring_campaign_calls_nobody_for_a_week_that_is_over(world: World) -> None:
    before = len(world.sandbox.state()["batch_calls"])
    run_id = world.run_week("recurring_campaign", next_tuesday() - timedelta(weeks=3))
    assert world.airflow.rest.task_instance("recurring_campaign", run_id, "create_batch_call")["state"] == "skipped"
    assert len(world.sandbox.state()["batch_calls"]) == before


def test_folder_campaign_calls_the_folder_on_the_day_that_the_form_asked_for(world: World) -> None:
    day = next_monday().date().isoformat()
    run_id = world.run("folder_campaign", conf={"day": day})
    batch = world.result("folder_campaign", run_id)
    assert local(batch).strftime("%Y-%m-%d %H:%M") == f"{day} 09:30"
    assert batch["total_contacts"] == len(rows("lapsed_customers.csv"))


def test_folder_campaign_stops_at_a_folder_that_is_not_there(world: World) -> None:
    conf = {"day": "2031-01-06", "folder": "Nobody's"}
    run_id = world.run("folder_campaign", state="failed", conf=conf)
    assert world.airflow.rest.task_instance("folder_campaign", run_id, "find_folder")["try_number"] == 1


def test_the_first_dag_of_the_readme_runs(world: World) -> None:
    run_id = world.run("first_campaign", conf={"day": (NOW + timedelta(days=2)).date().isoformat()})
    assert world.result("first_campaign", run_id)["status"] == "scheduled"


def test_campaign_with_results_calls_the_unanswered_again(world: World) -> None:
    follow_campaign(world.airflow.rest, world.sandbox)


def test_the_emergency_stop_holds_all_that_the_others_started(world: World) -> None:
    world.run("first_campaign", conf={"day": (NOW + timedelta(days=60)).date().isoformat()})
    live = [batch for batch in world.sandbox.state()["batch_calls"] if batch["status"] in ("scheduled", "active")]
    assert live
    run_id = world.run("stop_all_calls")
    stopped = world.result("stop_all_calls", run_id, "stop")
    assert sorted(stopped["stopped"]) == sorted(batch["id"] for batch in live)
    for batch in live:
        now = world.on_server(batch["id"])
        assert (now["status"], now["name"][-len(" held by Airflow (stop)") :]) == ("paused", " held by Airflow (stop)")


def test_campaign_by_region_rings_nobody_outside_the_hours_not_on_a_clock_change_nor_on_a_holiday(world: World) -> None:
    example = runpy.run_path(str(DAGS / "campaign_by_region.py"))
    policy, today = example["HOURS"], datetime.now(NEW_YORK).date()
    holiday, friday = days_to_start_on(policy, today)
    runs = {
        friday: world.run("campaign_by_region", conf={"start_on": str(friday), "calls_per_day": 25}),
        holiday: world.run("campaign_by_region", conf={"start_on": str(holiday)}),
    }
    world.sandbox.advance((max(runs) - today + timedelta(days=12)).total_seconds())
    people = {person["customer_id"]: person for person in rows("people.csv")}
    for start_on, run_id in runs.items():
        parts = world.result("campaign_by_region", run_id, "extract_contacts")
        called = dict(calls_of(world, run_id, parts, people))
        assert len(called) == sum(part["contacts"] for part in parts) > 250
        assert sum(part["rows_read"] for part in parts) == len(people)
        assert [at for number, (at, person) in called.items() if not is_allowed(number, at, person, policy)] == []
        assert {"America/Adak", "America/Anchorage", "Pacific/Guam", "Pacific/Honolulu"} <= {
            person["time_zone"] for _, person in called.values()
        }
        on_days = Counter(
            (at.astimezone(ZoneInfo(person["time_zone"])).date(), person["country"]) for at, person in called.values()
        )
        assert min(day for day, _ in on_days) >= start_on
        if start_on == holiday:
            assert on_days[holiday, "US"] == 0 < on_days[holiday, "GB"]
        else:
            assert 0 < on_days[friday + timedelta(days=2), "US"] < on_days[friday, "US"]


def days_to_start_on(policy: CallingHours, today: date) -> tuple[date, date]:
    """Return the next federal holiday from Monday to Friday, and the next Friday before a clock change in New York."""
    days = [today + timedelta(days=ahead) for ahead in range(5, policy.days_ahead - 20)]
    book = policy.rule_set().book
    holiday = next(day for day in days if day in book.dates("us-federal", day.year) and day.isoweekday() <= 5)
    fridays = (day for day in days if day.isoweekday() == 5)
    return holiday, next(day for day in fridays if utc_offset(day) != utc_offset(day + timedelta(days=3)))


def utc_offset(day: date) -> timedelta | None:
    """Return the offset of New York at the beginning of a day."""
    return datetime.combine(day, time(), NEW_YORK).utcoffset()


def calls_of(
    world: World, run_id: str, parts: list[dict[str, Any]], people: dict[str, Any]
) -> Iterator[tuple[str, tuple[datetime, dict[str, str]]]]:
    """Yield whom the sandbox called for a run, and when, by its own list of calls."""
    for index, part in enumerate(parts):
        keys = {entry.contact["phone_number"]: entry.contact_key for entry in ContactList.from_manifest(part).entries()}
        batch = world.result("campaign_by_region", run_id, map_index=index)
        shown = world.sandbox.admin("GET", f"view/{batch['batch_call_id']}?limit=100")
        assert shown["total"] == len(shown["contacts"]) == part["contacts"]
        for contact in shown["contacts"]:
            number = contact["phone_number"]
            yield number, (datetime.fromisoformat(contact["called_at"].replace("Z", "+00:00")), people[keys[number]])


def is_allowed(number: str, at: datetime, person: dict[str, str], policy: CallingHours) -> bool:
    """Ask the slow oracle, by the zone and country of the row and the states of the area code."""
    codes = json.loads((Path(calling_hours.__file__).parent / "data" / "area_codes.json").read_text())
    states = codes.get(number[2:5], {"states": []})["states"] if number.startswith("+1") else []
    last = datetime.now(timezone.utc).date() + timedelta(days=policy.days_ahead)
    zones, places = [person["time_zone"]], [person["country"], *states]
    return oracle.may_call(at, zones, places, policy, policy.rule_set(), NOW.date() - timedelta(days=1), last)


def test_nothing_of_a_person_is_in_any_log_or_in_airflows_database(world: World) -> None:
    """Search what all the runs above have left; this test comes last."""
    people = Leaks()
    looked_at = 0
    for path in world.airflow.logs_folder.rglob("*.log"):
        looked_at += 1
        assert people.found_in(path.read_text(errors="replace")) == [], path
    for table, text in every_row(world.database):
        assert people.found_in(text) == [], table
    assert looked_at > 15
    # The search does find people where they belong.
    (contacts,) = world.contacts.glob("contacts_to_batch_call/*/extract_contacts.jsonl.gz")
    assert len(people.found_in(gzip.decompress(contacts.read_bytes()).decode())) > 500


class Leaks:
    """Find the numbers, names and e-mail addresses of the examples' people in a text."""

    def __init__(self) -> None:
        everybody = rows("people.csv") + rows("lapsed_customers.csv") + rows("do_not_call.csv")
        cells = {row[column] for row in everybody for column in ("phone", "phone_number") if column in row}
        written = {cell for cell in cells if len(set(re.sub(r"\D", "", cell))) > 3}
        # Every form of a number has the same last nine digits.
        digits = {number[-9:] for cell in written if len(number := re.sub(r"\D", "", cell)) >= 10}
        emails = {row["email"] for row in everybody if len(row.get("email", "")) > 10}
        names = {f"{row['first_name']} {row['last_name']}" for row in rows("people.csv")}
        self._known = written | digits | emails | names | {row["name"] for row in rows("lapsed_customers.csv")}

    def found_in(self, text: str) -> list[str]:
        return [value for value in self._known if value in text]


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def every_row(database: services.Database) -> Iterator[tuple[str, str]]:
    """Yield every row of every table as text."""
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        assert {"xcom", "rendered_task_instance_fields", "task_instance"} <= set(tables), json.dumps(tables)
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            yield from ((table, text) for (text,) in cursor.fetchall())
