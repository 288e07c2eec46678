"""Read a connection from an event loop, where Airflow's sync API can deadlock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import Connection

from airflow_truedy.hooks.settings import ClientSettings

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseHook


async def settings_of(hook: BaseHook | type[BaseHook], truedy_conn_id: str) -> ClientSettings:
    """
    Read a connection with the hook's async API.

    :param hook: whose ``aget_connection`` is asked, so that an override is honoured.
    :param truedy_conn_id: connection of type ``truedy``.
    :raises ConnectionFieldError: if the key is missing or a field cannot be used.
    """
    if hasattr(Connection, "aextra_dejson"):
        connection = await hook.aget_connection(truedy_conn_id)
        return ClientSettings.read(connection, await connection.aextra_dejson())
    from asgiref.sync import sync_to_async

    def read() -> ClientSettings:
        connection = hook.get_connection(truedy_conn_id)
        return ClientSettings.read(connection, connection.extra_dejson)

    # Before Airflow 3.3.2 the async API masks secrets with a sync call, which may block in a thread. Not in any thread:
    # the triggerer of Airflow 3.0 comes back to its event loop only out of asgiref's, and dies in another.
    return await sync_to_async(read)()
