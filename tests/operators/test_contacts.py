from __future__ import annotations

import gzip
import json
import logging
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import fsspec
import jinja2
import pytest
import sqlalchemy as sa
import time_machine
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import DAG, ObjectStoragePath
from airflow.serialization.helpers import serialize_template_field
from sqlalchemy.pool import NullPool

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.calling_hours import CallingHours, PlaceColumns, Rule
from airflow_truedy.contacts.consent import Consent
from airflow_truedy.contacts.errors import (
    ContactsError,
    EmptySuppressionError,
    StaleSuppressionError,
    UnknownRegionError,
)
from airflow_truedy.contacts.rules import RegionColumn
from airflow_truedy.files.errors import QueryError
from airflow_truedy.operators.contacts import (
    FileSuppression,
    FileToContactsOperator,
    SqlSuppression,
    SqlToContactsOperator,
    contacts_from_rows,
    recently_called,
)
from airflow_truedy.results.table import ResultsTable
from airflow_truedy.results.table_schema import results_table
from tests import services

ROWS = [
    ("(212) 555-0100", "Ann", "gold", "US"),
    ("+1 212 555 0100", "Ann", "gold", "US"),
    ("020 7946 0018", "Zoë", "tin", "GB"),
    ("2.12555E+09", "Cy", "tin", "US"),
    ("212.555.0102", "Dee", "gold", "US"),
]
CREATE = "CREATE TABLE people (phone TEXT, name TEXT, plan TEXT, country TEXT)"
COLUMNS = {"phone_number": "phone", "first_name": "name"}
SELECT = "SELECT * FROM people"


def context_of(**changes: Any) -> Any:
    values = {"dag_id": "d", "task_id": "people", "run_id": "r1", "map_index": -1, "try_number": 1, **changes}
    return {"ti": SimpleNamespace(**values)}


def contacts_in(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    data = ObjectStoragePath(manifest["uri"]).read_bytes()
    return [json.loads(line) for line in gzip.decompress(data).splitlines()]


@pytest.fixture
def sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    file = tmp_path / "crm.db"
    with sqlite3.connect(file) as connection:
        connection.execute(CREATE)
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", ROWS)
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(file)}))
    return "crm"


@pytest.fixture
def postgres(postgres_database: services.Database, monkeypatch: pytest.MonkeyPatch) -> str:
    connection = postgres_database.connect()
    with connection.cursor() as cursor:
        cursor.execute(CREATE)
        cursor.executemany("INSERT INTO people VALUES (%s, %s, %s, %s)", ROWS)
    connection.close()
    monkeypatch.setenv("AIRFLOW_CONN_CRM", postgres_database.airflow_uri)
    return "crm"


@pytest.fixture
def memory_store() -> None:
    """An object store in this process."""
    from airflow.sdk.io import attach

    attach("memory", fs=fsspec.filesystem("memory"))


def operator(tmp_path: Path, **options: Any) -> SqlToContactsOperator:
    fixed = {"task_id": "people", "sql": SELECT, "conn_id": "crm", "columns": COLUMNS}
    return SqlToContactsOperator(
        **{**fixed, "output_path": str(tmp_path / "out"), "region": RegionColumn("country"), **options}
    )


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_rows_of_a_query_become_a_contacts_file(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    request.getfixturevalue(database)
    manifest = operator(tmp_path).execute(context_of())

    assert isinstance(manifest, dict)
    assert contacts_in(manifest) == [
        {"phone_number": "+12125550100", "first_name": "Ann"},
        {"phone_number": "+442079460018", "first_name": "Zoë"},
        {"phone_number": "+12125550102", "first_name": "Dee"},
    ]
    assert (manifest["rows_read"], manifest["duplicates"], manifest["rejected"]) == (5, 1, 1)
    assert manifest["source"].startswith("connection crm, query ")
    assert manifest["made_by"]["dag_id"] == "d"
    assert len(json.dumps(manifest)) < 2048


def test_postgres_streams_with_a_server_side_cursor(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_truedy.files import queries

    names: list[str | None] = []
    real = queries._cursor

    def spy(connection: Any) -> Any:
        cursor = real(connection)
        names.append(cursor.name)
        return cursor

    monkeypatch.setattr(queries, "_cursor", spy)
    sql = "SELECT '+1212555' || lpad(i::text, 4, '0') AS phone_number FROM generate_series(1, 5000) AS i"
    manifest = operator(tmp_path, sql=sql, columns=None, region=None).execute(context_of())
    assert isinstance(manifest, dict)
    assert manifest["contacts"] == 5_000
    assert names == ["truedy_contacts"]


def test_psycopg_3_gets_a_named_cursor_too(postgres_database: services.Database) -> None:
    psycopg = pytest.importorskip("psycopg")
    from airflow_truedy.files.queries import _cursor

    address = postgres_database.sqlalchemy_url.replace("+psycopg2", "")
    with psycopg.connect(address) as connection, _cursor(connection) as cursor:
        cursor.execute("SELECT 1 AS one")
        assert cursor.fetchmany(10) == [(1,)]
        assert cursor.name == "truedy_contacts"


def test_parameters_reach_the_query(sqlite: str, tmp_path: Path) -> None:
    sql = "SELECT * FROM people WHERE plan = :plan"
    manifest = operator(tmp_path, sql=sql, parameters={"plan": "tin"}).execute(context_of())
    assert isinstance(manifest, dict)
    assert manifest["rows_read"] == 2


def test_no_error_of_a_database_shows_the_person_it_is_about(
    postgres: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    people = "SELECT '+12125550199' AS phone, 'US' AS country"
    tasks = {
        "a value": ("InvalidTextRepresentation 22P02", {"sql": "SELECT phone::bigint AS phone, country FROM people"}),
        "a later row": (
            "DivisionByZero 22012",
            {"sql": "SELECT '+12125550100' AS phone, 'US' AS country, 1 / (2500 - i) FROM generate_series(1, 3000) i"},
        ),
        "a parameter": (
            "SyntaxError 42601, line 2",
            {"sql": "SELECT * FROM people\nWHERE phone = %(phone)s andd", "parameters": {"phone": "+12125550100"}},
        ),
        "a do-not-call list": (
            "InvalidTextRepresentation 22P02",
            {"sql": people, "suppression": SqlSuppression("SELECT phone::bigint FROM people", "crm", region="US")},
        ),
        "no connection": ("connection refused", {"conn_id": "gone"}),
    }
    monkeypatch.setenv("AIRFLOW_CONN_GONE", "postgresql://zoe:2125550100@127.0.0.1:1/crm")
    for name, (told, options) in tasks.items():
        with pytest.raises(QueryError, match=told) as caught:
            operator(tmp_path, columns={"phone_number": "phone"}, **options).execute(context_of())
        assert caught.value.retryable, name
        seen: BaseException | None = caught.value
        while seen is not None:
            assert type(seen) is QueryError, name
            assert "555" not in str(seen), name
            seen = seen.__cause__ or seen.__context__
    assert "555" not in caplog.text


def test_the_author_of_a_wrong_query_learns_what_is_wrong(sqlite: str, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"crm: .* OperationalError: no such table"):
        operator(tmp_path, sql="SELECT * FROM poeple").execute(context_of())


def test_two_columns_of_one_name_are_an_error(sqlite: str, tmp_path: Path) -> None:
    task = operator(tmp_path, sql="SELECT phone, name, plan AS name FROM people", region=None)
    with pytest.raises(AirflowFailException, match="two columns of one name"):
        task.execute(context_of())


def test_a_connection_of_another_kind_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "http", "host": "localhost"}))
    with pytest.raises(AirflowFailException, match="is not an SQL database"):
        operator(tmp_path).execute(context_of())


def test_each_run_task_and_map_index_has_a_file_of_its_own(sqlite: str, tmp_path: Path) -> None:
    contexts = [
        context_of(),
        context_of(map_index=0),
        context_of(map_index=1),
        context_of(run_id="manual__2026-04-01T09:00:00+00:00"),
        context_of(run_id="manual__2026-04-01T09_00_00_00_00"),
        context_of(task_id="others"),
        context_of(dag_id="e"),
    ]
    manifests = [operator(tmp_path).execute(context) for context in contexts]
    uris = {manifest["uri"] for manifest in manifests if isinstance(manifest, dict)}
    assert len(uris) == len(contexts)
    again = operator(tmp_path).execute(context_of(try_number=2))
    assert isinstance(again, dict)
    assert again["uri"] in uris


def test_a_list_is_split_ready_for_mapping(sqlite: str, tmp_path: Path) -> None:
    manifests = operator(tmp_path, split_by="plan").execute(context_of())
    assert isinstance(manifests, list)
    assert [manifest["split"]["value"] for manifest in manifests] == ["gold", "tin"]
    assert sum(manifest["rows_read"] for manifest in manifests) == 5


def test_parts_without_contacts_are_left_out(sqlite: str, tmp_path: Path) -> None:
    sql = "SELECT * FROM people WHERE name <> 'Zoë'"
    manifests = operator(tmp_path, sql=sql, split_by="plan").execute(context_of())
    assert isinstance(manifests, list)
    assert [manifest["split"]["value"] for manifest in manifests] == ["gold"]


PATHS_OF_A_TRY = [
    "/lists/{{ ti.try_number }}",
    "/lists/{{ task_instance.start_date }}/x.jsonl.gz",
    "/{{ ds }}/{{ macros.datetime.now().isoformat() }}",
    "/{% if now() %}a{% endif %}",
    "/{{ macros.uuid.uuid4() }}",
    "/{{ [1, 2] | random }}",
    "/{{ dag_run.start_date }}",
    "/{{ ti.id }}",
]


@pytest.mark.parametrize("path", PATHS_OF_A_TRY)
def test_a_split_list_lies_where_a_cleared_run_finds_it_again(path: str, tmp_path: Path) -> None:
    for parts in ({"split_by": "plan"}, {"calling_hours": CALLING_HOURS}):
        with pytest.raises(ValueError, match=r"task 'people': output_path=.* must be the same in every try"):
            operator(tmp_path, output_path=path, **parts)
    operator(tmp_path, output_path=path)


@pytest.mark.parametrize(
    "path",
    [
        "/try_number/now()",
        "/{{ ds }}/{{ run_id }}/{{ ti.map_index }}",
        "/{{ dag_run.logical_date.time() }}/{{ dag.start_date }}",
        "/{{ var.value.now }}/{{ ti.xcom_pull('folder') }}",
    ],
)
def test_any_other_path_of_a_split_list_is_taken(path: str, tmp_path: Path) -> None:
    operator(tmp_path, output_path=path, split_by="plan")


OWN_RULES = [Rule("gb", "GB", {"mon-fri": ["09:00-20:00"]}, "2026-11-25")]
CALLING_HOURS = CallingHours(PlaceColumns(country="country"), own_rules=OWN_RULES, warn_after=10_000, fail_after=10_000)


def test_a_list_with_calling_hours_is_split_ready_for_mapping(sqlite: str, tmp_path: Path) -> None:
    manifests = operator(tmp_path, calling_hours=CALLING_HOURS).execute(context_of())
    assert isinstance(manifests, list)
    zones = {manifest["calling_hours"]["timezone"]: manifest["contacts"] for manifest in manifests}
    assert zones == {"America/New_York": 2, "Europe/London": 1}
    assert [manifest["rejected_by_reason"] for manifest in manifests] == [{"exponent": 1}, {}]
    assert len({manifest["uri"] for manifest in manifests}) == 2
    assert all(len(json.dumps(manifest)) < 2048 for manifest in manifests)
    assert manifests == json.loads(json.dumps(manifests))


def test_one_part_is_a_list_too_and_nobody_an_empty_one(sqlite: str, tmp_path: Path) -> None:
    british = operator(tmp_path, calling_hours=CALLING_HOURS, sql=f"{SELECT} WHERE country = 'GB'")
    (manifest,) = british.execute(context_of())
    assert isinstance(manifest, dict)
    assert manifest["calling_hours"]["end_time"] == "20:00"
    nobody = operator(
        tmp_path, calling_hours=replace(CALLING_HOURS, own_rules=()), sql=f"{SELECT} WHERE country = 'GB'"
    )
    assert nobody.execute(context_of()) == []


def test_rules_that_cannot_be_used_fail_at_once(sqlite: str, tmp_path: Path) -> None:
    missing = CallingHours(rules=str(tmp_path / "no-rules.json"))
    with pytest.raises(AirflowFailException, match=r"RulesError: The rule file .*no-rules.json"):
        operator(tmp_path, calling_hours=missing).execute(context_of())


def test_consent_is_checked_by_operators_and_by_a_tasks_own_code(sqlite: str, tmp_path: Path) -> None:
    manifest = operator(tmp_path, consent=Consent("plan")).execute(context_of())
    assert isinstance(manifest, dict)
    assert manifest["rejected_by_reason"] == {"exponent": 1, "no_consent": 3}
    rows = [{"phone_number": "+12125550100", "agreed": "2020-01-01"}]
    own = contacts_from_rows(
        rows,
        output_path=str(tmp_path),
        context=context_of(),
        region=None,
        consent=Consent("agreed"),
        calling_hours=replace(CALLING_HOURS, columns=PlaceColumns()),
    )
    assert isinstance(own, list)
    assert own[0]["consent"]["column"] == "agreed"


def results_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *calls: tuple[str, timedelta]) -> None:
    """Make a table of results with calls to numbers, each so long ago."""
    file = tmp_path / "results.db"
    engine = sa.create_engine(f"sqlite:///{file}", poolclass=NullPool)
    ResultsTable(engine, "results").create()
    now = datetime.now(timezone.utc)
    with engine.begin() as connection:
        for at, (number, ago) in enumerate(calls):
            row = {"batch_call_id": f"batch_{at}", "contact_id": "ctc", "phone_number": number, "call_id": "call"}
            row |= {"call_status": "no_answer", "called_at": now - ago, "details": "none"}
            connection.execute(results_table().insert(), row)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(file)}))


HOUR = timedelta(hours=1)


def test_people_who_were_called_often_are_held_back(
    sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, dee, zoe = "+12125550100", "+12125550102", "+442079460018"
    results_of(tmp_path, monkeypatch, (ann, HOUR), (ann, 30 * HOUR), (dee, HOUR), (dee, 50 * HOUR), (zoe, HOUR))
    task = operator(tmp_path, suppression=recently_called("warehouse", calls=2, days=2))
    manifest = task.execute(context_of())
    assert isinstance(manifest, dict)
    assert (manifest["suppressed"], manifest["duplicates"]) == (1, 1)
    assert [contact["phone_number"] for contact in contacts_in(manifest)] == [zoe, dee]


def test_caps_of_the_rules_hold_back_people_where_they_apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    florida, maine, ohio = "+18505550100", "+12075550101", "+16145550102"
    often = [(florida, HOUR), (florida, 2 * HOUR), (florida, 23 * HOUR), (maine, 7 * HOUR), *[(ohio, HOUR)] * 9]
    results_of(tmp_path, monkeypatch, *often)
    rows = [{"phone_number": number} for number in (florida, maine, ohio, "+18505550109", "+12075550109")]

    def called() -> list[str]:
        manifests = contacts_from_rows(
            rows,
            output_path=str(tmp_path / "out"),
            context=context_of(),
            region=None,
            calling_hours=replace(CALLING_HOURS, columns=PlaceColumns()),
            suppression=recently_called("warehouse"),
        )
        assert isinstance(manifests, list)
        assert sum(each["rows_read"] for each in manifests) == 5
        return sorted(contact["phone_number"] for each in manifests for contact in contacts_in(each))

    assert called() == sorted([ohio, "+18505550109", "+12075550109"])
    later = datetime.now(timezone.utc) + 2 * HOUR
    with time_machine.travel(later):
        assert called() == sorted([florida, maine, ohio, "+18505550109", "+12075550109"])


def test_caps_need_rules_and_a_table(sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowFailException, match="recently_called takes the caps of the rules in calling_hours="):
        operator(tmp_path, suppression=[recently_called("crm")]).execute(context_of())
    with pytest.raises(AirflowFailException, match="WrongTableError: There is no table results"):
        operator(tmp_path, suppression=[recently_called("crm", calls=1, days=1)]).execute(context_of())
    for wrong in ({"calls": 1}, {"days": 1}, {"calls": 0, "days": 1}, {"calls": 1, "days": 0}):
        with pytest.raises(ContactsError, match="recently_called: "):
            recently_called("crm", **wrong)


def test_the_table_of_recent_calls_is_templated(tmp_path: Path) -> None:
    calls = recently_called("{{ 'ware' }}house", "results_{{ 1 + 1 }}", launched="l{{ 1 }}")
    operator(tmp_path, suppression=[calls]).render_template_fields({})
    assert (calls.conn_id, calls.table, calls.launched) == ("warehouse", "results_2", "l1")


def test_the_region_must_be_said_when_the_dag_is_parsed(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="region"):
        SqlToContactsOperator(task_id="people", sql=SELECT, conn_id="crm", output_path=str(tmp_path))
    with pytest.raises(UnknownRegionError, match='did you mean "GB"'):
        operator(tmp_path, region="UK")
    with pytest.raises(UnknownRegionError, match="task 'people': region='ZZ'"):
        operator(tmp_path, region="ZZ")
    with pytest.raises(UnknownRegionError):
        SqlSuppression(SELECT, "crm")
    FileSuppression("hashes.csv", hashed=True)


@pytest.mark.parametrize("split_by", [None, "plan"])
@pytest.mark.parametrize("where", ["name = 'Cy'", "name = 'nobody'"])
def test_an_empty_list_may_fail_or_skip_the_task(sqlite: str, tmp_path: Path, where: str, split_by: str | None) -> None:
    options = {"sql": f"{SELECT} WHERE {where}", "split_by": split_by}
    with pytest.raises(AirflowFailException, match=r"EmptyListError: None of [01] rows became a contact"):
        operator(tmp_path, on_empty="fail", **options).execute(context_of())
    with pytest.raises(AirflowSkipException, match="No row"):
        operator(tmp_path, on_empty="skip", **options).execute(context_of())
    assert operator(tmp_path, **options).execute(context_of()) is not None
    assert operator(tmp_path, on_empty="fail").execute(context_of())


def test_a_long_task_id_gets_a_shorter_file_name(sqlite: str, tmp_path: Path) -> None:
    names = {"task_id": "x" * 250, "dag_id": "d" * 250, "run_id": "r" * 250}
    one = operator(tmp_path, split_by="plan").execute(context_of(**names))
    other = operator(tmp_path, split_by="plan").execute(context_of(**{**names, "task_id": "x" * 249}))
    assert isinstance(one, list)
    assert isinstance(other, list)
    assert one[0]["uri"] != other[0]["uri"]
    assert all(Path(each["uri"].removeprefix("file://")).exists() for each in (*one, *other))


def test_what_no_retry_can_help_fails_at_once(sqlite: str, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="TooManyRejectedError: 1 of 5 rows"):
        operator(tmp_path, max_rejected=0).execute(context_of())
    rendered = operator(tmp_path, conn_id="{{ params.database }}")
    rendered.conn_id = "None"
    with pytest.raises(AirflowFailException, match=r"conn_id = \(nothing\): its template rendered to nothing"):
        rendered.execute(context_of())


def test_do_not_call_lists_come_from_queries_and_files(sqlite: str, tmp_path: Path) -> None:
    file = tmp_path / "dnc.csv"
    file.write_text("since,number\n2026,212-555-0100\n")
    lists = [
        SqlSuppression("SELECT name, phone FROM people WHERE country = 'GB'", "crm", region="GB", column="phone"),
        FileSuppression(str(file), region="US", column="number", max_age=timedelta(days=1)),
    ]
    manifest = operator(tmp_path, suppression=lists).execute(context_of())
    assert isinstance(manifest, dict)
    assert [contact["phone_number"] for contact in contacts_in(manifest)] == ["+12125550102"]
    assert manifest["suppressed"] == 2


def test_the_column_of_a_list_may_differ_in_upper_and_lower_case(sqlite: str, tmp_path: Path) -> None:
    source = SqlSuppression(
        "SELECT phone AS NUMBER FROM people WHERE country = 'GB'", "crm", region="GB", column="number"
    )
    manifest = operator(tmp_path, suppression=source).execute(context_of())
    assert isinstance(manifest, dict)
    assert manifest["suppressed"] == 1


def test_a_stale_list_fails_the_task_and_may_be_retried(sqlite: str, tmp_path: Path) -> None:
    file = tmp_path / "dnc.csv"
    file.write_text("number\n")
    old = (datetime.now(timezone.utc) - timedelta(days=2)).timestamp()
    os.utime(file, (old, old))
    for source in (
        FileSuppression(str(file), region=None, max_age=timedelta(days=1)),
        SqlSuppression("SELECT 1", "crm", region=None, as_of="2026-01-01T00:00:00Z", max_age=timedelta(days=1)),
    ):
        with pytest.raises(StaleSuppressionError):
            operator(tmp_path, suppression=source).execute(context_of())


def test_a_wrong_column_or_time_of_a_list_is_named(sqlite: str, tmp_path: Path) -> None:
    for source, message in (
        (SqlSuppression(SELECT, "crm", region=None, column="tel"), "no column 'tel'"),
        (SqlSuppression(SELECT, "crm", region=None, as_of="yesterday"), "'yesterday' is not an ISO 8601"),
    ):
        with pytest.raises(AirflowFailException, match=message):
            operator(tmp_path, suppression=source).execute(context_of())


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("header_only.csv", "phone\n", {"column": "nope"}),
        ("nothing.jsonl", "", {}),
        ("stated_column_empty.csv", "old,phone\n,212-555-0100\n,212-555-0102\n", {"column": "old"}),
        ("stated_key_null.jsonl", '{"id": null, "phone": "212-555-0100"}\n', {"column": "id"}),
    ],
)
def test_a_list_in_which_nobody_is_found_fails_the_task_unless_it_may_be_empty(
    sqlite: str, tmp_path: Path, name: str, text: str, options: dict[str, Any]
) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(EmptySuppressionError, match=rf"{name}.*allow_empty=True"):
        operator(tmp_path, suppression=FileSuppression(str(file), region="US", **options)).execute(context_of())
    allowed = FileSuppression(str(file), region="US", allow_empty=True, **options)
    manifest = operator(tmp_path, suppression=allowed).execute(context_of())
    assert isinstance(manifest, dict)
    assert manifest["suppressed"] == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("first_column_empty.csv", "old,phone\n,212-555-0100\n,212-555-0102\n"),
        ("numbers_of_something_else.csv", "id,phone\n2125550199,212-555-0100\n"),
        ("second_line.jsonl", '{"phone": "212-555-0102"}\n{"id": 7, "phone": "212-555-0100"}\n'),
    ],
)
def test_a_list_of_several_columns_needs_the_one_to_be_stated(
    sqlite: str, tmp_path: Path, name: str, text: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    for source in (
        FileSuppression(str(file), region="US", allow_empty=True, max_unreadable=1.0),
        SqlSuppression(SELECT, "crm", region=None, max_unreadable=1.0),
    ):
        with pytest.raises(AirflowFailException, match=r"MissingColumnError: .*state column="):
            operator(tmp_path, suppression=source).execute(context_of())


def test_a_query_that_finds_nobody_fails_the_task_unless_it_may(sqlite: str, tmp_path: Path) -> None:
    nobody = f"{SELECT} WHERE plan = 'none'"
    with pytest.raises(EmptySuppressionError, match="connection crm"):
        operator(tmp_path, suppression=SqlSuppression(nobody, "crm", region=None)).execute(context_of())
    allowed = SqlSuppression(nobody, "crm", region=None, allow_empty=True)
    assert operator(tmp_path, suppression=allowed).execute(context_of())


@pytest.mark.parametrize("rendered", ["", " ", "None", None])
def test_a_salt_that_renders_to_nothing_fails_the_task(sqlite: str, tmp_path: Path, rendered: str | None) -> None:
    file = tmp_path / "hashes.csv"
    file.write_text(f"hash\n{sha256(b'pepper+12125550100').hexdigest()}\n")
    source = FileSuppression(str(file), hashed=True, salt="{{ params.salt }}")
    source.salt = rendered  # type: ignore[assignment]  # as Airflow leaves it behind
    with pytest.raises(AirflowFailException, match=r"salt of a do-not-call list.*rendered to nothing"):
        operator(tmp_path, suppression=source).execute(context_of())


def test_templates_and_sql_files_are_rendered_in_lists_too(tmp_path: Path) -> None:
    (tmp_path / "people.sql").write_text("SELECT * FROM people WHERE plan = '{{ params.plan }}'")
    with DAG("d", template_searchpath=[str(tmp_path)]):
        task = operator(
            tmp_path,
            sql="people.sql",
            conn_id="{{ params.plan }}_db",
            parameters={"day": "{{ params.plan }}"},
            output_path="/x/{{ params.plan }}",
            suppression=[SqlSuppression("people.sql", "crm", region=None, as_of="{{ params.plan }}", salt="s3cret")],
        )
    task.resolve_template_files()
    task.render_template_fields(
        {"params": {"plan": "gold"}}, jinja2.Environment(loader=jinja2.FileSystemLoader(tmp_path))
    )
    assert task.sql == "SELECT * FROM people WHERE plan = 'gold'"
    assert (task.conn_id, task.parameters, task.output_path) == ("gold_db", {"day": "gold"}, "/x/gold")
    (source,) = cast("Any", task.suppression)
    assert source.sql == task.sql
    assert source.as_of == "gold"
    assert "s3cret" not in str(serialize_template_field(task.suppression, "suppression"))


def test_rows_of_a_file_become_a_contacts_file(tmp_path: Path) -> None:
    file = tmp_path / "crm.csv"
    lines = ["phone;name;plan;country", *(";".join(row) for row in ROWS)]
    file.write_bytes("\n".join(lines).encode("cp1252"))
    task = FileToContactsOperator(
        task_id="people",
        path=f"file://{file}",
        output_path=f"file://{tmp_path}/out",
        region=RegionColumn("country"),
        columns=COLUMNS,
    )
    manifest = task.execute(context_of())
    assert isinstance(manifest, dict)
    assert [contact["first_name"] for contact in contacts_in(manifest)] == ["Ann", "Zoë", "Dee"]


@pytest.mark.parametrize("given", ["parts", "parts/*.csv"])
def test_a_folder_or_pattern_becomes_one_contacts_file(tmp_path: Path, given: str) -> None:
    (tmp_path / "parts").mkdir()
    for part in (2, 1):
        file = tmp_path / "parts" / f"part-{part}.csv"
        file.write_text(f"PHONE_NUMBER,note\n+1212555010{part},NULL\n=1+1,-1\n")
    task = FileToContactsOperator(
        task_id="people",
        path=f"file://{tmp_path}/{given}",
        output_path=f"file://{tmp_path}/out",
        region=None,
        columns={"custom_fields": ["note"]},
    )
    manifest = task.execute(context_of())
    assert isinstance(manifest, dict)
    assert contacts_in(manifest) == [{"phone_number": "+12125550101"}, {"phone_number": "+12125550102"}]
    assert manifest["rejected"] == 2
    written = Path(manifest["uri"].removeprefix("file://"))
    assert [path.stat().st_mode & 0o777 for path in (written, written.parent)] == [0o600, 0o700]


def test_what_is_read_from_a_file_may_be_stated(tmp_path: Path) -> None:
    (tmp_path / "people.txt").write_bytes(
        "phone_number|name\n+12125550100|Łuk\n+12125550101|NULL\n".encode("iso-8859-2")
    )
    task = FileToContactsOperator(
        task_id="people",
        path=str(tmp_path / "people.txt"),
        encoding="iso-8859-2",
        delimiter="|",
        nulls=(),
        output_path=str(tmp_path / "out"),
        region=None,
        columns={"first_name": "name"},
    )
    manifest = task.execute(context_of())
    assert isinstance(manifest, dict)
    assert [contact["first_name"] for contact in contacts_in(manifest)] == ["Łuk", "NULL"]


def test_files_may_lie_on_an_object_store(memory_store: None) -> None:
    source = ObjectStoragePath("memory://crm/people.jsonl.gz")
    source.write_bytes(gzip.compress(b'{"phone_number": "+12125550100"}\n{"phone_number": "nobody"}\n'))
    task = FileToContactsOperator(task_id="people", path=str(source), output_path="memory://lists", region=None)
    manifest = task.execute(context_of())
    assert isinstance(manifest, dict)
    # Airflow 3.0 and 3.1 write three slashes.
    assert manifest["uri"].replace("///", "//") == "memory://lists/d/r1/people.jsonl.gz"
    assert contacts_in(manifest) == [{"phone_number": "+12125550100"}]
    assert "nobody" not in ObjectStoragePath(manifest["rejects_uri"]).read_text()

    from airflow_truedy.parameters.contact_source import contact_list_of

    contacts = contact_list_of(manifest)
    assert contacts is not None
    assert list(contacts) == [{"phone_number": "+12125550100"}]


def test_an_upload_that_breaks_leaves_nothing(memory_store: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> None:
        arguments[1].write(b"half")
        raise ConnectionError("the store went away")

    monkeypatch.setattr("airflow_truedy.files.paths.shutil.copyfileobj", broken)
    with pytest.raises(ConnectionError):
        contacts_from_rows([], output_path="memory://broken", region=None, context=context_of())
    assert not list(ObjectStoragePath("memory://broken/d/r1").glob("*"))


def test_a_task_of_its_own_may_yield_the_rows(tmp_path: Path) -> None:
    rows = ({"phone_number": f"+1212555{i:04d}"} for i in range(100))
    manifest = contacts_from_rows(rows, output_path=str(tmp_path), region=None, context=context_of())
    assert isinstance(manifest, dict)
    assert manifest["contacts"] == 100


def test_logs_and_xcom_hold_counts_and_nothing_of_a_person(
    sqlite: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    manifest = operator(tmp_path).execute(context_of())
    assert "5 rows read: 3 contacts, 1 duplicates, 0 suppressed, 1 refused {'exponent': 1}" in caplog.text
    for secret in ("5550100", "79460018", "555-0100", "Zoë", "Dee"):
        assert secret not in caplog.text
        assert secret not in json.dumps(manifest, ensure_ascii=False)


def test_parsing_a_dag_loads_neither_phonenumbers_nor_pydantic_for_it() -> None:
    script = (
        "import sys, airflow.sdk, airflow.providers.common.compat.sdk as c; c.BaseOperator(task_id='b'); "
        "before = set(sys.modules)\n"
        "from airflow_truedy.operators.contacts import SqlToContactsOperator, SqlSuppression\n"
        "SqlToContactsOperator(task_id='t', sql='s', conn_id='c', output_path='o', region='US', "
        "suppression=SqlSuppression('s', 'c', region=None))\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new & {'phonenumbers', 'pydantic', 'pydantic_core', 'httpx', 'pendulum', 'pyarrow'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("given", ["sslmode=require", 5, ["sslmode"], True, "{{ params.hook }}"])
def test_hook_params_that_are_not_a_mapping_are_refused_while_parsing(tmp_path: Path, given: Any) -> None:
    with pytest.raises(InvalidPayloadError, match="task 'people': hook_params = "):
        operator(tmp_path, hook_params=given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nulls": "NULL"}, "task 'people': nulls='NULL' must be a list of texts"),
        ({"nulls": 5}, "task 'people': nulls=5 must be"),
        ({"delimiter": "tab"}, "task 'people': delimiter='tab' is not one character"),
        ({"encoding": "utf8x"}, "task 'people': encoding='utf8x' is not"),
        ({"sheet": 0}, "task 'people': sheet=0 is not the name"),
        ({"max_splits": "5"}, "task 'people': max_splits='5' must be"),
        ({"columns": {"custom_fields": 5}}, "task 'people': columns: custom_fields must be"),
    ],
)
def test_an_option_of_the_wrong_type_is_refused_while_parsing(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FileToContactsOperator(task_id="people", path="a.csv", output_path="/out", region="US", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"allow_empty": "no"}, "FileSuppression: allow_empty='no' must be True or False"),
        ({"hashed": "false"}, "FileSuppression: hashed='false' must be"),
        ({"max_unreadable": 20.0}, "FileSuppression: max_unreadable=20.0 must be"),
        ({"max_age": 7}, "FileSuppression: max_age=7 must be a timedelta"),
        ({"salt": 7070}, "FileSuppression: salt must be text; it is not shown"),
        ({"column": 5}, "FileSuppression: column=5 is not the name of a column"),
        ({"delimiter": ",,"}, "delimiter=',,' is not one character"),
    ],
)
def test_an_option_of_a_do_not_call_list_is_checked_while_parsing(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FileSuppression("dnc.csv", region="US", **options)


@pytest.mark.parametrize("options", [{"calls": "3", "days": 7}, {"calls": 3, "days": timedelta(7)}])
def test_how_often_is_too_often_is_a_number(options: dict[str, Any]) -> None:
    with pytest.raises(ContactsError, match="must be a number"):
        recently_called("crm", **options)


@pytest.mark.parametrize("column", [None, "phone"])
def test_people_in_place_of_the_columns_of_a_do_not_call_list_are_not_shown(tmp_path: Path, column: str | None) -> None:
    file = tmp_path / "dnc.jsonl"
    file.write_text('{"+12125550100": "Ann", "+12125550101": "Bob"}\n')
    source = FileSuppression(str(file), region=None, column=column)
    with pytest.raises(ContactsError, match="others are not shown") as caught:
        list(source.open().entries)
    assert "5550100" not in str(caught.value)


def test_a_list_with_a_greatest_age_needs_an_age() -> None:
    with pytest.raises(ContactsError, match="max_age= needs as_of="):
        SqlSuppression("SELECT phone FROM dnc", "crm", region="US", max_age=timedelta(days=1))


def test_a_query_that_gives_no_rows_at_all_is_not_an_empty_list(sqlite: str, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match=r"Connection crm: the query gives no columns.*SELECT"):
        operator(tmp_path, sql="CREATE TABLE others (phone TEXT)").execute(context_of())


def test_a_connection_without_its_provider_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "nosuch", "host": "db"}))
    with pytest.raises(AirflowFailException, match=r"Connection 'crm' is of type 'nosuch', which no .*Install the"):
        operator(tmp_path).execute(context_of())
