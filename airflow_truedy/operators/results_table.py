"""
The table of results, through any ``DbApiHook``.

Rows do not go through the hook's ``insert_rows``: on an error it logs every value, phone numbers too.
"""

from __future__ import annotations

import logging
import re
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.call_status import UNCALLED
from airflow_truedy.compat import insert_statement
from airflow_truedy.files.queries import ask
from airflow_truedy.results.columns import COLUMNS, ResultsError
from airflow_truedy.results.staging import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_truedy.results.staging import Spool

log = logging.getLogger(__name__)

_SHORT = tuple(name for name in COLUMNS if name not in ("summary", "transcript"))
_KEY = ("batch_call_id", "contact_id")
_IS_NAME = re.compile(r'(?:[A-Za-z_][\w$]*|"[^"]+")(?:\.(?:[A-Za-z_][\w$]*|"[^"]+")){0,2}').fullmatch
_ROWS_AT_ONCE = 1_000
_IDS_AT_ONCE = 500

#: What ``create_table=True`` runs. Types are such as PostgreSQL, SQLite, DuckDB and most warehouses take.
DDL = """
CREATE TABLE IF NOT EXISTS {table} (
    batch_call_id VARCHAR(255) NOT NULL,
    contact_id VARCHAR(255) NOT NULL,
    phone_number VARCHAR(32),
    first_name VARCHAR(255),
    call_status VARCHAR(64) NOT NULL,
    call_id VARCHAR(255),
    called_at TIMESTAMP WITH TIME ZONE,
    duration_seconds NUMERIC(12, 3),
    cost_credits NUMERIC(16, 4),
    summary TEXT,
    transcript TEXT,
    details VARCHAR(16) NOT NULL,
    PRIMARY KEY (batch_call_id, contact_id)
)
"""


class ResultsTable:
    """
    A table with the columns of :data:`~airflow_truedy.results.columns.COLUMNS`, one row a batch call and contact.

    :param hook: a ``DbApiHook``.
    :param table: its name, with a schema or not.
    :raises ResultsError: if the name is no name.
    """

    def __init__(self, hook: Any, table: str) -> None:
        if not _IS_NAME(table):
            raise ResultsError(f"table={table!r} is no name of a table.")
        self._hook = hook
        self._table = table
        self._mark = hook.placeholder

    def create(self) -> None:
        """Create the table if it is not there."""
        self._change("create", lambda cursor: cursor.execute(DDL.format(table=self._table)))

    def recall(self, spool: Spool, batch_call_id: str) -> None:
        """Tell the spool which of its contacts stand in the table already, and how complete."""
        for contact_ids in spool.contact_ids():
            for first in range(0, len(contact_ids), _IDS_AT_ONCE):
                spool.recall(self._known(batch_call_id, contact_ids[first : first + _IDS_AT_ONCE]))

    def write(self, spool: Spool, batch_call_id: str) -> int:
        """
        Insert or replace every row that is new or changed, a thousand to a transaction.

        :return: how many.
        """
        rows = ((batch_call_id, *row) for row in spool.rows(unwritten_only=True))
        written = 0
        while piece := list(islice(rows, _ROWS_AT_ONCE)):
            self._upsert(piece)
            written += len(piece)
        log.info("Wrote %d rows of batch call %s into %s.", written, batch_call_id, self._table)
        return written

    def rows(self, batch_call_id: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of one batch call, in the order of contact ids, without what was said in the calls."""
        columns = ", ".join(_SHORT)
        query = (
            f"SELECT {columns} FROM {self._table} WHERE batch_call_id = {self._mark} "  # noqa: S608 - checked name
            "ORDER BY contact_id"
        )
        for row in self._select(query, (batch_call_id,)):
            yield dict(zip(_SHORT, row, strict=True))

    def attempts(self, numbers: Sequence[str], since: str | None) -> Iterator[tuple[str, int, int]]:
        """
        Count how often people were called, over all batch calls in the table, as ``AttemptsBook`` does.

        :param since: ISO 8601 instant; calls before it do not count. One without ``called_at`` does.
        :return: number, calls, and how many of them are counted from a row whose status is ``completed``.
        """
        for first in range(0, len(numbers), _IDS_AT_ONCE):
            piece = numbers[first : first + _IDS_AT_ONCE]
            timed = f"called_at >= {self._mark}" if since else "called_at IS NOT NULL"
            untimed = f"called_at IS NULL AND (call_id IS NOT NULL OR call_status NOT IN ({self._marks(UNCALLED)}))"
            query = (
                "SELECT phone_number, count(*), sum(CASE WHEN call_status = 'completed' THEN 1 ELSE 0 END) "  # noqa: S608
                f"FROM {self._table} WHERE ({timed} OR {untimed}) "
                f"AND phone_number IN ({self._marks(piece)}) GROUP BY phone_number"
            )
            yield from self._select(query, (*([since] if since else []), *UNCALLED, *piece))

    def _known(self, batch_call_id: str, contact_ids: list[str]) -> Iterator[Known]:
        query = (
            "SELECT contact_id, call_status, call_id, duration_seconds, cost_credits, details, summary, "  # noqa: S608
            "CASE WHEN transcript IS NULL THEN 0 ELSE 1 END "
            f"FROM {self._table} WHERE batch_call_id = {self._mark} AND contact_id IN ({self._marks(contact_ids)})"
        )
        for contact_id, status, call_id, seconds, cost, details, summary, has_transcript in self._select(
            query, (batch_call_id, *contact_ids)
        ):
            yield Known(
                contact_id,
                status,
                call_id,
                _number(seconds),
                _number(cost),
                details,
                bool(has_transcript),
                summary,
                written=True,
            )

    def _upsert(self, rows: list[tuple[Any, ...]]) -> None:
        # The dialect's own: INSERT ... ON CONFLICT in PostgreSQL, REPLACE in SQLite and MySQL, MERGE elsewhere.
        statement = insert_statement(self._hook, self._table, rows[0], COLUMNS, _KEY)
        self._change("write", lambda cursor: cursor.executemany(statement, rows))

    def _change(self, doing: str, change: Callable[[Any], Any]) -> None:
        """Do it in one transaction."""
        refused = self._refused(doing)
        with closing(ask(self._hook.get_conn, refused=refused)) as connection:
            with closing(connection.cursor()) as cursor:
                ask(change, cursor, refused=refused)
            ask(connection.commit, refused=refused)

    def _select(self, query: str, values: tuple[Any, ...]) -> Iterator[Any]:
        refused = self._refused("read")
        with (
            closing(ask(self._hook.get_conn, refused=refused)) as connection,
            closing(connection.cursor()) as cursor,
        ):
            ask(cursor.execute, query, values, refused=refused)
            while piece := ask(cursor.fetchmany, _ROWS_AT_ONCE, refused=refused):
                yield from piece

    def _refused(self, doing: str) -> Callable[[str], ResultsTableError]:
        return lambda told: ResultsTableError(f"Could not {doing} the table {self._table}: {told}")

    def _marks(self, values: Sequence[str]) -> str:
        return ", ".join([self._mark] * len(values))


class ResultsTableError(ResultsError):
    """The database refused; trying again may help."""

    retryable = True


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
