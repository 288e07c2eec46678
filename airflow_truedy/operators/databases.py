"""Hooks of SQL connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseHook

if TYPE_CHECKING:
    from collections.abc import Mapping


class NotADatabaseError(ValueError):
    """The named connection is not one of an SQL database."""

    retryable: ClassVar[bool] = False


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
