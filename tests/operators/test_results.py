from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Asset
from truedy_sandbox.process import SandboxProcess

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.contacts.lists import ContactList
from airflow_truedy.hooks.databases import hook_of, table_of
from airflow_truedy.hooks.truedy import TruedyHook
from airflow_truedy.operators.follow_up import failed_contacts
from airflow_truedy.operators.results import BatchCallResultsOperator
from airflow_truedy.results.columns import Contacted, known_instant
from airflow_truedy.results.history import History
from airflow_truedy.results.manifest import cost_in_words, read_results
from airflow_truedy.results.staging import Staging
from airflow_truedy.results.table import ResultsTableError, create_statement
from tests import services
from tests.support.contexts import context_of
from tests.support.plans import HOURS, manifest_of

PEOPLE = 130
TABLE = "call_results"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxProcess]:
    with SandboxProcess(rate_limit=0, speed=0, start=datetime(2026, 6, 1, 13, tzinfo=timezone.utc)) as server:
        connection = {**json.loads(server.connection()), "extra": {"requests_per_minute": 0}}
        monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", json.dumps(connection))
        yield server


@pytest.fixture
def batch_call_id(sandbox: SandboxProcess) -> str:
    return campaign(sandbox)


def campaign(sandbox: SandboxProcess, people: int = PEOPLE) -> str:
    """A campaign in the middle of its calls."""
    from airflow_truedy.api.models import BatchCallRequest

    numbers = [f"+1{212 + i // 100}55501{i % 100:02d}" for i in range(people)]
    with TruedyHook() as hook:
        request = BatchCallRequest.checked(
            name="Renewals", agent_id="agt_f9447372", contacts=[{"phone_number": number} for number in numbers]
        )
        batch = hook.create_batch_call(request)
        hook.schedule_batch_call(batch.id, timezone="UTC")
    sandbox.advance(900)
    return batch.id


def sqlite(folder: Path) -> str:
    return json.dumps({"conn_type": "sqlite", "host": str(folder / "warehouse.db")})


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "sqlite":
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", sqlite(tmp_path))
        return "sqlite"
    made: services.Database = request.getfixturevalue("postgres_database")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", made.airflow_uri)
    return "postgres"


def results(batch_call_id: Any, context: Any = None, **options: Any) -> dict[str, Any]:
    operator = BatchCallResultsOperator(task_id="results", batch_call_id=batch_call_id, **{"settle_time": 0, **options})
    manifest = operator.execute(context or context_of(operator))
    assert len(json.dumps(manifest)) < 2_000
    assert "2125550" not in json.dumps(manifest)
    return manifest


def into_table(batch_call_id: Any, **options: Any) -> dict[str, Any]:
    return results(batch_call_id, **{"table": TABLE, "conn_id": "warehouse", "create_table": True, **options})


@pytest.mark.parametrize(
    ("change", "outside"),
    [
        ({}, "none"),
        ({"start_time": "09:05"}, "some"),
        ({"end_time": "09:05"}, "some"),
        ({"blocked": ("2026-06-01",)}, "all"),
        ({"timezone": "America/Los_Angeles"}, "all"),
        ({"last_day": "2026-05-31", "first_day": "2026-05-01"}, "all"),
    ],
)
@pytest.mark.parametrize("into", ["file", "table"])
def test_every_call_outside_the_hours_of_the_list_is_counted_and_warned_of(
    batch_call_id: str,
    change: dict[str, Any],
    outside: str,
    into: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The calls were placed on June 1st from 9:00 to 9:15 in New York."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", sqlite(tmp_path))
    hours = replace(HOURS, **change)
    where: dict[str, Any] = {"to": str(tmp_path / "results.jsonl")}
    if into == "table":
        where = {"table": TABLE, "conn_id": "warehouse", "create_table": True}
    with caplog.at_level(logging.WARNING, "airflow_truedy.results.staging"):
        manifest = results(batch_call_id, contacts=manifest_of(tmp_path, PEOPLE, hours), **where)
    rows = list(read_results(tmp_path / "results.jsonl") if into == "file" else table_of(where).rows(batch_call_id))
    instants = [known_instant(row["called_at"]) for row in rows if row["called_at"]]
    expected = sum(1 for at in instants if at and not hours.allows(at))
    assert manifest["called_outside_hours"] == expected
    for row in rows:
        at = known_instant(row["called_at"])
        assert row["outside_hours"] is (None if at is None else not hours.allows(at))
    assert {"none": expected == 0, "some": 0 < expected < len(instants), "all": expected == len(instants)}[outside]
    told = [each.getMessage() for each in caplog.records if each.name == "airflow_truedy.results.staging"]
    assert len(told) == (min(expected, 20) + 1 if expected else 0)
    assert not expected or told[-1].startswith(f"{expected} people were called OUTSIDE the hours of their list (")
    assert "55501" not in "".join(told)


def test_without_hours_nobody_knows(batch_call_id: str, tmp_path: Path) -> None:
    to = str(tmp_path / "results.jsonl")
    assert results(batch_call_id, to=to)["called_outside_hours"] is None
    manifest = manifest_of(tmp_path, PEOPLE, hours=None)
    assert results(batch_call_id, to=to, contacts=manifest)["called_outside_hours"] is None
    assert {row["outside_hours"] for row in read_results(tmp_path / "results.jsonl")} == {None}


@pytest.mark.parametrize("into", ["results.jsonl", "results.csv.gz", "results.parquet", "table"])
def test_a_flag_stays_where_a_later_reading_is_given_no_hours_and_follows_those_it_is_given(
    batch_call_id: str, into: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", sqlite(tmp_path))
    where: dict[str, Any] = {"to": str(tmp_path / into)}
    if into == "table":
        where = {"table": TABLE, "conn_id": "warehouse", "create_table": True}

    def flags(hours: Any) -> list[bool | None]:
        given = {} if hours is None else {"contacts": manifest_of(tmp_path, PEOPLE, hours)}
        results(batch_call_id, **given, **where)
        rows = table_of(where).rows(batch_call_id) if into == "table" else read_results(tmp_path / into)
        return [row["outside_hours"] for row in sorted(rows, key=lambda row: str(row["contact_id"]))]

    wide, narrow = HOURS, replace(HOURS, start_time="09:05")
    assert set(flags(None)) == {None}
    flagged = flags(narrow)
    assert set(flagged) == {True, False, None}
    assert flags(None) == flagged
    assert set(flags(wide)) == {False, None}


def test_the_log_tells_credits_as_far_as_they_were_read(
    batch_call_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cost = results(batch_call_id, to=str(tmp_path / "results.jsonl"))["cost_credits"]
    assert cost > 0
    assert f"; {cost} credits." in capsys.readouterr().out
    results(batch_call_id, to=str(tmp_path / "unread.jsonl"), details=False)
    assert "; cost not read (details=False)." in capsys.readouterr().out
    late = {"cost_credits": 12, "details_missing": 3}
    assert cost_in_words(late) == "12 credits, without those of 3 calls whose details may still come"


def stored() -> list[tuple[Any, ...]]:
    with closing(hook_of("warehouse").get_conn()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(
            "SELECT contact_id, phone_number, call_status, call_id, duration_seconds, cost_credits, summary, "
            f"transcript, details FROM {TABLE} ORDER BY phone_number"
        )
        return [tuple(row) for row in cursor.fetchall()]


def test_a_table_holds_a_row_for_each_contact_however_often_it_is_written(
    sandbox: SandboxProcess, batch_call_id: str, database: str
) -> None:
    first = into_table(batch_call_id)
    assert first["by_outcome"]["pending"] > 0
    sandbox.advance(86_400)
    second = into_table({"batch_call_id": batch_call_id, "status": "active"})
    rows = stored()
    third = into_table(batch_call_id)
    assert stored() == rows
    assert (len(rows), second["rows_written"] + second["rows_unchanged"]) == (PEOPLE, PEOPLE)
    assert 0 < second["rows_written"] < PEOPLE
    assert (third["rows_written"], third["rows_unchanged"], third["requests"]) == (0, PEOPLE, 3)
    assert {row[-1] for row in rows} == {"complete"}
    assert second["details_missing"] == 0
    assert sum(row[4] for row in rows) == second["duration_seconds"] == third["duration_seconds"]


def test_transcripts_asked_for_later_leave_the_rest_of_the_row(
    sandbox: SandboxProcess, batch_call_id: str, database: str
) -> None:
    sandbox.advance(86_400)
    into_table(batch_call_id)
    before = stored()
    into_table(batch_call_id, transcripts=True)
    after = stored()
    assert [(*row[:7], row[8]) for row in before] == [(*row[:7], row[8]) for row in after]
    spoken = [json.loads(row[7]) for row in after if row[2] == "completed"]
    assert spoken
    assert {line[0]["speaker"] for line in spoken} == {"agent"}


def test_two_campaigns_share_a_table(sandbox: SandboxProcess, batch_call_id: str, database: str) -> None:
    into_table(batch_call_id)
    into_table(campaign(sandbox, people=5))
    assert len(stored()) == PEOPLE + 5


def test_a_refusal_of_the_database_shows_nobody(
    batch_call_id: str, database: str, caplog: pytest.LogCaptureFixture
) -> None:

    caplog.set_level(logging.DEBUG)
    with pytest.raises(AirflowFailException, match="There is no table call_results"):
        into_table(batch_call_id, create_table=False)
    narrow = create_statement(TABLE).replace("VARCHAR(32)", "VARCHAR(32) CHECK (length(phone_number) < 3)")
    with closing(hook_of("warehouse").get_conn()) as connection:
        connection.cursor().execute(narrow)
        connection.commit()
    with pytest.raises(ResultsTableError, match="Could not write the table") as caught:
        into_table(batch_call_id)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert "2125550" not in str(caught.value)
    assert "2125550" not in caplog.text
    assert stored() == []


def test_a_refusal_names_the_constraint_and_no_value(
    batch_call_id: str, postgres_database: services.Database, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", postgres_database.airflow_uri)
    wrong = create_statement(TABLE).replace("VARCHAR(32)", "TEXT CONSTRAINT short CHECK (phone_number = '')")
    with closing(postgres_database.connect()) as connection:
        connection.cursor().execute(wrong)
    with pytest.raises(ResultsTableError, match=r"\w+ 23514, table \w+, constraint short$") as caught:
        into_table(batch_call_id)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("table", ["results; DROP TABLE x", "a b", "", "a.b.c.d"])
def test_a_table_with_an_impossible_name_is_refused(
    batch_call_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", sqlite(tmp_path))
    with pytest.raises(AirflowFailException, match="not a name of a table"):
        into_table(batch_call_id, table=table)


def test_a_connection_that_is_no_database_is_refused(batch_call_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FILES", '{"conn_type": "fs"}')
    with pytest.raises(AirflowFailException, match="is not an SQL database"):
        into_table(batch_call_id, conn_id="files")


@pytest.mark.parametrize("name", ["results.jsonl", "results.csv.gz", "results.parquet"])
def test_a_file_is_the_same_with_and_without_what_was_known(
    sandbox: SandboxProcess, batch_call_id: str, tmp_path: Path, name: str
) -> None:
    sandbox.advance(86_400)
    fresh = results(batch_call_id, to=f"file://{tmp_path}/{name}")
    known = results(batch_call_id, to=f"file://{tmp_path}/again-{name}", previous=fresh)
    assert known["sha256"] == fresh["sha256"]
    assert (fresh["requests"], known["requests"]) == (5, 3)
    assert len(list(read_results(tmp_path / name))) == PEOPLE


def test_an_older_run_into_a_file_takes_nothing_back(
    sandbox: SandboxProcess, batch_call_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "results.jsonl"
    fresh = results(batch_call_id, to=str(to))
    assert fresh["by_outcome"]["completed"] > 0
    of = Contacted.of
    monkeypatch.setattr(Contacted, "of", lambda row: replace(of(row), status="pending", call_id=None))
    older = results(batch_call_id, to=str(to))
    assert older["by_outcome"] == fresh["by_outcome"]
    # What is there and cannot be read is replaced, and keeps nobody out.
    to.write_text("not results\n")
    assert results(batch_call_id, to=str(to))["contacts"] == PEOPLE
    assert len(list(read_results(to))) == PEOPLE


def test_a_changed_file_is_no_previous_result(batch_call_id: str, tmp_path: Path) -> None:
    manifest = results(batch_call_id, to=str(tmp_path / "results.jsonl"))
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(AirflowFailException, match="not the one that its manifest describes"):
        results(batch_call_id, to=str(tmp_path / "next.jsonl"), previous=manifest)


def test_counts_go_on_the_events_of_assets(batch_call_id: str, tmp_path: Path) -> None:
    asset = Asset("truedy://sales/renewals")
    operator = BatchCallResultsOperator(
        task_id="results", batch_call_id=batch_call_id, to=str(tmp_path / "r.jsonl"), settle_time=0, outlets=[asset]
    )
    context = context_of(operator)
    manifest = operator.execute(context)
    extra = context["outlet_events"][asset].extra
    assert extra["batch_call_id"] == batch_call_id
    assert extra["by_outcome"] == manifest["by_outcome"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"to": "a.csv", "table": "t", "conn_id": "c"},
        {"table": "t"},
        {"table": "t", "conn_id": "c", "previous": "x"},
    ],
)
def test_where_results_go_must_be_said_once(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidPayloadError):
        BatchCallResultsOperator(task_id="results", batch_call_id="b", **options)


def test_the_unanswered_of_a_table_are_the_contacts_of_the_next_campaign(
    sandbox: SandboxProcess, batch_call_id: str, database: str, tmp_path: Path
) -> None:
    sandbox.advance(86_400)
    manifest = into_table(batch_call_id)
    unanswered = {row[1] for row in stored() if row[2] in ("no_answer", "busy", "voicemail")}
    again = failed_contacts(manifest, str(tmp_path / "next.jsonl.gz"), max_attempts=2)
    assert {contact["phone_number"] for contact in ContactList.from_manifest(again)} == unanswered
    assert again["rows_read"] == PEOPLE - manifest["by_outcome"]["completed"]
    once = failed_contacts(manifest, str(tmp_path / "never.jsonl.gz"), max_attempts=1)
    assert once["contacts"] == 0
    assert once["rejected_by_reason"]["max_attempts"] == len(unanswered)
    later = datetime(2030, 1, 1, tzinfo=timezone.utc)
    fresh = failed_contacts(manifest, str(tmp_path / "fresh.jsonl.gz"), max_attempts=1, since=later)
    assert fresh["contacts"] == len(unanswered)
    with pytest.raises(AirflowFailException, match="leave history out"):
        failed_contacts(manifest, str(tmp_path / "next.jsonl.gz"), max_attempts=2, history=[])


@pytest.mark.parametrize("since", [None, datetime(2026, 5, 1, tzinfo=timezone.utc)])
def test_a_table_counts_attempts_that_do_not_tell_when_they_were(database: str, since: datetime | None) -> None:
    table = table_of({"conn_id": "warehouse", "table": TABLE})
    table.create()
    words = [("no_answer", None), ("completed", None), ("cancelled", "call_1"), ("cancelled", None), ("pending", None)]
    with Staging() as staging:
        staging.add(
            Contacted(f"cnt_{i}", f"+1212555010{i}", None, status, call_id, None)
            for i, (status, call_id) in enumerate(words)
        )
        table.write(staging, "batch_1")
    with History("batch_2", since) as history:
        history.add(table.history())
        people = [history.of(f"+1212555010{i}") for i in range(len(words))]
    assert [(person.attempts, person.reached) for person in people] == [
        *[(1, False), (1, True), (1, False), (0, False), (0, False)],
    ]
    assert [person.open_elsewhere for person in people] == [False, False, False, False, True]


def test_a_moment_without_zone_says_not_since_when(batch_call_id: str, tmp_path: Path) -> None:
    manifest = results(batch_call_id, to=str(tmp_path / "results.csv"))
    with pytest.raises(AirflowFailException, match="datetime with its zone"):
        failed_contacts(
            manifest, str(tmp_path / "next.jsonl.gz"), max_attempts=2, history=[], since=datetime(2026, 5, 1)
        )


def test_the_history_of_files_must_be_stated(sandbox: SandboxProcess, batch_call_id: str, tmp_path: Path) -> None:
    sandbox.advance(86_400)
    manifest = results(batch_call_id, to=str(tmp_path / "results.csv"))
    to = str(tmp_path / "next.jsonl.gz")
    with pytest.raises(AirflowFailException, match="Give history"):
        failed_contacts(manifest, to, max_attempts=2)
    first = failed_contacts(manifest, to, max_attempts=2, history=[])
    assert first["contacts"] > 0
    assert failed_contacts(manifest, to, max_attempts=2, history=[manifest])["contacts"] == first["contacts"]
    with pytest.raises(AirflowFailException, match="not a manifest of results"):
        failed_contacts({"uri": "x"}, to, max_attempts=2, history=[])


@pytest.mark.parametrize(
    "options",
    [
        {"details": "no"},
        {"transcripts": 1},
        {"settle_time": -1},
        {"settle_time": "soon"},
        {"threads": 0},
        {"threads": 1.5},
        {"on_incomplete": "ignore"},
        {"hook_params": "x"},
    ],
)
def test_a_parameter_of_a_wrong_kind_is_refused_when_the_dag_is_parsed(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidPayloadError, match=next(iter(options))):
        BatchCallResultsOperator(task_id="results", batch_call_id="b", to="x.jsonl", **options)


def test_the_customers_key_and_fields_come_from_the_contacts(
    sandbox: SandboxProcess, batch_call_id: str, database: str, tmp_path: Path
) -> None:
    sandbox.advance(86_400)
    people = [
        {"phone_number": f"+1{212 + i // 100}55501{i % 100:02d}", "contact_key": f"cust_{i}", "custom_fields": {"n": i}}
        for i in range(PEOPLE)
    ]
    manifest = into_table(batch_call_id, contacts=people)
    assert "cust_" not in json.dumps(manifest)
    rows = list(table_of(manifest).rows(batch_call_id))
    assert {row["contact_key"] for row in rows} == {f"cust_{i}" for i in range(PEOPLE)}
    assert json.loads(rows[0]["custom_fields"])["n"] == rows[0]["contact_key"].removeprefix("cust_")
    assert into_table(batch_call_id)["rows_written"] == 0, "a run without the contacts keeps them"
    file = results(batch_call_id, to=str(tmp_path / "r.jsonl"), contacts=people)
    known = results(batch_call_id, to=str(tmp_path / "again.jsonl"), previous=file)
    assert known["sha256"] == file["sha256"]
    again = failed_contacts(manifest, str(tmp_path / "next.jsonl.gz"), max_attempts=2)
    keys = {entry.contact_key for entry in ContactList.from_manifest(again).entries()}
    assert keys
    assert keys < {f"cust_{i}" for i in range(PEOPLE)}


def mapped_context(operator: Any, index: int, expand_input: Any) -> Any:
    context = context_of(operator)
    context["ti"].map_index = index
    task = SimpleNamespace(expand_input=SimpleNamespace(value=expand_input))
    context["dag"] = SimpleNamespace(task_dict={operator.task_id: task})
    return context


def test_mapped_results_do_not_overwrite_each_other(
    sandbox: SandboxProcess, batch_call_id: str, tmp_path: Path
) -> None:
    uris = []
    for index, expanded in enumerate([{"batch_call_id": [1, 2]}, {"batch_call_id": [1, 2]}, {"to": ["a", "b"]}]):
        to = str(tmp_path / "results.csv.gz")
        operator = BatchCallResultsOperator(task_id="results", batch_call_id=batch_call_id, to=to, details=False)
        uris.append(operator.execute(mapped_context(operator, index, expanded))["uri"].rpartition("/")[2])
    assert uris == ["results-0.csv.gz", "results-1.csv.gz", "results.csv.gz"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(uris)


BROKEN = {
    "shifted.csv": "batch_call_id,contact_id,call_status,duration_seconds\nbatch_1,c,completed,Zebulon\n",
    "wide.csv": "batch_call_id,contact_id,call_status\nb,c,completed,Zebulon\n",
    "other.jsonl": '{"phone_number": "Zebulon"}\n',
    "cut.jsonl.gz": "Zebulon",
    "text.parquet": "Zebulon",
    "empty.csv": "",
    "times.jsonl": '{"batch_call_id": "b", "contact_id": "c", "call_status": "busy", "called_at": "Zebulon"}\n',
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_previous_is_refused_before_anything_is_asked_and_shows_nobody(
    sandbox: SandboxProcess, batch_call_id: str, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / name).write_text(BROKEN[name])
    before = len(sandbox.requests())
    with pytest.raises(AirflowFailException) as caught:
        results(batch_call_id, to=str(tmp_path / "next.jsonl"), previous=str(tmp_path / name))
    assert "Zebulon" not in f"{caught.value}{caplog.text}"
    assert len(sandbox.requests()) == before


@pytest.mark.parametrize("previous", [3, ["a.jsonl"], {"uri": "x"}, "gone.jsonl", {"kind": "truedy.results"}])
def test_a_previous_that_names_no_results_is_refused(batch_call_id: str, tmp_path: Path, previous: Any) -> None:
    with pytest.raises(AirflowFailException):
        results(batch_call_id, to=str(tmp_path / "next.jsonl"), previous=previous)


def test_results_of_a_campaign_that_goes_on_have_to_be_allowed(
    sandbox: SandboxProcess, batch_call_id: str, tmp_path: Path
) -> None:
    manifest = results(batch_call_id, to=str(tmp_path / "results.jsonl"))
    to = str(tmp_path / "next.jsonl.gz")
    with pytest.raises(AirflowFailException, match="may still call these people"):
        failed_contacts(manifest, to, max_attempts=2, history=[])
    assert failed_contacts(manifest, to, max_attempts=2, history=[], allow_unfinished=True)["contacts"] >= 0


@pytest.mark.parametrize(
    "options", [{"max_attempts": "3"}, {"since": "2026-01-01"}, {"outcomes": ["completed"]}, {"history": "x.csv"}]
)
def test_arguments_of_a_wrong_kind_fail_at_once(
    sandbox: SandboxProcess, batch_call_id: str, tmp_path: Path, options: dict[str, Any]
) -> None:
    sandbox.advance(86_400)
    manifest = results(batch_call_id, to=str(tmp_path / "results.jsonl"))
    with pytest.raises(AirflowFailException, match=next(iter(options))):
        failed_contacts(manifest, str(tmp_path / "n.jsonl.gz"), **{"max_attempts": 2, "history": [], **options})


def test_lineage_leads_from_the_batch_call_to_the_table(batch_call_id: str, database: str) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    operator = BatchCallResultsOperator(
        task_id="results",
        batch_call_id=batch_call_id,
        table=TABLE,
        conn_id="warehouse",
        create_table=True,
        settle_time=0,
    )
    assert operator.get_openlineage_facets_on_complete(None) is None
    operator.execute(context_of(operator))
    lineage = operator.get_openlineage_facets_on_complete(None)
    assert [each.name for each in lineage.inputs] == [f"batch-calls/{batch_call_id}"]
    (output,) = lineage.outputs
    assert output.name.endswith(TABLE)
    assert output.namespace.startswith(f"{database}://")
    assert output.outputFacets["outputStatistics"].rowCount == PEOPLE
