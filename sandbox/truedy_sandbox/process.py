"""A sandbox as a child process, for tests, demos and tools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truedy_sandbox.settings import Settings

if TYPE_CHECKING:
    from types import TracebackType


class SandboxProcess:
    """
    Runs ``python -m truedy_sandbox`` and ends it when the block, or this process, ends.

    :param state_file: keep the state in this file, so that it survives :meth:`kill`; default: in memory only.
    :param port: 0 (the default) takes a free one; :meth:`restart` keeps it.
    :param ready_timeout: seconds to wait for its ready line.
    :param options: fields of :class:`~truedy_sandbox.settings.Settings`.
    :raises RuntimeError: if it does not start; the message holds its first line.
    """

    def __init__(
        self,
        *,
        state_file: Path | str | None = None,
        port: int = 0,
        ready_timeout: float = 30.0,
        **options: Any,
    ) -> None:
        self.settings = Settings(**options)
        self.api_key = self.settings.api_key
        self._options = options
        self._state_file = state_file
        self._port = port
        self._ready_timeout = ready_timeout
        self._child: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Address of the server, without a path."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """Address of the API."""
        return f"{self.url}/api/public/v1"

    @property
    def pid(self) -> int | None:
        """Process id of the child while it runs."""
        return self._child.pid if self._child else None

    def connection(self) -> str:
        """Return the Airflow connection to it, for an ``AIRFLOW_CONN_...`` variable."""
        # A server whose reads do not lag needs no time to settle. As text, which Airflow's REST API asks for.
        extra = json.dumps({"settle": self.settings.settle})
        return json.dumps({"conn_type": "truedy", "password": self.api_key, "host": self.url, "extra": extra})

    def __enter__(self) -> SandboxProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the child and wait until it serves."""
        command = [
            sys.executable,
            "-m",
            "truedy_sandbox",
            "--stop-with-stdin",
            "--port",
            str(self._port),
        ]
        if self._state_file is not None:
            command += ["--state-file", str(self._state_file)]
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
        self._child = subprocess.Popen(  # noqa: S603 - our own module with our own options
            command + _arguments(self._options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._await_ready(self._child)

    def _await_ready(self, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        alarm = threading.Timer(self._ready_timeout, child.kill)
        alarm.start()
        try:
            greeting = child.stdout.readline()
            if child.stdout.readline().strip() != "ready":
                child.kill()
                raise RuntimeError(f"the sandbox did not start (exit code {child.wait()}): {greeting!r}")
        finally:
            alarm.cancel()
        self._port = int(greeting.split(" at http://", 1)[1].split(" ", 1)[0].rsplit(":", 1)[1])

    def stop(self) -> None:
        """End the child cleanly."""
        if self._child is not None:
            self._child.terminate()
            self._reap()

    def kill(self) -> None:
        """Kill the child with SIGKILL."""
        if self._child is not None:
            self._child.kill()
            self._reap()

    def restart(self) -> None:
        """Kill the child if it runs, and start it again on the same port and state file."""
        self.kill()
        self.start()

    def _reap(self) -> None:
        assert self._child is not None
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        self._child = None

    def admin(self, method: str, path: str, json_body: Any = None) -> Any:
        """
        Call an admin endpoint, e.g. ``admin("POST", "clock", {"advance_seconds": 60})``.

        :param path: below ``/_sandbox/``.
        :raises urllib.error.HTTPError: if it is refused.
        """
        body = None if json_body is None else json.dumps(json_body).encode()
        request = urllib.request.Request(  # noqa: S310 - always http to the child
            f"{self.url}/_sandbox/{path.lstrip('/')}",
            data=body,
            method=method,
            headers={"Content-Type": "application/json"},
        )
        # No proxy of the environment may stand between a test and its child.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as response:
            return json.load(response)

    def advance(self, seconds: float) -> None:
        """Move virtual time forward."""
        self.admin("POST", "clock", {"advance_seconds": seconds})

    def fault(self, kind: str, method: str | None = None, path: str | None = None, **more: Any) -> None:
        """Set a fault; ``more`` holds ``after``, ``times``, ``seconds``, ``status``."""
        self.admin("POST", "faults", {"kind": kind, "match": {"method": method, "path": path}, **more})

    def state(self) -> dict[str, Any]:
        """Return the whole state."""
        shown: dict[str, Any] = self.admin("GET", "state")
        return shown

    def requests(self) -> list[dict[str, Any]]:
        """Return the journal of requests."""
        shown: list[dict[str, Any]] = self.admin("GET", "requests")["requests"]
        return shown


def _arguments(options: dict[str, Any]) -> list[str]:
    arguments = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            arguments.append(flag)
        elif isinstance(value, datetime):
            arguments += [flag, value.isoformat()]
        elif value is not False and value is not None:
            arguments += [flag, str(value)]
    return arguments
