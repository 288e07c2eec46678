"""Who may see what. Airflow mounts the pages without any check, so each one asks here first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from airflow_truedy.compat import may_read_connection, may_read_dag, signed_in_user, stored_connection
from airflow_truedy.hooks.settings import ClientSettings, ConnectionFieldError
from airflow_truedy.ui.airflow_records import truedy_connections

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request


async def user_of(request: Request) -> Any:
    """
    Return who is signed in.

    :raises HTTPException: 401, if nobody is.
    """
    try:
        return await signed_in_user(request)
    except HTTPException as problem:
        raise HTTPException(401, f"Sign in to Airflow to see this page. {problem.detail}") from problem


async def connections_of(user: Any) -> list[str]:
    """Return the ids of the Truedy connections that can be listed and that the user may read."""

    def readable() -> list[str]:
        return [conn_id for conn_id in truedy_connections() if may_read_connection(user, conn_id)]

    return await run_in_threadpool(readable)


async def check_connection(user: Any, conn_id: str) -> None:
    """
    Let only those pass who may read a connection, and only connections to Truedy.

    :raises HTTPException: 403; the same whether there is such a connection or not.
    """

    def allowed() -> bool:
        if not may_read_connection(user, conn_id):
            return False
        try:
            return bool(stored_connection(conn_id).conn_type == "truedy")
        except Exception:
            return False

    if not await run_in_threadpool(allowed):
        raise HTTPException(403, "There is no Truedy connection of this name that you may read.")


async def check_dag(user: Any, dag_id: str) -> None:
    """
    Let only those pass who may read a Dag's runs and XComs.

    :raises HTTPException: 403; the same whether there is such a Dag or not.
    """
    if not await run_in_threadpool(may_read_dag, user, dag_id):
        raise HTTPException(403, "There is no Dag of this name that you may read.")


async def readable_dags(user: Any, dag_ids: Iterable[str]) -> set[str]:
    """Return those Dags that the user may read."""

    def readable() -> set[str]:
        return {dag_id for dag_id in dag_ids if may_read_dag(user, dag_id)}

    return await run_in_threadpool(readable)


async def settings_of(conn_id: str) -> ClientSettings:
    """
    Read a connection to Truedy.

    :raises ConnectionFieldError: if it is none, the key is missing or a field cannot be used.
    """

    def read() -> ClientSettings:
        connection = stored_connection(conn_id)
        if connection.conn_type != "truedy":
            raise ConnectionFieldError(conn_id, "it is of another type than truedy.")
        return ClientSettings.read(connection, connection.extra_dejson)

    return await run_in_threadpool(read)
