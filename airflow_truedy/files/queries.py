"""Rows of an SQL query, one by one, and what may be told of a database's errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_truedy.files.errors import QueryError, RowsFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

_Answer = TypeVar("_Answer")

_BATCH = 2_000
_CURSOR_NAME = "truedy_contacts"
_is_code = re.compile(r"[0-9A-Z]{5}").fullmatch
_LARGEST_ERRNO = 999_999
#: PostgreSQL's libraries say in which line of the query an error is.
_LINE = re.compile(r"^LINE (\d{1,4}): ", re.MULTILINE)
#: Values in a statement: quoted text, also of PostgreSQL's dollar quotes, and comments, which may name somebody.
_VALUES = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/", re.DOTALL)
_find_names = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*").findall
#: Words of SQL that are words of a driver's sentence too.
_is_word = re.compile(
    r"select|from|where|and|or|not|in|is|as|on|by|to|of|for|at|near|with|no|table|column|type|line|all|any|order|group",
    re.IGNORECASE,
).fullmatch
#: All that is ever repeated of a driver's words, for drivers that have no codes.
_PHRASES = (
    "no such table",
    "no such column",
    "syntax error",
    "is locked",
    "unable to open database file",
    "connection refused",
    "authentication failed",
    "could not translate host name",
    "timeout",
    "timed out",
)


def query_rows(connect: Callable[[], Any], name: str, sql: str, parameters: Any = None) -> Iterator[Mapping[str, Any]]:
    """
    Run a query and yield its rows as mappings from column to value.

    PostgreSQL keeps the result and sends it in pieces (a named cursor, for which the query must be a single
    ``SELECT``, ``VALUES`` or ``WITH``). Others are asked for pieces too; whether their driver holds the whole
    result in memory meanwhile is up to the driver.

    :param connect: opens a connection of the Python database API.
    :param name: what the connection is called in errors.
    :param parameters: for the query, as its driver takes them.
    :raises QueryError: the database could not be reached or refused the query; no row is shown.
    :raises RowsFileError: the query has two columns of one name, or none.
    """

    def refused(told: str) -> QueryError:
        return QueryError(
            f"{name}: the database answered {told}. Its own words may show people and are left out; run the query by "
            "hand to read them."
        )

    with closing(ask(connect, refused=refused)) as connection, closing(_cursor(connection)) as cursor:
        cursor.arraysize = _BATCH
        ask(cursor.execute, sql, *([parameters] if parameters else []), refused=refused, sql=sql)
        batch = ask(cursor.fetchmany, _BATCH, refused=refused)
        # Named cursors know their columns only once something was fetched.
        if not batch and cursor.description is None:
            raise RowsFileError(f"{name}: the query gives no columns; it must be a SELECT, VALUES or WITH")
        names = [column[0] for column in cursor.description or ()]
        if len(set(names)) < len(names):
            raise RowsFileError(f"The query has two columns of one name: {names}; name them apart with AS")
        while batch:
            for row in batch:
                yield row if isinstance(row, Mapping) else dict(zip(names, row, strict=True))
            batch = ask(cursor.fetchmany, _BATCH, refused=refused)


def _cursor(connection: Any) -> Any:
    """Return a server-side cursor where the driver has one: without it, psycopg would load the whole result."""
    is_postgres = type(connection).__module__.partition(".")[0] in ("psycopg2", "psycopg")
    return connection.cursor(name=_CURSOR_NAME) if is_postgres else connection.cursor()


def ask(call: Callable[..., _Answer], *args: Any, refused: Callable[[str], Exception], sql: str = "") -> _Answer:
    """
    Do one thing with a database. What its driver says of an error may show the row that it is about, so it stays here.

    :param call: what to do, with ``args``.
    :param refused: makes the error that is raised instead, of what may be told.
    :param sql: the statement: names of tables and columns in it may be told. Default: none.
    """
    try:
        return call(*args)
    except Exception as error:
        told = told_of(error, sql)
    # Not inside the except: it would carry the driver's error along as its context.
    raise refused(told)


def told_of(error: Exception, sql: str = "") -> str:
    """
    Return what may be told of a driver's error: its kind, code and place, and names that the statement holds too. Never
    a value, so none of its own words.
    """
    code = _code_of(error)
    told = f"{type(error).__name__} {code}" if code else type(error).__name__
    text = str(error)
    phrase = next((phrase for phrase in _PHRASES if phrase in text.lower()), None)
    if phrase and not code:
        told += f": {phrase}"
    diag = getattr(error, "diag", None)
    for kind in ("table", "column", "constraint"):
        if name := getattr(diag, f"{kind}_name", None):
            told += f", {kind} {name}"
    line = _LINE.search(text)
    told += f", line {line[1]}" if line else ""
    names = _names_in(text.partition("\n")[0], sql)
    return f"{told} ({', '.join(names)})" if names else told


def _names_in(text: str, sql: str) -> list[str]:
    """Return the names in a driver's words that its statement has too, outside of quoted values."""
    stated = set(_find_names(_VALUES.sub(" ", sql)))
    return [name for name in dict.fromkeys(_find_names(text)) if name in stated and not _is_word(name)]


def _code_of(error: Exception) -> str | None:
    sqlstate = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if isinstance(sqlstate, str) and _is_code(sqlstate):
        return sqlstate
    first = error.args[0] if error.args else None
    errno = getattr(error, "errno", first)
    return str(errno) if isinstance(errno, int) and abs(errno) <= _LARGEST_ERRNO else None
