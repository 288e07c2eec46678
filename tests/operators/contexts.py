"""The part of a task's context that operators use, with Airflow's own objects for what belongs to Airflow."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

from airflow.sdk.execution_time.context import OutletEventAccessors


class TaskInstance(SimpleNamespace):
    """A task instance that keeps what is pushed."""

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def context_of(operator: Any, *, try_number: int = 1, store: Any = None) -> Any:
    """A context for ``operator.execute``."""
    ti = TaskInstance(
        dag_id="dag", task_id=operator.task_id, run_id="run", map_index=-1, try_number=try_number, pushed={}
    )
    return {
        "ti": ti,
        "task": operator,
        "dag_run": SimpleNamespace(start_date=datetime(2026, 6, 1, 12, tzinfo=timezone.utc)),
        "task_state_store": store,
        "outlet_events": OutletEventAccessors(),
    }
