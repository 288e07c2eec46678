"""Call the few endpoints of Airflow's REST API (``/api/v2``) that tools and integration tests need.

Uses ``urllib``, so that it shares nothing with the client under test.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, cast

from tools.processes import wait_until

FINISHED = ("success", "failed")


class AirflowRest:
    """Call Airflow's REST API as one user.

    :param base_url: the API server's address, such as ``http://127.0.0.1:8080``.
    :param username: user of the simple auth manager.
    :param password: its password.
    """

    def __init__(self, base_url: str, username: str, password: str):
        self.base_url = base_url
        self._credentials = {"username": username, "password": password}
        self._token: str | None = None
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and return the answer's JSON; ``path`` starts below ``/api/v2``."""
        if self._token is None:
            self._token = self._send("POST", "/auth/token", self._credentials)["access_token"]
        return self._send(method, f"/api/v2{path}", body)

    def _send(self, method: str, path: str, body: Any) -> Any:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data=data, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            detail = error.read().decode(errors="replace")[:2000]
            error.msg = f"{method} {path}: {error.msg}: {detail}"
            raise
        return json.loads(text) if text else None

    # Dags and Dag runs

    def dag_known(self, dag_id: str) -> bool:
        """Tell whether the Dag processor has stored this Dag."""
        try:
            self.request("GET", f"/dags/{_quote(dag_id)}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise
        return True

    def import_errors(self) -> dict[str, str]:
        """Return the stack trace of each Dag file that did not parse, by file name."""
        listed = self.request("GET", "/importErrors")["import_errors"]
        return {item["filename"]: item["stack_trace"] for item in listed}

    def set_paused(self, dag_id: str, paused: bool) -> None:
        """Pause or unpause a Dag."""
        self.request("PATCH", f"/dags/{_quote(dag_id)}", {"is_paused": paused})

    def trigger(self, dag_id: str, *, conf: dict[str, Any] | None = None, logical_date: str | None = None) -> str:
        """Start a Dag run now and return its run id."""
        body = {"conf": conf or {}, "logical_date": logical_date}
        return cast("str", self.request("POST", f"/dags/{_quote(dag_id)}/dagRuns", body)["dag_run_id"])

    def dag_run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a Dag run."""
        return cast("str", self.request("GET", _run(dag_id, run_id))["state"])

    # Task instances

    def task_instance(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return a task instance: state, try_number, pid, rendered_fields and more."""
        return cast("dict[str, Any]", self.request("GET", _task(dag_id, run_id, task_id, map_index)))

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str, map_index: int = -1) -> None:
        """Mark a task ``success``, ``failed`` or ``skipped``, as the button in the UI does."""
        self.request("PATCH", _task(dag_id, run_id, task_id, map_index), {"new_state": state})

    def clear_task(self, dag_id: str, run_id: str, task_id: str, *, downstream: bool = False) -> None:
        """Clear a task so that it runs again, as the button in the UI does."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task_id],
            "only_failed": False,
            "reset_dag_runs": True,
            "include_downstream": downstream,
        }
        self.request("POST", f"/dags/{_quote(dag_id)}/clearTaskInstances", body)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return the value of one XCom."""
        entry = f"{_run(dag_id, run_id)}/taskInstances/{_quote(task_id)}/xcomEntries/{_quote(key)}"
        return self.request("GET", f"{entry}?map_index={map_index}")["value"]

    def extra_links(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, str]:
        """Return the task's links in the UI, by name."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{_quote(task_id)}/links?map_index={map_index}"
        return cast("dict[str, str]", self.request("GET", path)["extra_links"])

    def add_connection(self, conn_id: str, conn_type: str, **fields: Any) -> None:
        """Store a connection in Airflow's database, so that the UI shows it."""
        self.request("POST", "/connections", {"connection_id": conn_id, "conn_type": conn_type, **fields})

    # Waiting

    def wait_for_dag(self, dag_id: str, *, seconds: float = 60) -> None:
        """Wait until the Dag is stored; raise :class:`RuntimeError` at once for a Dag file that does not parse."""

        def known() -> bool:
            if self.dag_known(dag_id):
                return True
            if errors := self.import_errors():
                raise RuntimeError("Dag files that do not parse:\n" + "\n".join(errors.values()))
            return False

        wait_until(known, seconds=seconds, what=f"Dag {dag_id} is stored")

    def wait_for_run(
        self, dag_id: str, run_id: str, states: tuple[str, ...] = FINISHED, *, seconds: float = 120
    ) -> str:
        """Wait until the Dag run is in one of the states, and return that state."""
        state = ""

        def reached() -> bool:
            nonlocal state
            state = self.dag_run_state(dag_id, run_id)
            return state in states

        wait_until(reached, seconds=seconds, what=f"Dag run {dag_id}/{run_id} in {states}")
        return state

    def wait_for_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        states: tuple[str, ...],
        *,
        map_index: int = -1,
        seconds: float = 120,
    ) -> dict[str, Any]:
        """Wait until the task is in one of the states, and return its task instance."""
        found: dict[str, Any] = {}

        def reached() -> bool:
            found.update(self.task_instance(dag_id, run_id, task_id, map_index))
            return found["state"] in states

        wait_until(reached, seconds=seconds, what=f"task {dag_id}/{task_id} in {states}")
        return found


def _quote(part: str) -> str:
    return urllib.parse.quote(part, safe="")


def _run(dag_id: str, run_id: str) -> str:
    return f"/dags/{_quote(dag_id)}/dagRuns/{_quote(run_id)}"


def _task(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    mapped = "" if map_index < 0 else f"/{map_index}"
    return f"{_run(dag_id, run_id)}/taskInstances/{_quote(task_id)}{mapped}"
