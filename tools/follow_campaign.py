"""Follow one campaign through the real operator: which functions its start, and one of its contacts, pass through.

``python -m tools.follow_campaign`` runs ``CreateBatchCallOperator`` once against a sandbox and prints, in order, every
function of ``airflow_truedy`` that receives or returns the value itself (not an object that holds it). A function is
what a reader calls one: comprehensions, generator expressions and lambdas belong to the function they stand in.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

from truedy_sandbox.process import SandboxProcess

import airflow_truedy

PACKAGE = str(Path(airflow_truedy.__file__).parent)
# What is written about a request passes here: errors, and of a launch without any only an odd request id now and then.
HIDES_PEOPLE = f"{PACKAGE}/api/sent_people.py"
KEY = "truedy_sandbox_key"
ZONE, START = "Etc/GMT+5", "10:00"
NUMBER = "+12125550142"


@dataclass
class Footprints:
    """Collect the functions that one value passes through, each once, in the order of their first call.

    :param forms: the value in each of its forms, such as text, datetime and UTC text.
    """

    forms: tuple[Any, ...]
    steps: dict[str, None] = field(default_factory=dict)

    def look(self, frame: FrameType, values: Iterable[Any]) -> None:
        """Note the function of a frame if the value is among these."""
        if any(self._is_value(value) for value in values):
            path = frame.f_code.co_filename.removeprefix(PACKAGE + "/")
            if name := function_of(frame):
                self.steps.setdefault(f"{path}: {name}")

    def _is_value(self, value: Any) -> bool:
        if isinstance(value, dict):
            return any(self._is_value(each) for each in value.values())
        if isinstance(value, list | tuple):
            return any(self._is_value(each) for each in value)
        return any(type(value) is type(form) and value == form for form in self.forms)

    @property
    def files(self) -> set[str]:
        """Return the files of these functions."""
        return {step.split(":")[0] for step in self.steps}


def function_of(frame: FrameType) -> str:
    """Return the named function in which the code of a frame stands; nothing for what stands in none."""
    # Python 3.10 does not know the class of a function.
    parts = str(getattr(frame.f_code, "co_qualname", frame.f_code.co_name)).split(".<locals>.")
    while parts and parts[-1].startswith("<"):
        parts.pop()
    return ".<locals>.".join(parts)


def follow(*footprints: Footprints) -> Any:
    """Return a profile function that shows every call in the package, and what it returns, to the footprints."""

    def profile(frame: FrameType, event: str, returned: Any) -> None:
        code = frame.f_code
        if not code.co_filename.startswith(PACKAGE) or event not in ("call", "return") or code.co_name == "<module>":
            return
        if code.co_filename == HIDES_PEOPLE:
            return
        values = [returned] if event == "return" else list(arguments(frame))
        for each in footprints:
            each.look(frame, values)

    return profile


def arguments(frame: FrameType) -> Iterator[Any]:
    """Yield what a function was called with."""
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    for name in code.co_varnames[:count]:
        if name in frame.f_locals:
            yield frame.f_locals[name]


def run_campaign(url: str, day: str, profile: Any) -> Any:
    """Create, render and execute the operator as a task does, under a profile function; return its result."""
    # This server's reads do not lag, so nothing has to settle.
    connection = {"conn_type": "truedy", "host": url, "password": KEY, "extra": {"settle": 0.05}}
    os.environ["AIRFLOW_CONN_TRUEDY_DEFAULT"] = json.dumps(connection)
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    from airflow.sdk.bases.operator import ExecutorSafeguard

    from airflow_truedy.operators.batch_calls import CreateBatchCallOperator

    ExecutorSafeguard.test_mode = True
    instance = SimpleNamespace(
        dag_id="d", task_id="launch", run_id="r", map_index=-1, try_number=1, xcom_push=lambda key, value: None
    )
    context: Any = {"ti": instance, "run_id": "r", "day": day, "dag_run": SimpleNamespace(conf={})}
    sys.setprofile(profile)
    try:
        task = CreateBatchCallOperator(
            task_id="launch",
            name="Renewals",
            agent_id="agt_f9447372",
            contacts=[{"phone_number": NUMBER, "first_name": "Ann"}],
            scheduled_at="{{ day }}T" + START,
            timezone=ZONE,
            start_time="09:00",
            end_time="17:30",
        )
        context["task"] = task
        task.render_template_fields(context)
        return task.execute(context)
    finally:
        sys.setprofile(None)


def main() -> int:
    """Run the campaign and print both paths; return 0."""
    moment = (datetime.now(timezone.utc) + timedelta(days=30)).replace(hour=15, minute=0, second=0, microsecond=0)
    wall = moment.replace(hour=10, tzinfo=None)
    text = wall.isoformat(timespec="minutes")
    start = Footprints((moment, wall, text, text + ":00", f"{moment:%Y-%m-%dT%H:%M:%S}Z", "{{ day }}T" + START))
    contact = Footprints((NUMBER,))
    with SandboxProcess(rate_limit=0) as sandbox:
        run_campaign(sandbox.url, f"{wall:%Y-%m-%d}", follow(start, contact))
    for what, footprints in (("scheduled_at", start), ("one contact", contact)):
        print(f"\n{what}: {len(footprints.steps)} functions in {len(footprints.files)} files")
        print("\n".join(f"  {step}" for step in footprints.steps))
    return 0


if __name__ == "__main__":
    sys.exit(main())
