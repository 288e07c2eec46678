"""Names of Airflow that tests need and that moved between its versions, and what only newer ones can do."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import pytest
from airflow import __version__ as airflow_version
from packaging.version import Version

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

__all__ = ["DagBag", "import_anew", "needs_airflow", "serialised"]

_AIRFLOW = Version(Version(airflow_version).base_version)


def needs_airflow(version: str, for_what: str) -> pytest.MarkDecorator:
    """Return the mark of a test that older versions of Airflow cannot pass."""
    return pytest.mark.skipif(Version(version) > _AIRFLOW, reason=f"{for_what}: from Airflow {version} on")


def serialised(dag: Any) -> dict[str, Any]:
    """Return a Dag as Airflow stores it."""
    stored: dict[str, Any] = DagSerialization.to_dict(dag)
    return stored


def import_anew(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Let the next import load a module again, for this test alone: the package goes back to the module that it had."""
    package, _, name = module.rpartition(".")
    monkeypatch.setattr(importlib.import_module(package), name, None, raising=False)
    monkeypatch.delitem(sys.modules, module, raising=False)
