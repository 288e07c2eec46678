"""Rows of a query, one by one, through the hook of any SQL connection."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_truedy.operators.databases import QueryError, ask, hook_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH = 2_000
_CURSOR_NAME = "truedy_contacts"


def sql_rows(
    conn_id: str, sql: str, parameters: Any = None, hook_params: Mapping[str, Any] | None = None
) -> Iterator[Mapping[str, Any]]:
    """
    Run a query and yield its rows as mappings from column to value.

    PostgreSQL keeps the result and sends it in pieces (a named cursor, for which the query must be a single
    ``SELECT``, ``VALUES`` or ``WITH``). Others are asked for pieces too; whether their driver holds the whole
    result in memory meanwhile is up to the driver.

    :param conn_id: Airflow connection whose hook is a ``DbApiHook``.
    :param sql: the query.
    :param parameters: for the query, as its driver takes them.
    :param hook_params: keyword arguments of the hook.
    :raises NotADatabaseError: the connection is not of an SQL database.
    :raises QueryError: the database could not be reached or refused the query; no row is shown.
    :raises ContactsError: the query has two columns of one name.
    """
    from airflow_truedy.contacts.errors import ContactsError

    hook = hook_of(conn_id, hook_params)

    def refused(told: str) -> QueryError:
        return QueryError(
            f"Connection {conn_id}: the database answered {told}. Its own words may show people and are left out; run "
            "the query by hand to read them."
        )

    with closing(ask(hook.get_conn, refused=refused)) as connection, closing(_cursor(connection)) as cursor:
        cursor.arraysize = _BATCH
        ask(cursor.execute, sql, *([parameters] if parameters else []), refused=refused)
        batch = ask(cursor.fetchmany, _BATCH, refused=refused)
        # Named cursors know their columns only once something was fetched.
        names = [column[0] for column in cursor.description or ()]
        if len(set(names)) < len(names):
            raise ContactsError(f"The query has two columns of one name: {names}; name them apart with AS")
        while batch:
            for row in batch:
                yield row if isinstance(row, Mapping) else dict(zip(names, row, strict=True))
            batch = ask(cursor.fetchmany, _BATCH, refused=refused)


def _cursor(connection: Any) -> Any:
    """A server-side cursor where the driver has one: without it, psycopg would load the whole result."""
    is_postgres = type(connection).__module__.partition(".")[0] in ("psycopg2", "psycopg")
    return connection.cursor(name=_CURSOR_NAME) if is_postgres else connection.cursor()
