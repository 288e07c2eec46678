"""How a local Airflow is set: all of it in the environment of its processes, so that no file is shared."""

from __future__ import annotations

import base64
import os
import secrets
from typing import TYPE_CHECKING

from tools.processes import free_port

if TYPE_CHECKING:
    from tools.local_airflow import LocalAirflow

USERNAME = PASSWORD = "admin"

# Time between looks, far shorter than in production: a test waits for little else.
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


LOOPBACK = "127.0.0.1,localhost,::1"

# What the caller's own Airflow or test runner is set to is none of this one's business.
NOT_INHERITED = ("AIRFLOW", "_AIRFLOW", "PYTEST_", "COV_")


def environment(airflow: LocalAirflow) -> dict[str, str]:
    """Put the whole environment of its components together; its own ``env`` comes last and wins."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return {
        **inherited,
        "NO_PROXY": LOOPBACK,
        "no_proxy": LOOPBACK,
        "PYTHONUNBUFFERED": "1",
        "AIRFLOW_HOME": str(airflow.home),
        **_core(airflow),
        **_api_server(airflow),
        **_logging(airflow),
        **QUICK,
        **(QUICK_FAILOVER if airflow.quick_failover else {}),
        **(_celery(airflow) if airflow.executor == "CeleryExecutor" else {}),
        **airflow.env,
    }


def _core(airflow: LocalAirflow) -> dict[str, str]:
    database = airflow.database_url or f"sqlite:///{airflow.home / 'airflow.db'}"
    return {
        "AIRFLOW__CORE__DAGS_FOLDER": str(airflow.dags_folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": airflow.executor,
        "AIRFLOW__CORE__PARALLELISM": str(airflow.parallelism),
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{airflow.base_url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USERNAME}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(airflow.passwords_file),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
    }


def _api_server(airflow: LocalAirflow) -> dict[str, str]:
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(airflow.port),
        "AIRFLOW__API__BASE_URL": airflow.base_url,
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
    }


def _logging(airflow: LocalAirflow) -> dict[str, str]:
    return {
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(airflow.logs_folder),
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }


def _celery(airflow: LocalAirflow) -> dict[str, str]:
    if airflow.broker_url is None or airflow.database_url is None:
        raise ValueError("CeleryExecutor needs broker_url and a PostgreSQL database_url")
    return {
        "AIRFLOW__CELERY__BROKER_URL": airflow.broker_url,
        "AIRFLOW__CELERY__RESULT_BACKEND": "db+" + airflow.database_url,
        # The prefix keeps this Airflow's keys in Redis apart from any other's.
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__GLOBAL_KEYPREFIX": airflow.key_prefix,
    }
