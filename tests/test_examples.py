"""Parse the example Dags: without errors or warnings, and with the tasks that their texts describe."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import pendulum
import pytest
import time_machine
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_truedy.campaigns.bound_hours import BoundHours
from airflow_truedy.campaigns.plan_markdown import plan_markdown
from airflow_truedy.campaigns.preview import planned, preview
from airflow_truedy.campaigns.timing import CallingWindow
from airflow_truedy.contacts import Columns, ContactRules, RegionColumn
from airflow_truedy.contacts.contacts_file import Manifest
from airflow_truedy.contacts.lists import ContactList
from airflow_truedy.contacts.prepare import prepare_contacts
from airflow_truedy.contacts.suppression import Suppression
from airflow_truedy.files.reader import read_rows
from tests.support.airflow_versions import import_anew, needs_airflow
from tests.support.contexts import context_of
from tests.support.plans import MONDAY, plan_of

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "dags_examples"

# In a new interpreter, as the Dag processor does it, so that an import cannot rely on what is already loaded.
PARSE = """
import json, sys
from tests.support.airflow_versions import DagBag
bag = DagBag(sys.argv[1])
dags = {
    dag.dag_id: {
        "tasks": {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks},
        "policies": {task.task_id: getattr(task, "retry_policy", None).__class__.__name__ for task in dag.tasks},
        "doc": dag.doc_md,
        "catchup": dag.catchup,
    }
    for dag in bag.dags.values()
}
# On Airflow 3.1 the standard provider warns of what it imports itself.
warnings = {
    path: ours
    for path, texts in bag.captured_warnings.items()
    if (ours := [text for text in map(str, texts) if "`airflow.operators.branch." not in text])
}
print("RESULT " + json.dumps([dags, bag.import_errors, warnings]))
"""

TASKS = {
    "contacts_to_batch_call": {"extract_contacts": ["create_batch_call"], "create_batch_call": []},
    "recurring_campaign": {"extract_contacts": ["create_batch_call"], "create_batch_call": []},
    "folder_campaign": {"find_folder": ["create_batch_call"], "create_batch_call": []},
    "campaign_with_results": {
        "extract_contacts": ["call_customers", "fetch_results", "find_unanswered"],
        "call_customers": ["fetch_results"],
        "fetch_results": ["find_unanswered"],
        "find_unanswered": ["call_again"],
        "call_again": [],
    },
    "approved_campaign": {
        "extract_contacts": ["create_batch_call", "plan_campaign"],
        "plan_campaign": ["approve_plan", "create_batch_call"],
        "approve_plan": ["create_batch_call"],
        "create_batch_call": [],
    },
    "blackout_guard": {"hold": ["release"], "release": []},
    "stop_all_calls": {"stop": []},
    "campaign_by_region": {"extract_contacts": ["create_batch_call"], "create_batch_call": []},
    "campaign_deadline": {"extract_contacts": ["call_customers"], "call_customers": []},
    "on_campaign_end": {"endings": ["ids", "tell"], "ids": ["fetch_results"], "fetch_results": [], "tell": []},
}


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", PARSE, str(EXAMPLES)],
        env={**os.environ, "AIRFLOW_HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    result = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert result, done.stderr
    return json.loads(result[0].removeprefix("RESULT "))


def test_every_example_parses_without_errors_or_warnings(parsed: Any) -> None:
    dags, errors, warnings = parsed
    assert errors == {}
    assert warnings == {}
    assert sorted(dags) == sorted(path.stem for path in EXAMPLES.glob("*.py")), "a Dag's id is its file's name"


def test_every_example_has_the_tasks_that_its_text_describes(parsed: Any) -> None:
    assert {dag_id: dag["tasks"] for dag_id, dag in parsed[0].items()} == TASKS


@needs_airflow("3.3", "retry policies")
def test_every_task_of_an_example_retries_by_the_policy(parsed: Any) -> None:
    policies = {policy for dag in parsed[0].values() for policy in dag["policies"].values()}
    assert policies == {"TruedyRetryPolicy"}


@pytest.mark.parametrize(
    "path", [*sorted(EXAMPLES.glob("*.py")), ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
)
def test_every_extraction_that_is_shown_limits_the_refused_rows(path: Path) -> None:
    blocks = [path.read_text(encoding="utf-8")]
    if path.suffix == ".md":
        blocks = re.findall(r"^```python\n(.*?)^```", blocks[0], re.MULTILINE | re.DOTALL)
    calls = [node for block in blocks for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    extractions = [call for call in calls if ast.unparse(call.func).endswith("ToContactsOperator")]
    assert all("max_rejected" in {keyword.arg for keyword in call.keywords} for call in extractions)


def test_every_example_explains_itself_in_the_ui(parsed: Any) -> None:
    assert all(dag["doc"] and len(dag["doc"]) > 80 for dag in parsed[0].values())


def test_no_example_catches_up(parsed: Any) -> None:
    assert not any(dag["catchup"] for dag in parsed[0].values())


@pytest.mark.parametrize("tuesday", ["2026-03-03", "2026-03-10", "2026-07-07", "2026-10-27", "2026-11-03"])
def test_the_recurring_campaign_keeps_its_wall_time_over_clock_changes(tuesday: str) -> None:
    source = (EXAMPLES / "recurring_campaign.py").read_text()
    day, opens, closes = (re.findall(rf'{name}="(.*)",', source)[0] for name in ("start_on", "start_time", "end_time"))
    eight = pendulum.parse(f"{tuesday}T08:00", tz="America/New_York").in_timezone("UTC")
    rendered = jinja2.Template(day).render(data_interval_end=eight)
    window = CallingWindow.of("America/New_York", opens, closes, [1, 2, 3, 4, 5])
    start = BoundHours(window).opening_on(date.fromisoformat(rendered)).astimezone(ZoneInfo("America/New_York"))
    assert start.strftime("%A %H:%M") == "Tuesday 09:30"
    # The list is an hour and a half old then, and may be two.
    assert start - eight == timedelta(hours=1.5)


def test_before_airflow_3_1_nobody_can_approve_and_the_dag_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.standard.operators.hitl", None)  # an ImportError
    import_anew(monkeypatch, "airflow_truedy.operators.approvals")
    dag = runpy.run_path(str(EXAMPLES / "approved_campaign.py"))["approved_campaign"]()
    assert {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks} == TASKS["approved_campaign"]
    task = dag.get_task("approve_plan")
    task.body = plan_markdown(preview([planned(plan_of(3), MONDAY)], MONDAY))
    with pytest.raises(AirflowFailException, match=r"needs Airflow 3\.1"):
        task.execute(context_of(task))


def test_the_form_of_the_emergency_stop_takes_nothing_a_zone_or_a_state() -> None:
    (stop,) = runpy.run_path(str(EXAMPLES / "stop_all_calls.py"))["stop_all_calls"]().tasks
    for chosen in ({}, {"zone": "America/Denver"}, {"state": "US-FL"}, {"zone": None, "state": None}):
        params = {**stop.dag.params.dump(), **chosen}
        zones, states = (jinja2.Template(text).render(params=params) for text in (stop.zones, stop.states))
        assert [zones, states] == [chosen.get("zone") or "", chosen.get("state") or ""]


def test_two_copies_of_a_dag_with_one_run_id_write_the_unanswered_into_files_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = []
    monkeypatch.setattr(
        "airflow_truedy.operators.follow_up.failed_contacts",
        lambda results, to, **_: written.append(to) or {"contacts": 1},
    )
    find_unanswered = runpy.run_path(str(EXAMPLES / "campaign_with_results.py"))["find_unanswered"].function
    for dag_id in ("one", "two"):
        find_unanswered({}, {}, "/people", SimpleNamespace(dag_id=dag_id, task_id="t", run_id="r"))
    assert written == ["/people/one/r/t.jsonl.gz", "/people/two/r/t.jsonl.gz"]


# Numbers that their countries reserve for fiction: North America's 555-01XX, Ofcom's, Germany's and Australia's.
FICTIONAL = re.compile(
    r"\+1\d{3}55501\d\d|\+44(207946|(113|121|131|161)496)0\d{3}"
    r"|\+49(3023125|6990009|4066969|8999998)\d{3}|\+61(25550\d{4}|491570\d{3})"
)


@pytest.fixture
def prepared(tmp_path: Path) -> Manifest:
    people = read_rows(EXAMPLES / "data" / "people.csv")
    do_not_call = [row["phone_number"] for row in read_rows(EXAMPLES / "data" / "do_not_call.csv")]
    (manifest,) = prepare_contacts(
        people,
        tmp_path / "people.jsonl.gz",
        ContactRules(
            region=RegionColumn("country"),
            columns=Columns("phone", first_name="first_name", last_name="last_name", email="email"),
            suppression=[Suppression(do_not_call, region="US")],
        ),
    )
    return manifest


def test_the_people_are_about_three_hundred_and_dirty_in_many_ways(prepared: Manifest) -> None:
    assert 300 <= prepared.rows_read <= 400
    assert prepared.contacts > 0.75 * prepared.rows_read
    assert prepared.duplicates > 10
    assert prepared.suppressed > 5
    assert len(prepared.rejected_by_reason) >= 15


def test_nobody_in_the_examples_can_be_rung(prepared: Manifest) -> None:
    numbers = [contact["phone_number"] for contact in ContactList.from_manifest(prepared)]
    imported = [row["phone"] for row in read_rows(EXAMPLES / "data" / "lapsed_customers.csv")]
    assert [number for number in numbers + imported if not FICTIONAL.fullmatch(number)] == []


@pytest.mark.parametrize("example", ["contacts_to_batch_call", "campaign_by_region", "campaign_with_results"])
def test_an_example_starts_on_a_working_day_whenever_it_is_run(example: str) -> None:
    working_day = runpy.run_path(str(EXAMPLES / f"{example}.py"))["working_day"]
    for hour in range(24 * 14):
        run_after = datetime(2026, 10, 26, tzinfo=ZoneInfo("UTC")) + timedelta(hours=hour)
        today = run_after.astimezone(ZoneInfo("America/New_York")).date()
        for days in (1, 2, 7):
            day = working_day(run_after, days)
            assert day.isoweekday() <= 5
            assert timedelta(days=days) <= day - today <= timedelta(days=days + 2)


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        ("2026-03-09T13:00:00Z", 9 * 3600),
        ("2026-01-12T14:00:00Z", 9 * 3600),
        ("2026-03-09T21:59:30Z", 60),
        ("2026-03-09T23:00:00Z", 60),
    ],
)
def test_the_deadline_is_at_six_in_new_york_in_winter_and_in_summer(now: str, seconds: int) -> None:
    seconds_until = runpy.run_path(str(EXAMPLES / "campaign_deadline.py"))["seconds_until"]
    with time_machine.travel(datetime.fromisoformat(now.replace("Z", "+00:00")), tick=False):
        assert seconds_until("18:00") == seconds
