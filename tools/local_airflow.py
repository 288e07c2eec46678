"""Run a real Airflow on this machine, in a folder of its own: for the demo, ``make airflow`` and the tests.

Each component (API server, scheduler, Dag processor, triggerer, Celery worker) is a process, so that a test can kill
one and start it again. Ports are free ones and nothing is shared, so several can run side by side.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

from tools.airflow_rest import AirflowRest
from tools.airflow_settings import PASSWORD, USERNAME, AirflowSettings
from tools.processes import Component, stop_all, wait_until


@dataclass(frozen=True)
class RunningTask:
    """Hold the two processes of a running task.

    :param task: the process that runs the operator's code.
    :param supervisor: its parent, Airflow's worker process, which sends the heartbeats.
    """

    task: psutil.Process
    supervisor: psutil.Process

    def kill(self, *, supervisor: bool = True) -> None:
        """Kill both by SIGKILL, as when a machine goes away; or only the task, as when memory runs out."""
        victims = [self.supervisor, self.task] if supervisor else [self.task]
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        # A child that its parent has not reaped yet counts as ended.
        wait_until(
            lambda: all(not v.is_running() or v.status() == psutil.STATUS_ZOMBIE for v in victims),
            seconds=10,
            what="killed processes end",
        )


@dataclass
class LocalAirflow(AirflowSettings):
    """Run one Airflow: ``with LocalAirflow(home, dags_folder) as airflow: airflow.rest.trigger(...)``.

    :param celery_workers: how many Celery workers to start, named ``worker-1``, ``worker-2``, ...
    :param triggerer: whether to start a triggerer, which deferred tasks need.
    """

    celery_workers: int = 2
    triggerer: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rest = AirflowRest(self.base_url, USERNAME, PASSWORD)
        self.components = {component.name: component for component in self._components()}
        self.seconds_to_ready = 0.0

    # Start and stop

    def start(self) -> None:
        """Create the metadata database and start every component; return when all of them are healthy."""
        began = time.monotonic()
        atexit.register(self.stop)
        self.logs_folder.mkdir(parents=True, exist_ok=True)
        self.passwords_file.write_text(json.dumps({USERNAME: PASSWORD}))
        try:
            self.run_cli("db", "migrate")
            for component in self.components.values():
                component.start()
            self.wait_until_healthy()
        except BaseException as error:
            if isinstance(error, Exception):
                self.print_logs()
            self.stop()
            raise
        self.seconds_to_ready = time.monotonic() - began

    def stop(self) -> None:
        """End every process that this Airflow started, those of killed components too."""
        stop_all(self.components.values(), grace=5)
        if self.broker_url is not None:
            self._forget_broker_keys(self.broker_url)
        atexit.unregister(self.stop)

    def __enter__(self) -> LocalAirflow:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, Exception):  # not for Ctrl-C
            self.print_logs()
        self.stop()

    def restart(self, component: str) -> None:
        """Start a killed component again, without waiting until it is healthy; its log is appended to."""
        self.components[component].start()

    def kill(self, component: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a component and all its processes, and wait until they ended."""
        self.components[component].kill(number)

    def wait_until_healthy(self, *, seconds: float = 120) -> None:
        """Wait until Airflow's health check reports every started component as healthy."""
        expected = {"metadatabase", "scheduler", "dag_processor"}
        if self.triggerer:
            expected.add("triggerer")

        def healthy() -> bool:
            for component in self.components.values():
                if not component.running:
                    raise RuntimeError(f"{component.name} ended while starting:\n{component.log_tail()}")
            try:
                health = self.rest.request("GET", "/monitor/health")
            except (urllib.error.URLError, ConnectionError):
                return False
            return all((health.get(name) or {}).get("status") == "healthy" for name in expected)

        wait_until(healthy, seconds=seconds, what=f"Airflow at {self.base_url} is healthy")

    def run_cli(self, *arguments: str) -> str:
        """Run one ``airflow`` command to its end and return its output; raise with the output if it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            command = " ".join(arguments)
            raise RuntimeError(f"airflow {command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    # Inspect

    def running_task(
        self, dag_id: str, run_id: str, task_id: str, *, map_index: int = -1, seconds: float = 60
    ) -> RunningTask:
        """Wait until the task runs, and return its processes."""
        instance = self.rest.wait_for_task(dag_id, run_id, task_id, ("running",), map_index=map_index, seconds=seconds)
        task = psutil.Process(instance["pid"])
        supervisor = task.parent()
        if supervisor is None:
            raise RuntimeError(f"task {dag_id}/{task_id} has lost its supervisor")
        return RunningTask(task, supervisor)

    def component_of(self, task: RunningTask) -> str:
        """Return the name of the component that runs the task: ``scheduler`` or ``worker-N``."""
        for name, component in self.components.items():
            if task.task in component.members():
                return name
        raise RuntimeError(f"{task} belongs to no component")

    def leftovers(self) -> list[psutil.Process]:
        """Return the live processes of this Airflow; there are none after :meth:`stop`."""
        return [process for component in self.components.values() for process in component.members()]

    def task_logs(self) -> Iterator[Path]:
        """Yield the log file of every task."""
        return self.logs_folder.glob("dag_id=*/**/*.log")

    def print_logs(self) -> None:
        """Print the end of every component's and every task's log, for a failed start or test."""
        for component in self.components.values():
            print(f"----- {component.name} ({component.log_path})\n{component.log_tail()}")
        for path in sorted(self.task_logs()):
            print(f"----- {path}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-40:]))

    # Components

    def _forget_broker_keys(self, broker_url: str) -> None:
        import redis  # only Celery runs have a broker

        with redis.Redis.from_url(broker_url) as broker:
            for key in broker.scan_iter(f"{self.key_prefix}*"):
                broker.delete(key)

    def _components(self) -> Iterator[Component]:
        yield self._component("api-server", "api-server")
        yield self._component("scheduler", "scheduler")
        yield self._component("dag-processor", "dag-processor")
        if self.triggerer:
            yield self._component("triggerer", "triggerer")
        if self.executor == "CeleryExecutor":
            for number in range(1, self.celery_workers + 1):
                name = f"worker-{number}"
                pid_file = self.home / f"{name}.{secrets.token_hex(4)}.pid"
                options = ["--concurrency", "2", "--celery-hostname", f"{name}@%h", "--pid", str(pid_file)]
                options += ["--skip-serve-logs", "--without-mingle", "--without-gossip"]
                yield self._component(name, "celery", "worker", *options)

    def _component(self, name: str, *arguments: str) -> Component:
        command = [sys.executable, "-m", "airflow", *arguments]
        log_path = self.logs_folder / f"{name}.log"
        return Component(name, command, env=self.environment, cwd=self.home, log_path=log_path)
