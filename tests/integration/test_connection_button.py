"""Airflow's own connection test, asked as its UI asks: every stored field comes back, the key masked, no port as 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from truedy_sandbox.process import SandboxProcess

from tests.integration.airflow_env import StartAirflow
from tools.local_airflow import LocalAirflow


def press_the_test_button(airflow: LocalAirflow, conn_id: str) -> dict[str, Any]:
    """Send what the button in the list of connections sends."""
    stored = airflow.rest.request("GET", f"/connections/{conn_id}")
    fields = ("conn_type", "description", "host", "login", "schema")
    body = {name: stored[name] or "" for name in fields}
    # Number(null) is 0 in the browser.
    body |= {"connection_id": conn_id, "port": stored["port"] or 0, "password": "***", "extra": stored["extra"] or "{}"}
    return airflow.rest.request("POST", "/connections/test", body)


def test_the_button_works_for_connections_that_have_a_port(start_airflow: StartAirflow, tmp_path: Path) -> None:
    with SandboxProcess() as sandbox:
        airflow = start_airflow(
            tmp_path,
            database_url=f"sqlite:///{tmp_path}/airflow.db",
            executor="LocalExecutor",
            triggerer=False,
            env={"AIRFLOW__CORE__TEST_CONNECTION": "Enabled"},
        )
        port = int(sandbox.url.rsplit(":", 1)[1])
        ways: dict[str, dict[str, Any]] = {
            # As "make airflow" stores it.
            "with_port_0": {"host": sandbox.url, "port": 0},
            "with_a_port": {"host": "http://127.0.0.1", "port": port},
            "with_a_scheme": {"host": "127.0.0.1", "schema": "http", "port": port},
        }
        for conn_id, fields in ways.items():
            airflow.rest.add_connection(conn_id, "truedy", password=sandbox.api_key, **fields)
            answer = press_the_test_button(airflow, conn_id)
            assert (answer["status"], answer["message"][:13]) == (True, "Connected to "), answer
        airflow.rest.add_connection("wrong_key", "truedy", password="truedy_wrong", host=sandbox.url, port=0)
        answer = press_the_test_button(airflow, "wrong_key")
        assert not answer["status"]
        assert "does not know this API key" in answer["message"]
