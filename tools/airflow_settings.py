"""Set up a local Airflow through the environment of its processes alone, so that no file is shared."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from tools.processes import free_port

USERNAME = PASSWORD = "admin"
LOOPBACK = "127.0.0.1,localhost,::1"

# How often each component looks for work: far more often than in production, because tests wait for it.
QUICK = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
}

# How soon Airflow notices that a worker, a scheduler or a triggerer is gone.
QUICK_FAILOVER = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}

# Settings of the caller's own Airflow or test runner, which must not reach this Airflow.
NOT_INHERITED = ("AIRFLOW", "_AIRFLOW", "PYTEST_", "COV_")


@dataclass
class AirflowSettings:
    """Hold what one local Airflow is set to.

    :param home: a private folder that becomes AIRFLOW_HOME; created if missing.
    :param dags_folder: the folder of the Dag files.
    :param database_url: SQLAlchemy URL of an empty metadata database; default a SQLite file in ``home``.
    :param executor: ``LocalExecutor`` or ``CeleryExecutor``.
    :param broker_url: Celery's broker, such as ``redis://127.0.0.1:6379/0``.
    :param quick_failover: notice dead workers, schedulers and triggerers within seconds instead of minutes.
    :param parallelism: how many tasks run at once.
    :param path: where the UI and the API are served, such as ``/airflow``; default at the root.
    :param env: more environment for every component, such as ``AIRFLOW_CONN_...`` or ``AIRFLOW__...``; it wins.
    """

    home: Path
    dags_folder: Path
    database_url: str | None = None
    executor: str = "LocalExecutor"
    broker_url: str | None = None
    quick_failover: bool = False
    parallelism: int = 4
    path: str = ""
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = Path(self.home).resolve()
        self.dags_folder = Path(self.dags_folder).resolve()
        self.logs_folder = self.home / "logs"
        self.passwords_file = self.home / "passwords.json"
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}{self.path}"
        self.key_prefix = f"truedy-{secrets.token_hex(4)}-"
        self.environment = self._environment()

    def _environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)},
            "NO_PROXY": LOOPBACK,
            "no_proxy": LOOPBACK,
            "PYTHONUNBUFFERED": "1",
            "AIRFLOW_HOME": str(self.home),
            **self._core(),
            **self._api_server(),
            **self._logging(),
            **QUICK,
            **(QUICK_FAILOVER if self.quick_failover else {}),
            **(self._celery() if self.executor == "CeleryExecutor" else {}),
            **self.env,
        }

    def _core(self) -> dict[str, str]:
        return {
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": self.executor,
            "AIRFLOW__CORE__PARALLELISM": str(self.parallelism),
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.base_url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USERNAME}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.passwords_file),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database_url or f"sqlite:///{self.home / 'airflow.db'}",
        }

    def _api_server(self) -> dict[str, str]:
        return {
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.base_url,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        }

    def _logging(self) -> dict[str, str]:
        return {
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.logs_folder),
            "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        }

    def _celery(self) -> dict[str, str]:
        if self.broker_url is None or self.database_url is None:
            raise ValueError("CeleryExecutor needs broker_url and a PostgreSQL database_url")
        return {
            "AIRFLOW__CELERY__BROKER_URL": self.broker_url,
            "AIRFLOW__CELERY__RESULT_BACKEND": "db+" + self.database_url,
            # The prefix keeps this Airflow's keys in Redis apart from any other's.
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__GLOBAL_KEYPREFIX": self.key_prefix,
        }
