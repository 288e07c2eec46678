"""Stores in memory: Airflow's task state store, and what of it a launch sees."""

from __future__ import annotations

import json
from typing import Any


class StateStore(dict[str, Any]):
    """Airflow's task state store of one task instance, which keeps JSON."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        del self[key]


class Memory:
    """One value of it, as a launch keeps its progress: JSON text that outlives the attempt."""

    def __init__(self, text: str | None = None) -> None:
        self.text = text

    def get(self) -> dict[str, Any] | None:
        return json.loads(self.text) if self.text else None

    def set(self, value: dict[str, Any]) -> None:
        self.text = json.dumps(value)
