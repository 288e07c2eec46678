"""
Follow one campaign through the real operator: print the files and functions that a parameter passes.

``python -m tools.trace_parameter`` launches a campaign of three contacts on the sandbox. For ``scheduled_at`` and for
one contact it prints the functions of ``airflow_truedy`` that see it: as an argument, a local value or an answer, in
any form (as written, as an instant, as UTC text; as a number, or in a row). A newcomer who follows the value reads
this list.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import FrameType
from typing import Any

import airflow_truedy

PACKAGE = Path(airflow_truedy.__file__).parent
NUMBER = "+12125550100"
_DEEP = 3

Step = tuple[str, str]


class Tracer:
    """
    Notes each function of the package that sees one of several values.

    :param watched: by name: tells whether a value is the one that is followed.
    """

    def __init__(self, watched: Mapping[str, Callable[[Any], bool]]) -> None:
        self._watched = watched
        self.steps: dict[str, dict[Step, None]] = {name: {} for name in watched}

    def __enter__(self) -> Tracer:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, arg: Any) -> None:
        if event not in ("call", "return") or not frame.f_code.co_filename.startswith(str(PACKAGE)):
            return
        sys.setprofile(None)
        try:
            values = [value for name, value in frame.f_locals.items() if name not in ("self", "cls")]
            if event == "return":
                values.append(arg)
            # A comprehension belongs to the function in which it is written.
            function = frame.f_code.co_qualname if hasattr(frame.f_code, "co_qualname") else frame.f_code.co_name
            step = (str(Path(frame.f_code.co_filename).relative_to(PACKAGE)), function.split(".<locals>")[0])
            for name, is_it in self._watched.items():
                if step not in self.steps[name] and any(_holds(value, is_it, _DEEP) for value in values):
                    self.steps[name][step] = None
        finally:
            sys.setprofile(self._note)


def _holds(value: Any, is_it: Callable[[Any], bool], deep: int) -> bool:
    """Return whether a value is the one that is followed, or a plain container around it."""
    if is_it(value):
        return True
    if deep == 0:
        return False
    if type(value) is dict:
        return any(_holds(each, is_it, deep - 1) for each in value.values())
    return type(value) in (list, tuple) and any(_holds(each, is_it, deep - 1) for each in value)


def trace() -> dict[str, dict[Step, None]]:
    """Launch a campaign on the sandbox and return, for each value, the steps that it takes: (file, function)."""
    from truedy_sandbox.process import SandboxProcess

    begins = (datetime.now(timezone.utc) + timedelta(days=30)).replace(hour=15, minute=0, second=0, microsecond=0)
    # On the wall clock of the campaign's zone, five hours behind UTC.
    written = (begins - timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M")
    forms = {written, begins.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def is_start(value: Any) -> bool:
        if isinstance(value, datetime):
            return value.utcoffset() is not None and value == begins
        return isinstance(value, str) and value in forms

    def is_contact(value: Any) -> bool:
        return (value == NUMBER) if isinstance(value, str) else getattr(value, "phone_number", None) == NUMBER

    with SandboxProcess(rate_limit=0) as sandbox, Tracer({"scheduled_at": is_start, "a contact": is_contact}) as tracer:
        connection = {"conn_type": "truedy", "host": sandbox.base_url, "password": sandbox.api_key}
        os.environ["AIRFLOW_CONN_TRUEDY_DEFAULT"] = json.dumps(connection)
        _launch(written)
    return tracer.steps


def _launch(scheduled_at: str) -> None:
    """Render and run the operator as a task of Airflow does."""
    from airflow.sdk import DAG
    from airflow.sdk.bases.operator import ExecutorSafeguard

    from airflow_truedy.operators.batch_calls import CreateBatchCallOperator

    ExecutorSafeguard.test_mode = True
    with DAG("trace", schedule=None):
        task = CreateBatchCallOperator(
            task_id="launch",
            name="Traced",
            agent_id="agt_f9447372",
            contacts=[{"phone_number": f"{NUMBER[:-1]}{i}", "first_name": f"Person{i}"} for i in range(3)],
            scheduled_at=scheduled_at,
            timezone="Etc/GMT+5",
            start_time="09:00",
            end_time="17:30",
        )
    context: Any = {"ti": _TaskInstance(), "task": task, "params": {}, "dag_run": _DagRun(), "outlet_events": {}}
    task.render_template_fields(context)
    task.execute(context)


class _TaskInstance:
    dag_id, task_id, run_id, map_index, try_number = "trace", "launch", "run", -1, 1

    def xcom_push(self, key: str, value: Any) -> None:
        pass


class _DagRun:
    conf: Mapping[str, Any] = {}
    run_after = start_date = datetime.now(timezone.utc)


def main() -> None:
    """Print each value's steps by file, and their number."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("AIRFLOW_HOME", home)
        for name, steps in trace().items():
            files = dict.fromkeys(file for file, _ in steps)
            print(f"{name}: {len(steps)} functions in {len(files)} files")
            for file in files:
                print(f"  {file}: {', '.join(function for at, function in steps if at == file)}")


if __name__ == "__main__":
    main()
