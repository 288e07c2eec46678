"""Where Airflow's UI shows the picture of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

#: Served by the plugin (:mod:`airflow_truedy.ui`); relative, so that it follows the path of ``[api] base_url``.
PICTURE = "truedy/plan.svg"


def picture_of(instance: RuntimeTaskInstanceProtocol) -> str:
    """Return the address of the picture of the plan that a task instance returns."""
    query = {
        "dag_id": instance.dag_id,
        "run_id": instance.run_id,
        "task_id": instance.task_id,
        "map_index": -1 if instance.map_index is None else instance.map_index,
    }
    # Of Markdown, in which brackets end an address.
    return f"{PICTURE}?{urlencode(query, quote_via=quote, safe='')}"
