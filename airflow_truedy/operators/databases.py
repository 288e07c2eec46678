"""Hooks of SQL connections, and what may be told of their errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_truedy.contacts.errors import ContactsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Answer = TypeVar("_Answer")

_is_code = re.compile(r"[0-9A-Z]{5}").fullmatch
_LARGEST_ERRNO = 999_999
#: PostgreSQL's libraries say in which line of the query an error is.
_LINE = re.compile(r"^LINE (\d{1,4}): ", re.MULTILINE)
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


class NotADatabaseError(ValueError):
    """The named connection is not one of an SQL database."""

    retryable: ClassVar[bool] = False


class QueryError(ContactsError):
    """A database could not be reached, or refused a query; trying again may help."""

    retryable: ClassVar[bool] = True


def hook_of(conn_id: str, hook_params: Mapping[str, Any] | None = None) -> Any:
    """
    Return the ``DbApiHook`` of a connection.

    :param conn_id: Airflow connection.
    :param hook_params: keyword arguments of the hook.
    :raises NotADatabaseError: if its hook is another.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    connection: Any = BaseHook.get_connection(conn_id)
    hook = connection.get_hook(hook_params=dict(hook_params or {}))
    if not isinstance(hook, DbApiHook):
        raise NotADatabaseError(f"Connection {conn_id!r} is no SQL database (its hook is {type(hook).__name__}).")
    return hook


def ask(call: Callable[..., _Answer], *args: Any, refused: Callable[[str], Exception]) -> _Answer:
    """
    Do one thing with a database. What its driver says of an error may show the row that it is about, so it stays here.

    :param call: what to do, with ``args``.
    :param refused: makes the error that is raised instead, of what may be told.
    """
    try:
        return call(*args)
    except Exception as error:
        told = told_of(error)
    # Not inside the except: it would carry the driver's error along as its context.
    raise refused(told)


def told_of(error: Exception) -> str:
    """What may be told of a driver's error: its kind, code and place. Never a value, so none of its own words."""
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
    return f"{told}, line {line[1]}" if line else told


def _code_of(error: Exception) -> str | None:
    sqlstate = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if isinstance(sqlstate, str) and _is_code(sqlstate):
        return sqlstate
    first = error.args[0] if error.args else None
    errno = getattr(error, "errno", first)
    return str(errno) if isinstance(errno, int) and abs(errno) <= _LARGEST_ERRNO else None
