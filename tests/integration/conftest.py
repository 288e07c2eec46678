"""Start a real Airflow for a test, and end it with everything that it started."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.integration.airflow_env import StartAirflow
from tools.local_airflow import LocalAirflow

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in this folder, so that ``-m "not integration"`` leaves them out."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def start_airflow(tmp_path: Path) -> Iterator[StartAirflow]:
    """Return a function that starts a real Airflow, which ends with the test and must not leave a process behind."""
    with contextlib.ExitStack() as stack:

        def start(dags_folder: Path, **options: Any) -> LocalAirflow:
            if "database_url" not in options:
                database = stack.enter_context(services.temporary_database())
                options["database_url"] = database.sqlalchemy_url
            if options.get("executor") == "CeleryExecutor":
                services.require_listening("Redis", services.REDIS_ADDRESS, "TRUEDY_TEST_REDIS")
                options.setdefault("broker_url", f"redis://{services.REDIS_ADDRESS}/0")
            airflow = LocalAirflow(tmp_path / "airflow home", dags_folder, **options)
            stack.callback(_end, airflow)
            airflow.start()
            return airflow

        yield start


def _end(airflow: LocalAirflow) -> None:
    airflow.print_logs()  # pytest shows it only for a test that failed
    airflow.stop()
    assert airflow.leftovers() == []
