"""Tables of results on the databases that people have: PostgreSQL, MariaDB and SQLite, each a real one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from airflow_truedy.api.models import BatchCallContact, Call
from airflow_truedy.results.columns import Contacted, Details
from airflow_truedy.results.history import History
from airflow_truedy.results.staging import Staging
from airflow_truedy.results.table import (
    ResultsTable,
    ResultsTableError,
    WrongTableError,
    create_statement,
)
from airflow_truedy.results.table_schema import results_table
from tests import services

NOON = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=timezone.utc)
BATCH = "batch_1"


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    with ExitStack() as stack:
        if request.param == "postgresql":
            url = stack.enter_context(services.temporary_database()).sqlalchemy_url
        elif request.param == "mariadb":
            url = stack.enter_context(services.temporary_mariadb())
        else:
            url = f"sqlite:///{tmp_path / 'results.db'}"
        yield sa.create_engine(url, poolclass=NullPool, hide_parameters=True)


@pytest.fixture
def table(engine: sa.Engine) -> ResultsTable:
    made = ResultsTable(engine, "results")
    made.create()
    return made


def contact(n: int, status: str = "no_answer", **fields: Any) -> Contacted:
    given = {
        "contact_id": f"ctc_{n}",
        "phone_number": f"+1212555{n:04d}",
        "first_name": "Ann",
        "call_status": status,
        "call_id": f"call_{n}",
        "called_at": NOON.isoformat(),
        **fields,
    }
    return Contacted.of(BatchCallContact.model_validate(given))


def call(**fields: Any) -> Call:
    given = {"id": "call", "status": "completed", "duration_seconds": 61.5, "cost_credits": 2, "summary": "Fine."}
    return Call.model_validate({**given, **fields})


@contextmanager
def staged(
    table: ResultsTable, *contacts: Contacted, calls: dict[int, Call] | None = None, recalls: bool = True
) -> Iterator[Staging]:
    """What a run has read, not yet written."""
    with Staging() as staging:
        if recalls:
            staging.remember(table.known(BATCH))
        staging.add(contacts)
        staging.tell_apart()
        staging.want_details(of_unended=True)
        staging.recall()
        for n, one in (calls or {}).items():
            staging.set_details(f"call_{n}", one, Details.COMPLETE)
        staging.give_up()
        staging.fit(*table.limits())
        yield staging


def write(table: ResultsTable, *contacts: Contacted, **options: Any) -> int:
    with staged(table, *contacts, **options) as staging:
        return table.write(staging, BATCH)


def stored(engine: sa.Engine, columns: str = "*", name: str = "results") -> list[dict[str, Any]]:
    with engine.connect() as connection:
        query = sa.text(f"SELECT {columns} FROM {name} ORDER BY contact_id")
        return [dict(row) for row in connection.execute(query).mappings()]


def execute(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_rows_are_written_once_and_changed_rows_again(engine: sa.Engine, table: ResultsTable) -> None:
    people = [contact(n) for n in range(2_500)]
    calls = {n: call() for n in range(2_500)}
    assert write(table, *people, calls=calls) == 2_500
    assert write(table, *people) == 0
    changed = [contact(0, phone_number="+12125559999"), contact(1, called_at="2026-06-02T12:00:00Z"), *people[2:]]
    assert write(table, *changed) == 2
    rows = list(table.rows(BATCH))
    assert [rows[0]["phone_number"], rows[1]["called_at"]] == ["+12125559999", NOON.replace(day=2, microsecond=0)]
    assert len(rows) == 2_500
    full = stored(engine, "duration_seconds, cost_credits, summary, details")
    assert {tuple(row.values()) for row in full} == {(61.5, 2, "Fine.", "complete")}


def test_flags_of_calls_outside_the_hours_come_back_and_stay_with_their_moment(
    engine: sa.Engine, table: ResultsTable
) -> None:
    late = NOON + timedelta(hours=1)
    people = [contact(1), contact(2, called_at=late.isoformat()), contact(3, "pending", call_id=None, called_at=None)]
    with staged(table, *people) as staging:
        hours = SimpleNamespace(allows=lambda at: at < late, timezone="Europe/Paris", window="", rules="")
        assert staging.called_outside(hours) == 1
        table.write(staging, BATCH)
    assert [row["outside_hours"] for row in table.rows(BATCH)] == [False, True, None]
    assert [row["contact_id"] for row in stored(engine, name="results WHERE outside_hours")] == ["ctc_2"]
    # Without hours nothing changes, also where an older run knows nothing of the flags.
    assert write(table, *people) == 0
    write(table, contact(1, first_name="Bea"), contact(2, called_at=None, first_name="Bea"), people[2], recalls=False)
    assert [row["outside_hours"] for row in table.rows(BATCH)] == [False, True, None]
    # Nobody compared another moment, or another call.
    write(table, contact(1, called_at=late.isoformat()))
    write(table, contact(2, called_at=None, call_id="another"), recalls=False)
    assert [row["outside_hours"] for row in table.rows(BATCH)] == [None, None, None]


def test_an_instant_comes_back_as_it_was(table: ResultsTable) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-5)))
    write(table, contact(1, called_at=elsewhere.isoformat()), contact(2, called_at=None))
    assert [row["called_at"] for row in table.rows(BATCH)] == [NOON, None]


def test_people_who_were_called_often_are_counted_over_all_batch_calls(engine: sa.Engine, table: ResultsTable) -> None:
    day = timedelta(days=1)
    rows = [
        # Numbers end in how often they count as called since noon minus one day.
        ("02", "completed", "call", NOON),
        ("02", "no_answer", "call", NOON - day),
        ("01", "completed", "call", NOON - day - timedelta(microseconds=1)),
        ("01", "busy", "call", NOON),
        ("03", "failed", None, None),
        ("03", "pending", None, None),
        ("03", "cancelled", "call", NOON),
        ("00", "cancelled", None, None),
        ("00", "pending", None, None, "gone"),
        ("04", "in_progress", None, None),
        ("04", "opted_out", None, NOON),
        ("04", "pending", "call", None),
        ("04", "some_new_word", None, None),
        (None, "completed", "call", NOON),
    ]
    with engine.begin() as connection:
        for at, (ending, status, call_id, called_at, *details) in enumerate(rows):
            row = {"batch_call_id": f"batch_{at}", "contact_id": "ctc_1", "call_status": status, "call_id": call_id}
            row |= {"called_at": called_at, "details": details[0] if details else "none"}
            row |= {"phone_number": ending and f"+121255501{ending}"}
            connection.execute(results_table().insert(), row)
    for often in (1, 2, 3, 4, 5):
        found = sorted(int(number[-2:]) for number in table.called_often(often, NOON - day))
        assert found == list(range(often, 5))


def launch(engine: sa.Engine, kind: str, *rows: tuple[str, str | None, str | None]) -> None:
    """Make a table of launched people, as a user keeps it."""
    columns = f"batch_call_id VARCHAR(99), phone_number VARCHAR(32), starts_at {kind} NULL"
    execute(engine, f"CREATE TABLE launched ({columns})")
    with engine.begin() as connection:
        for row in rows:
            insert = sa.text("INSERT INTO launched VALUES (:batch, :number, :at)")
            connection.execute(insert, dict(zip(("batch", "number", "at"), row, strict=True)))


def test_people_of_campaigns_without_results_count_from_a_table_of_the_users_own(
    engine: sa.Engine, table: ResultsTable
) -> None:
    write(table, contact(1), contact(2))
    soon, before = "2026-06-05 09:00:00", "2026-05-30 09:00:00"
    one, two, three = ("+12125550001", "+12125550002", "+12125550003")
    of_known_results = (BATCH, two, soon)
    unusable = [("new", None, soon), ("new", two, None), ("old", two, before)]
    launch(engine, "TIMESTAMP", ("a", one, soon), ("a", three, soon), ("b", three, soon), of_known_results, *unusable)
    since = NOON - timedelta(days=1)
    assert sorted(table.called_often(2, since, "launched")) == [one, three]
    assert sorted(table.called_often(1, since, "launched")) == [one, two, three]
    assert sorted(table.called_often(1, since)) == [one, two]


def test_a_table_of_launched_people_must_have_its_columns(engine: sa.Engine, table: ResultsTable) -> None:
    with pytest.raises(WrongTableError, match="launched is not there, or lacks the columns batch_call_id"):
        table.called_often(1, NOON, "launched")
    with pytest.raises(WrongTableError, match="not a name of a table"):
        table.called_often(1, NOON, "launched; DROP TABLE results")
    launch(engine, "VARCHAR(40)")
    with pytest.raises(WrongTableError, match="starts_at of the table launched is not one of date and time"):
        table.called_often(1, NOON, "launched")


def test_columns_of_the_users_own_survive(engine: sa.Engine, table: ResultsTable) -> None:
    write(table, contact(1), contact(2))
    execute(engine, "ALTER TABLE results ADD COLUMN note VARCHAR(50)", "UPDATE results SET note = 'by hand'")
    write(table, contact(1, "completed"), contact(2, first_name="Bea"), contact(3))
    assert [row["note"] for row in stored(engine)] == ["by hand", "by hand", None]
    assert [row["call_status"] for row in stored(engine)] == ["completed", "no_answer", "no_answer"]


@pytest.mark.parametrize(
    ("known", "stale"),
    [
        ("completed", "pending"),
        ("completed", "in_progress"),
        ("completed", "no_answer"),
        ("no_answer", "pending"),
        ("voicemail", "in_progress"),
        ("opted_out", "completed"),
        ("do_not_call", "busy"),
        ("in_progress", "pending"),
    ],
)
def test_a_status_never_goes_back_whichever_run_writes_last(
    engine: sa.Engine, table: ResultsTable, known: str, stale: str
) -> None:
    # The older run read before the fresher one wrote, so it knows nothing of that.
    write(table, contact(1, known), calls={1: call(status=known)}, recalls=False)
    write(table, contact(1, stale, call_id=None, called_at=None, first_name="Old"), recalls=False)
    (row,) = stored(engine, "call_status, call_id, first_name, summary, details")
    assert tuple(row.values()) == (known, "call_1", "Ann", "Fine.", "complete")
    assert write(table, contact(1, stale, call_id=None, called_at=None)) <= 1
    assert stored(engine, "call_status, summary") == [{"call_status": known, "summary": "Fine."}]


def test_a_database_without_an_upsert_of_its_own_keeps_the_same_rule(
    engine: sa.Engine, table: ResultsTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ResultsTable, "_upsert", ResultsTable._update_or_insert)
    write(table, contact(1, "completed"), contact(2, "pending"), calls={1: call()}, recalls=False)
    write(table, contact(1, "no_answer"), contact(2, "busy"), contact(3, "busy"), recalls=False)
    assert [row["call_status"] for row in stored(engine)] == ["completed", "busy", "busy"]
    assert stored(engine, "summary")[0] == {"summary": "Fine."}


def test_a_status_goes_on(engine: sa.Engine, table: ResultsTable) -> None:
    for status in ("pending", "in_progress", "no_answer", "busy", "completed", "opted_out"):
        write(table, contact(1, status), recalls=False)
        assert stored(engine, "call_status") == [{"call_status": status}]


def test_details_stay_where_a_later_run_does_not_read_them(engine: sa.Engine, table: ResultsTable) -> None:
    write(table, contact(1, "completed"), calls={1: call()})
    write(table, contact(1, "completed", first_name="Bea"), recalls=False)
    (row,) = stored(engine, "first_name, summary, duration_seconds, details")
    assert tuple(row.values()) == ("Bea", "Fine.", 61.5, "complete")
    # Another call is about another conversation.
    write(table, contact(1, "completed", call_id="call_2"), recalls=False)
    assert stored(engine, "summary, details") == [{"summary": None, "details": "missing"}]


ODD = {
    "nul": {"first_name": "A\0nn"},
    "half a character": {"first_name": "A\ud800nn"},
    "too long": {"first_name": "n" * 300},
    "emoji": {"first_name": "Ann 🎈"},
    "long id": {"contact_id": "c" * 400},
    "long call": {"call_id": "c" * 300},
    "long word": {"call_status": "w" * 100},
}


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_text_does_not_keep_the_others_out(
    engine: sa.Engine, table: ResultsTable, odd: str, caplog: pytest.LogCaptureFixture
) -> None:
    people = [contact(1), contact(2, **ODD[odd]), contact(3)]
    assert write(table, *people) == 3
    assert write(table, *people) == 0
    rows = {row["phone_number"]: row for row in stored(engine)}
    assert len(rows) == 3
    is_marked = odd != "emoji"
    assert bool(rows["+12125550002"]["cleaned"]) is is_marked
    assert rows["+12125550001"]["cleaned"] is None
    assert "nnnn" not in caplog.text


@pytest.mark.parametrize("charset", ["utf8mb3", "latin1", "ascii"])
def test_a_table_in_an_older_character_set_keeps_what_it_can(
    engine: sa.Engine, charset: str, caplog: pytest.LogCaptureFixture
) -> None:
    if engine.dialect.name not in ("mysql", "mariadb"):
        pytest.skip("the database keeps all letters")
    execute(engine, create_statement(dialect="mysql").replace("utf8mb4", charset))
    table = ResultsTable(engine, "results")
    people = [contact(n) for n in range(40)]
    people[7], people[8] = contact(7, first_name="Łukasz 😀"), contact(8, first_name="José")
    assert write(table, *people, calls={9: call(summary="Fine 😀.")}) == 40
    rows = {row["contact_id"]: (row["first_name"], row["summary"], row["cleaned"]) for row in stored(engine)}
    name = {"utf8mb3": "Łukasz ?", "latin1": "?ukasz ?", "ascii": "?ukasz ?"}[charset]
    assert rows["ctc_7"] == (name, None, "first_name")
    assert rows["ctc_8"] == (("Jos?", None, "first_name") if charset == "ascii" else ("José", None, None))
    assert rows["ctc_9"] == ("Ann", "Fine ?.", "summary")
    assert sum(cleaned is None for _, _, cleaned in rows.values()) == (37 if charset == "ascii" else 38)
    assert "ukasz" not in caplog.text


def test_numbers_that_no_column_holds_are_left_out(
    engine: sa.Engine, table: ResultsTable, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    calls = {1: call(cost_credits=1e13, summary="S\0o"), 2: call(duration_seconds=1e12), 3: call()}
    write(table, *(contact(n, "completed") for n in (1, 2, 3)), calls=calls)
    rows = stored(engine, "cost_credits, duration_seconds, cleaned")
    assert [row["cleaned"] for row in rows] == ["summary,cost_credits", "duration_seconds", None]
    assert [rows[0]["cost_credits"], rows[1]["duration_seconds"]] == [None, None]
    assert "cost_credits was left out" in caplog.text


def test_a_contact_that_is_gone_is_marked_and_stays(engine: sa.Engine, table: ResultsTable) -> None:
    write(table, contact(1, "pending", call_id=None), contact(2, "opted_out"))
    with staged(table, contact(3)) as staging:
        table.write(staging, BATCH)
        table.mark_gone(BATCH, staging.gone())
    assert [tuple(row.values()) for row in stored(engine, "call_status, details")] == [
        *(("pending", "gone"), ("opted_out", "gone"), ("no_answer", "missing")),
    ]
    with staged(table, contact(1, "completed"), contact(3)) as staging:
        table.write(staging, BATCH)
        assert staging.gone() == []
    assert stored(engine, "call_status")[0] == {"call_status": "completed"}


def test_tasks_that_write_at_once_do_not_lose_or_double_a_row(engine: sa.Engine, table: ResultsTable) -> None:
    statuses = ["pending", "no_answer", "completed", "busy"]

    def run(status: str) -> None:
        # Each in an order of its own.
        people = [contact(n, status) for n in range(1_200)]
        write(table, *(people if status in ("pending", "busy") else reversed(people)), recalls=False)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, statuses))
    rows = stored(engine, "contact_id, call_status")
    assert len(rows) == 1_200
    assert {row["call_status"] for row in rows} == {"completed"}


def test_a_table_without_the_key_is_refused(engine: sa.Engine) -> None:
    table = ResultsTable(engine, "results")
    with pytest.raises(WrongTableError, match="There is no table results"):
        table.check()
    table.create()
    execute(engine, "CREATE TABLE copied AS SELECT * FROM results", "ALTER TABLE copied ADD COLUMN note VARCHAR(9)")
    with pytest.raises(WrongTableError, match="no primary or unique key of batch_call_id and contact_id"):
        ResultsTable(engine, "copied").check()
    execute(engine, "CREATE UNIQUE INDEX only_one ON copied (contact_id, batch_call_id)")
    assert write(ResultsTable(engine, "copied"), contact(1)) == 1
    execute(engine, "CREATE TABLE other (batch_call_id VARCHAR(9), contact_id VARCHAR(9))")
    with pytest.raises(WrongTableError, match="lacks the columns contact_key, phone_number"):
        ResultsTable(engine, "other").check()


def test_a_refusal_names_no_value(engine: sa.Engine, table: ResultsTable, caplog: pytest.LogCaptureFixture) -> None:
    if engine.dialect.name == "sqlite":
        execute(engine, "CREATE TRIGGER no BEFORE INSERT ON results BEGIN SELECT RAISE(ABORT, 'no'); END")
    else:
        execute(engine, "ALTER TABLE results ADD COLUMN needed VARCHAR(9) NOT NULL", "DELETE FROM results")
    if engine.dialect.name == "mysql":
        execute(engine, "ALTER TABLE results ADD CONSTRAINT few CHECK (length(phone_number) < 3)")
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ResultsTableError, match="Could not write the table results") as caught:
        write(table, contact(1))
    assert caught.value.retryable
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert "2125550001" not in f"{caught.value}{caplog.text}"


def test_names_are_taken_as_the_database_takes_them(engine: sa.Engine) -> None:
    for name in ("Call_Results", '"Odd name"'):
        table = ResultsTable(engine, name)
        table.create()
        table.create()
        assert write(table, contact(1)) == 1
        assert len(list(ResultsTable(engine, name).rows(BATCH))) == 1
    with pytest.raises(WrongTableError, match="not a name"):
        ResultsTable(engine, "results; DROP TABLE results")


def test_a_column_of_text_holds_instants_too(engine: sa.Engine, table: ResultsTable) -> None:
    execute(engine, "ALTER TABLE results DROP COLUMN called_at", "ALTER TABLE results ADD COLUMN called_at VARCHAR(40)")
    texts = ResultsTable(engine, "results")
    write(texts, contact(1))
    assert [row["called_at"] for row in ResultsTable(engine, "results").rows(BATCH)] == [NOON]
    assert write(texts, contact(1)) == 0


def test_a_column_without_zone_holds_utc(engine: sa.Engine, table: ResultsTable) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("only PostgreSQL has both kinds")
    execute(
        engine,
        "ALTER TABLE results ALTER COLUMN called_at TYPE timestamp without time zone",
        "ALTER ROLE CURRENT_USER SET timezone = 'Asia/Tokyo'",
    )
    try:
        naive = ResultsTable(engine, "results")
        write(naive, contact(1))
        assert [row["called_at"] for row in naive.rows(BATCH)] == [NOON]
        assert stored(engine, "called_at") == [{"called_at": NOON.replace(tzinfo=None)}]
    finally:
        execute(engine, "ALTER ROLE CURRENT_USER RESET timezone")


def test_a_history_is_read_from_all_batch_calls(table: ResultsTable) -> None:
    write(table, contact(1), contact(2, "opted_out"))
    with History("batch_2") as history:
        history.add(table.history())
        first, second = map(history.of, ("+12125550001", "+12125550002"))
    assert (first.attempts, first.refused, second.refused) == (1, False, True)
