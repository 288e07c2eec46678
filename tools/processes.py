"""Run child processes, each in its own session, so that everything they start ends with them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil


def free_port() -> int:
    """Return a free TCP port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until(check: Callable[[], bool], *, seconds: float, what: str, pause: float = 0.2) -> None:
    """Poll ``check`` until it is true; raise :class:`TimeoutError`, which names ``what``, after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(pause)


def session_members(session_id: int) -> list[psutil.Process]:
    """Return the live processes of a session.

    Airflow puts each task into its own process group, so a group would miss them. A session holds all of them, even
    after their parent is gone.
    """
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
            if os.getsid(process.pid) == session_id and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members


class Component:
    """Run one long-lived command with a log file.

    :param name: short name, used for the log file too.
    :param command: the command line.
    :param env: the whole environment of the process.
    :param cwd: its working directory.
    :param log_path: file to which its output is appended, so that a restart keeps the earlier lines.
    """

    def __init__(self, name: str, command: list[str], *, env: dict[str, str], cwd: Path, log_path: Path):
        self.name = name
        self.command = command
        self.env = env
        self.cwd = cwd
        self.log_path = log_path
        self.process: subprocess.Popen[bytes] | None = None
        self._sessions: list[int] = []

    def start(self) -> None:
        """Start it; raise :class:`RuntimeError` if it is running."""
        if self.running:
            raise RuntimeError(f"{self.name} is already running")
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._sessions.append(self.process.pid)

    @property
    def running(self) -> bool:
        """Tell whether its main process is alive."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Return the process id of the last start."""
        if self.process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self.process.pid

    def members(self) -> list[psutil.Process]:
        """Return the live processes of this start and of earlier ones."""
        return [process for session in self._sessions for process in session_members(session)]

    def send(self, number: int) -> None:
        """Send a signal to the main process only."""
        if self.running:
            assert self.process is not None
            self.process.send_signal(number)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the main process and all that it started, and wait until they ended."""
        members = self.members()
        for member in members:
            with contextlib.suppress(psutil.Error):
                member.send_signal(number)
        if self.process is not None:
            self.process.wait(timeout=30)
        psutil.wait_procs(members, timeout=30)

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of its log, for an error message."""
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])


def stop_all(components: Iterable[Component], *, grace: float = 10.0) -> None:
    """End components together: by SIGTERM, and after ``grace`` seconds by SIGKILL with whatever they left."""
    components = list(components)
    for component in components:
        component.send(signal.SIGTERM)
    deadline = time.monotonic() + grace
    for component in components:
        if component.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                component.process.wait(timeout=max(0.0, deadline - time.monotonic()))
    for component in components:
        component.kill()
