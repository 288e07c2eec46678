"""Where Airflow's UI shows a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

#: Served by the plugin (:mod:`airflow_truedy.ui`); relative, so that they follow the path of ``[api] base_url``.
_PICTURE, _RUN = "truedy/plan.svg", "truedy/run"


def picture_of(instance: RuntimeTaskInstanceProtocol) -> str:
    """Return the address of the picture of the plan that a task instance returns."""
    map_index = -1 if instance.map_index is None else instance.map_index
    return _address(_PICTURE, instance, task_id=instance.task_id, map_index=map_index)


def page_of(instance: RuntimeTaskInstanceProtocol) -> str:
    """Return the address of the page of a task instance's run, which shows its plan and its campaigns."""
    return _address(_RUN, instance)


def _address(path: str, instance: RuntimeTaskInstanceProtocol, **more: object) -> str:
    query = {"dag_id": instance.dag_id, "run_id": instance.run_id, **more}
    # For Markdown, in which brackets end an address.
    return f"{path}?{urlencode(query, quote_via=quote, safe='')}"
