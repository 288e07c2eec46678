"""SQL connections of Airflow: their hooks, the rows of a query, and tables of results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowException, BaseHook

from airflow_truedy.files.queries import query_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_truedy.results.table import ResultsTable


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
    try:
        hook = connection.get_hook(hook_params=dict(hook_params or {}))
    except AirflowException:
        raise NotADatabaseError(
            f"Connection {conn_id!r} is of type {connection.conn_type!r}, which no installed provider has. Install the "
            "Airflow provider of the database, such as apache-airflow-providers-postgres."
        ) from None
    if not isinstance(hook, DbApiHook):
        raise NotADatabaseError(f"Connection {conn_id!r} is not an SQL database (its hook is {type(hook).__name__}).")
    return hook


def engine_of(conn_id: str, hook_params: Mapping[str, Any] | None = None) -> Any:
    """
    Return SQLAlchemy's engine for a connection; it opens its connections through the hook.

    :raises NotADatabaseError: if its hook is not one of an SQL database, or SQLAlchemy has no dialect for it.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from sqlalchemy.pool import NullPool

    hook = hook_of(conn_id, hook_params)
    options: dict[str, Any] = {"hide_parameters": True, "poolclass": NullPool}
    if type(hook).get_sqlalchemy_engine is DbApiHook.get_sqlalchemy_engine:
        # The hook's own connection: its address as SQLAlchemy has it knows nothing of TLS and the like.
        options["creator"] = hook.get_conn
    try:
        return hook.get_sqlalchemy_engine(engine_kwargs=options)
    except Exception as error:
        told = type(error).__name__
    raise NotADatabaseError(f"Connection {conn_id!r}: SQLAlchemy has no way to this database ({told}).")


def table_of(where: Mapping[str, Any]) -> ResultsTable:
    """
    Return a table of results.

    :param where: ``conn_id``, ``table`` and ``hook_params``, as a manifest of results has them.
    :raises NotADatabaseError: as :func:`engine_of` does.
    """
    from airflow_truedy.results.table import ResultsTable

    return ResultsTable(engine_of(str(where["conn_id"]), where.get("hook_params")), str(where["table"]))


def sql_rows(
    conn_id: str, sql: str, parameters: Any = None, hook_params: Mapping[str, Any] | None = None
) -> Iterator[Mapping[str, Any]]:
    """
    Run a query and yield its rows, see :func:`~airflow_truedy.files.queries.query_rows`.

    :param conn_id: Airflow connection whose hook is a ``DbApiHook``.
    :param hook_params: keyword arguments of the hook.
    :raises NotADatabaseError: the connection is not of an SQL database.
    """
    yield from query_rows(hook_of(conn_id, hook_params).get_conn, f"Connection {conn_id}", sql, parameters)
