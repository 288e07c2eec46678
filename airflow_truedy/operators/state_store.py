"""Airflow's task state store (3.3) as the place where a launch keeps its progress."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.progress import NoStore, Store

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

STATE_KEY = "truedy_campaign"


class TaskStateStore:
    """Keeps one JSON object under :data:`STATE_KEY`, visible in Airflow's UI, until Airflow's retention ends."""

    def __init__(self, accessor: Any) -> None:
        self._accessor = accessor

    def get(self) -> dict[str, Any] | None:
        """Return what an earlier attempt of this task instance kept."""
        value = self._accessor.get(STATE_KEY)
        return value if isinstance(value, dict) else None

    def set(self, value: dict[str, Any]) -> None:
        """Keep ``value``. Raises in a worker that Airflow has given up, which is what stops a zombie."""
        self._accessor.set(STATE_KEY, value)


def store_of(context: Context, *, durable: bool) -> Store:
    """Return the task's state store, or one that forgets where Airflow has none or ``durable`` is off."""
    accessor = context.get("task_state_store") if durable else None
    if accessor is None:
        log.info("No task state store: an earlier attempt is looked up on the server.")
        return NoStore()
    return TaskStateStore(accessor)
