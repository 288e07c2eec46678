"""
The table of results, through SQLAlchemy Core: PostgreSQL, MariaDB, MySQL, SQLite and others with a dialect.

Rows are written with the database's own upsert, which touches only the columns of a result: the user's own columns
survive. A status never goes back (see :mod:`airflow_truedy.results.outcomes`) and known details stay, even if two tasks
write at once.
"""

from __future__ import annotations

import logging
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DataError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from airflow_truedy.campaigns.status import IN_PROGRESS, PENDING, UNCALLED
from airflow_truedy.files.queries import told_of
from airflow_truedy.results.columns import COLUMNS, Details, ResultsError
from airflow_truedy.results.outcomes import REACHED, REFUSALS, rank
from airflow_truedy.results.table_schema import (
    MYSQL,
    Instant,
    kept_as_of,
    key_text,
    most_characters,
    named,
    results_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection, Engine

    from airflow_truedy.results.staging import Staging

log = logging.getLogger(__name__)

_KEY = ("batch_call_id", "contact_id")
#: What follow-ups need of each row; texts that may be long stay where they are.
_HISTORY = ("batch_call_id", "contact_id", "phone_number", "call_status", "call_id", "called_at", "details")
#: Kept where a row is written again without them, as long as it is about the same call.
_DETAILS = ("called_at", "duration_seconds", "cost_credits", "summary", "transcript")
_ROWS_AT_ONCE = 1_000
_TRIES = 5
#: What is beyond MySQL's ``utf8``, ``latin1`` and ASCII.
_CHARACTER_SETS = tuple(re.compile(f"[^\0-{last}]") for last in ("\uffff", "\xff", "\x7f"))
_NAME = re.compile(r'(?:[A-Za-z_][\w$]*|"[^"]+")(?:\.(?:[A-Za-z_][\w$]*|"[^"]+")){0,2}')

_DETAILS_RANKS = {Details.NONE: 0, Details.MISSING: 1, Details.PARTIAL: 2, Details.COMPLETE: 3}


class ResultsTableError(ResultsError):
    """The database refused; trying again may help."""

    retryable: ClassVar[bool] = True


class UnfitRowError(ResultsTableError):
    """The database refused a value: a column cannot hold it; trying again does not help."""

    retryable: ClassVar[bool] = False


class WrongTableError(ResultsError):
    """The table is missing or is not a results table; trying again does not help."""


def create_statement(table: str = "results", dialect: str = "postgresql") -> str:
    """
    Return the ``CREATE TABLE`` statement that ``create_table=True`` runs.

    :param dialect: as SQLAlchemy names it: ``postgresql``, ``mysql``, ``sqlite`` ...
    """
    spoken = sa.create_mock_engine(f"{dialect}://", lambda *_: None).dialect
    name, schema = named(table, spoken.name)
    written = str(CreateTable(results_table(name, schema)).compile(dialect=spoken)).strip()
    return "\n".join(line.rstrip() for line in written.expandtabs(4).splitlines())


class ResultsTable:
    """
    A table with the columns of :data:`~airflow_truedy.results.columns.COLUMNS`, one row a batch call and contact.

    :param engine: SQLAlchemy's way to the database.
    :param name: the table's name, with a schema or not.
    :raises WrongTableError: if this cannot be a name.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise WrongTableError(f"table={name!r} is not a name of a table.")
        self._engine = engine
        self._shown = name
        self._name, self._schema = named(name, engine.dialect.name)
        self._table = results_table(self._name, self._schema)
        self._columns: dict[str, Any] | None = None

    def create(self) -> None:
        """Create the table if it is not there."""
        try:
            self._do("create", lambda connection: self._table.create(connection, checkfirst=True))
        except ResultsTableError:
            # Another task may have created it in the same moment.
            if not self._do("read", lambda connection: sa.inspect(connection).has_table(self._name, self._schema)):
                raise

    def check(self) -> None:
        """
        Learn what the table's columns can hold.

        :raises WrongTableError: if the table is not there, lacks a column, or has not the key that upserts need.
        """
        if self._columns is None:
            self._columns = self._do("read", self._inspect)
            self._table = results_table(self._name, self._schema, Instant(kept_as_of(self._columns["called_at"])))

    def _inspect(self, connection: Connection) -> dict[str, Any]:
        inspector = sa.inspect(connection)
        where = {"table_name": self._name, "schema": self._schema}
        if not inspector.has_table(self._name, self._schema):
            raise WrongTableError(f"There is no table {self._shown}. Let create_table=True make it, or run its DDL.")
        columns = {column["name"].lower(): column["type"] for column in inspector.get_columns(**where)}
        if lacking := [name for name in COLUMNS if name not in columns]:
            raise WrongTableError(f"The table {self._shown} lacks the columns {', '.join(lacking)}.")
        keys: list[Any] = [inspector.get_pk_constraint(**where).get("constrained_columns") or []]
        keys += [index["column_names"] for index in inspector.get_indexes(**where) if index.get("unique")]
        keys += [unique["column_names"] for unique in inspector.get_unique_constraints(**where)]
        if not any({str(name).lower() for name in key} == set(_KEY) for key in keys):
            raise WrongTableError(
                f"The table {self._shown} has no primary or unique key of batch_call_id and contact_id: rows would be "
                "doubled."
            )
        return columns

    def limits(self) -> tuple[dict[str, int], dict[str, float]]:
        """Return the most characters, and the number that is too large, for each column that has a limit."""
        self.check()
        columns = self._columns or {}
        fixed = (*_KEY, "details", "called_at")
        longest = {name: most for name in COLUMNS if name not in fixed and (most := most_characters(columns[name]))}
        largest = {
            name: 10.0 ** (kind.precision - (kind.scale or 0))
            for name in ("duration_seconds", "cost_credits")
            if isinstance(kind := columns[name], sa.Numeric) and kind.precision and not isinstance(kind, sa.Float)
        }
        return longest, largest

    def known(self, batch_call_id: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of one batch call for the staging: with ``has_transcript`` in place of the transcript."""
        self.check()
        has_transcript = self._table.c.transcript.is_not(None).label("has_transcript")
        columns = [self._table.c[name] for name in COLUMNS if name != "transcript"]
        return self._select(sa.select(*columns, has_transcript).where(self._table.c.batch_call_id == batch_call_id))

    def rows(self, batch_call_id: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of one batch call, in the order of contact ids, without what was spoken in the calls."""
        self.check()
        columns = [self._table.c[name] for name in COLUMNS if name not in ("summary", "transcript")]
        of_batch = self._table.c.batch_call_id == batch_call_id
        return self._select(sa.select(*columns).where(of_batch).order_by(self._table.c.contact_id))

    def history(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of all batch calls, as far as follow-ups need them."""
        self.check()
        return self._select(sa.select(*(self._table.c[name] for name in _HISTORY)))

    def called_often(self, calls: int, since: datetime, launched: str | None = None) -> Iterator[str]:
        """
        Yield the numbers that all batch calls together called so often.

        :param calls: at least so often. A person who may still be called counts as called, as does one whose call
            has no time on the server.
        :param since: calls before this instant do not count.
        :param launched: a table with ``batch_call_id``, ``phone_number`` and ``starts_at``; its rows count as calls at
            that time as long as this table knows nothing of their batch call.
        """
        self.check()
        row = self._table.c
        was_called = sa.or_(row.call_id.is_not(None), row.called_at.is_not(None), row.call_status.not_in(UNCALLED))
        may_be_called = sa.and_(row.call_status == PENDING, row.details != Details.GONE.value)
        counts = sa.and_(sa.or_(row.called_at.is_(None), row.called_at >= since), sa.or_(was_called, may_be_called))
        called: Any = sa.select(row.phone_number).where(counts, row.phone_number.is_not(None))
        if launched is not None:
            other = self._launched(launched).c
            is_known = sa.exists().where(row.batch_call_id == other.batch_call_id)
            waiting = sa.select(other.phone_number).where(other.starts_at >= since, ~is_known)
            called = sa.union_all(called, waiting.where(other.phone_number.is_not(None)))
        number = called.subquery().c.phone_number
        often = sa.select(number).group_by(number).having(sa.func.count() >= calls)
        return (each["phone_number"] for each in self._select(often))

    def _launched(self, shown: str) -> sa.Table:
        if not _NAME.fullmatch(shown):
            raise WrongTableError(f"launched={shown!r} is not a name of a table.")
        name, schema = named(shown, self._engine.dialect.name)

        def columns(connection: Connection) -> dict[str, Any]:
            inspector = sa.inspect(connection)
            there = inspector.get_columns(name, schema) if inspector.has_table(name, schema) else ()
            return {column["name"].lower(): column["type"] for column in there}

        found = self._do("read", columns)
        needed = ("batch_call_id", "phone_number", "starts_at")
        if lacking := [each for each in needed if each not in found]:
            raise WrongTableError(f"The table {shown} is not there, or lacks the columns {', '.join(lacking)}.")
        if not isinstance(found["starts_at"], sa.DateTime):
            raise WrongTableError(f"The column starts_at of the table {shown} is not one of date and time.")
        kinds = (key_text(), sa.String(), Instant(kept_as_of(found["starts_at"])))
        return sa.Table(name, sa.MetaData(), *map(sa.Column, needed, kinds), schema=schema)

    def write(self, staging: Staging, batch_call_id: str) -> int:
        """
        Insert or update every row that is new or changed, cut to what the columns hold, a thousand to a transaction.

        :return: how many.
        """
        staging.fit(*self.limits())
        rows = (dict(zip(COLUMNS, (batch_call_id, *row), strict=True)) for row in staging.rows(changed_only=True))
        written = 0
        while piece := list(islice(rows, _ROWS_AT_ONCE)):
            # One order for all tasks that write at once: they wait for each other instead of locking each other out.
            piece.sort(key=lambda row: str(row["contact_id"]))
            self._write(piece)
            written += len(piece)
        log.info("Wrote %d rows of batch call %s into %s.", written, batch_call_id, self._shown)
        return written

    def _write(self, rows: list[dict[str, Any]]) -> None:
        """Write rows together, or in halves where the database refuses the text of one of them."""
        try:
            self._do("write", lambda connection: self._upsert(connection, rows))
        except UnfitRowError as unfit:
            if len(rows) > 1:
                half = len(rows) // 2
                self._write(rows[:half])
                self._write(rows[half:])
            elif (plainer := _plainer(rows[0])) is not None:
                self._write([plainer])
            else:
                raise unfit from None

    def mark_gone(self, batch_call_id: str, contact_ids: Sequence[str]) -> None:
        """Mark rows of contacts that the server no longer lists; their results stay."""
        columns = self._table.c
        statement = (
            sa.update(self._table)
            .where(columns.batch_call_id == batch_call_id, columns.contact_id == sa.bindparam("gone"))
            .values(details=Details.GONE.value)
        )
        if contact_ids:
            self._do(
                "write", lambda connection: connection.execute(statement, [{"gone": each} for each in contact_ids])
            )
            log.warning("%d contacts are gone on the server; their rows stay, marked as gone.", len(contact_ids))

    def _upsert(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        name, old = connection.dialect.name, self._table.c
        if name in ("postgresql", "sqlite"):
            insert: Any = (postgresql if name == "postgresql" else sqlite).insert(self._table)
            changes, is_newer = _changes(old, insert.excluded), _is_newer(old, insert.excluded)
            upsert = insert.on_conflict_do_update(index_elements=list(_KEY), set_=changes, where=is_newer)
            if name == "postgresql" and hasattr(connection.dialect, "use_insertmanyvalues"):
                # SQLAlchemy 2 sends rows one by one where there is ON CONFLICT, unless something is to come back.
                upsert = upsert.returning(old.contact_id)
            connection.execute(upsert, rows)
        elif name in MYSQL:
            into: Any = mysql.insert(self._table)
            is_newer = _is_newer(old, into.inserted)
            # In order: MySQL lets an assignment see those before it.
            kept = [(n, sa.case((is_newer, v), else_=old[n])) for n, v in _changes(old, into.inserted).items()]
            connection.execute(into.on_duplicate_key_update(kept), rows)
        else:
            self._update_or_insert(connection, rows)

    def _update_or_insert(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        """Write rows where the database has no upsert that SQLAlchemy knows."""
        columns = self._table.c
        given = {name: sa.bindparam(f"new_{name}", type_=columns[name].type) for name in COLUMNS}
        key = sa.and_(*(columns[name] == given[name] for name in _KEY))
        exists = sa.select(columns.contact_id).where(key)
        update = sa.update(self._table).where(key, _is_newer(columns, given)).values(_changes(columns, given))
        new = []
        for row in rows:
            renamed = {f"new_{name}": value for name, value in row.items()}
            if connection.execute(exists, renamed).first() is None:
                new.append(row)
            else:
                connection.execute(update, renamed)
        if new:
            connection.execute(sa.insert(self._table), new)

    def _do(self, doing: str, what: Callable[[Connection], Any]) -> Any:
        """Do it in one transaction, and again if it was in conflict with another task's."""
        for attempt in range(_TRIES):
            try:
                with self._engine.begin() as connection:
                    return what(connection)
            except ResultsError:
                raise
            except Exception as error:
                told = told_of(getattr(error, "orig", None) or error)
                if attempt + 1 < _TRIES and _is_conflict(error):
                    continue
                kind = UnfitRowError if isinstance(error, DataError) else ResultsTableError
            break
        # Not inside the except: what the driver tells of an error may show a row, and would come along as the context.
        raise kind(f"Could not {doing} the table {self._shown}: {told}")

    def _select(self, query: Any) -> Iterator[dict[str, Any]]:
        told = ""
        try:
            with self._engine.connect() as connection:
                found = connection.execution_options(stream_results=True).execute(query)
                for piece in found.mappings().partitions(_ROWS_AT_ONCE):
                    yield from map(dict, piece)
        except SQLAlchemyError as error:
            told = told_of(getattr(error, "orig", None) or error)
        if told:
            raise ResultsTableError(f"Could not read the table {self._shown}: {told}")


def _plainer(row: dict[str, Any]) -> dict[str, Any] | None:
    """
    Return a row with fewer kinds of letters in its texts, for a table in an older character set; ``None`` if there are
    no other kinds left than those that all sets have.
    """
    texts = {name: text for name, text in row.items() if name not in (*_KEY, "called_at") and isinstance(text, str)}
    for beyond in _CHARACTER_SETS:
        if changed := {name: plain for name, text in texts.items() if (plain := beyond.sub("?", text)) != text}:
            log.warning("A row of the results: the table cannot hold all letters of %s; ? replaces them.", [*changed])
            return {**row, **changed, "cleaned": ",".join(dict.fromkeys([*filter(None, [row["cleaned"]]), *changed]))}
    return None


def _is_newer(old: Any, new: Any) -> Any:
    """Return whether a row may be written over the one that is there."""
    return _rank(new["call_status"]) >= _rank(old["call_status"])


def _changes(old: Any, new: Any) -> dict[str, Any]:
    """
    Return what each column becomes of a row that is written over another one; status and call last.

    :param old: the columns of the table.
    :param new: the values to write.
    """
    same_call = sa.or_(old["call_id"] == new["call_id"], sa.and_(old["call_id"].is_(None), new["call_id"].is_(None)))
    knows_more = sa.and_(same_call, _details_rank(old["details"]) > _details_rank(new["details"]))
    # First the flag, which looks at the instant as it was.
    changes: dict[str, Any] = {name: new[name] for name in ("outside_hours", *COLUMNS) if name not in _KEY}
    same_moment = sa.and_(same_call, sa.or_(new["called_at"].is_(None), new["called_at"] == old["called_at"]))
    flag = sa.func.coalesce(new["outside_hours"], old["outside_hours"])
    changes["outside_hours"] = sa.case((same_moment, flag), else_=new["outside_hours"])
    for name in _DETAILS:
        changes[name] = sa.case((same_call, sa.func.coalesce(new[name], old[name])), else_=new[name])
    for name in ("contact_key", "custom_fields"):
        changes[name] = sa.func.coalesce(new[name], old[name])
    changes["details"] = sa.case((knows_more, old["details"]), else_=new["details"])
    # Every other column looks at these two as they were.
    for name in ("call_id", "call_status"):
        changes[name] = changes.pop(name)
    return changes


def _rank(status: Any) -> Any:
    """Return the rank of a status as the database computes it, by the one rule of ``outcomes.rank``."""
    refused = sa.or_(*(status.like(_constant(f"%{part.replace('_', '/_')}%"), escape="/") for part in REFUSALS))
    words = [(status == _constant(word), _constant(rank(word))) for word in (PENDING, IN_PROGRESS, *REACHED)]
    return sa.case((refused, _constant(rank(REFUSALS[0]))), *words, else_=_constant(rank("no_answer")))


def _constant(value: int | str) -> Any:
    """Return one of our own words or numbers as a part of the statement: drivers repeat parameters for every row."""
    return sa.literal_column(repr(value), sa.Integer() if isinstance(value, int) else sa.String())


def _details_rank(details: Any) -> Any:
    ranks = [(details == _constant(word.value), _constant(place)) for word, place in _DETAILS_RANKS.items()]
    return sa.case(*ranks, else_=_constant(0))


def _is_conflict(error: Exception) -> bool:
    """Whether two transactions were in conflict and one of them was rolled back."""
    driver: Any = getattr(error, "orig", None)
    code = getattr(driver, "sqlstate", None) or getattr(driver, "pgcode", None)
    first = next(iter(getattr(driver, "args", ())), None)
    return code in ("40P01", "40001") or first in (1020, 1205, 1213) or "database is locked" in str(driver)
