"""Names of Airflow that tests need and that moved between its versions."""

from __future__ import annotations

from typing import Any

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Before 3.2.
    from airflow.models.dagbag import DagBag  # type: ignore[no-redef]
try:
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:  # Before 3.2.
    from airflow.serialization.serialized_objects import (  # type: ignore[attr-defined,assignment]
        SerializedDAG as DagSerialization,
    )

__all__ = ["DagBag", "serialised"]


def serialised(dag: Any) -> dict[str, Any]:
    """Return a Dag as Airflow stores it."""
    stored: dict[str, Any] = DagSerialization.to_dict(dag)
    return stored
