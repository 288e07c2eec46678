"""Types that the integration tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from tools.local_airflow import LocalAirflow


class StartAirflow(Protocol):
    """Start an Airflow for this test: ``start_airflow(dags_folder, quick_failover=True, ...)``.

    :param dags_folder: where the Dag files are.
    :param options: as :class:`~tools.local_airflow.LocalAirflow` takes them; the metadata database is a
        PostgreSQL database of its own unless ``database_url`` says otherwise, and Celery's broker is the
        test's Redis.
    """

    def __call__(self, dags_folder: Path, **options: Any) -> LocalAirflow: ...
