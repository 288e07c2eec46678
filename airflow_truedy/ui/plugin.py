"""
The plugin (entry point ``airflow.plugins``): a page in the navigation and a view on Dag runs and task instances.

Airflow imports plugins in every process, each task run included, so nothing is imported here that a task has not
loaded already. The app is built when the API server gets the first request for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from airflow.sdk.plugins_manager import AirflowPlugin
except ImportError:  # Before 3.2.
    from airflow.plugins_manager import AirflowPlugin  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

URL_PREFIX = "/truedy"
_ICONS = {"icon": "truedy/static/icon.svg", "icon_dark_mode": "truedy/static/icon-dark.svg"}
_OF_A_RUN = "truedy/run?dag_id={DAG_ID}&run_id={RUN_ID}"


class LazyApp:
    """An ASGI application that is built at its first request."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._app is None:
            from airflow_truedy.ui.app import build

            self._app = build()
        await self._app(scope, receive, send)


class TruedyPlugin(AirflowPlugin):
    """What Airflow's plugin manager reads. Views need Airflow 3.1; 3.0 serves the pages and links to none of them."""

    name = "truedy"
    fastapi_apps: list[Any] = [{"app": LazyApp(), "url_prefix": URL_PREFIX, "name": "Truedy"}]
    # Addresses without a leading slash follow the path of [api] base_url.
    external_views: list[Any] = [
        {
            "name": "Truedy campaigns",
            "href": "truedy/campaigns",
            "destination": "nav",
            "url_route": "truedy-campaigns",
            **_ICONS,
        },
        {"name": "Truedy", "href": _OF_A_RUN, "destination": "dag_run", "url_route": "truedy-run", **_ICONS},
        {
            "name": "Truedy",
            "href": _OF_A_RUN + "&task_id={TASK_ID}&map_index={MAP_INDEX}",
            "destination": "task_instance",
            "url_route": "truedy-task",
            **_ICONS,
        },
    ]
