"""The part of a task's context that operators use, with Airflow's own objects for what belongs to Airflow."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

from airflow.sdk.execution_time.context import OutletEventAccessors

from tests.support.stores import StateStore


class TaskInstance(SimpleNamespace):
    """A task instance that keeps what is pushed."""

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int) -> Any:
        """Return what this instance has pushed itself."""
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.pushed.get(key)


def context_of(operator: Any, store: StateStore | None = None, **more: Any) -> Any:
    """
    Return a context to render and execute an operator with.

    :param store: the task state store; without one, the context is that of an Airflow before 3.3.
    :param more: attributes of the task instance, and whatever else belongs into the context.
    """
    instance = {"dag_id": "dag", "task_id": operator.task_id, "run_id": "run", "map_index": -1, "try_number": 1}
    instance |= {name: more.pop(name) for name in list(more) if name in instance}
    context = {
        "ti": TaskInstance(task=operator, pushed={}, **instance),
        "task": operator,
        "dag": operator.get_dag(),
        "run_id": instance["run_id"],
        "params": {},
        "dag_run": SimpleNamespace(conf={}, start_date=datetime(2026, 6, 1, 12, tzinfo=timezone.utc)),
        "outlet_events": OutletEventAccessors(),
        **more,
    }
    return context if store is None else {**context, "task_state_store": store}
