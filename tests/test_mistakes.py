"""Try every pair of a mistake and its message in docs/mistakes.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk import DAG

from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.contacts import SqlToContactsOperator
from tests.documents import ROOT

PAGE = (ROOT / "docs" / "mistakes.md").read_text(encoding="utf-8")
(DAG_SOURCE,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PAIRS = re.findall(r"^`([^`\n]+)`\n\n```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NAMES = {"DAG": DAG, "CreateBatchCallOperator": CreateBatchCallOperator, "SqlToContactsOperator": SqlToContactsOperator}

PARSE = """
import json, os, sys
from tests.support.airflow_versions import DagBag
errors = DagBag(sys.argv[1]).import_errors
print(json.dumps({os.path.basename(path): text for path, text in errors.items()}))
"""


def varied(change: str) -> str:
    """Return the Dag with one line replaced (``name=value``), or left out (``no name``)."""
    name = change.removeprefix("no ").partition("=")[0]
    lines = DAG_SOURCE.splitlines()
    places = [number for number, line in enumerate(lines) if line.strip().startswith(f"{name}=")]
    added = [] if change.startswith("no ") else [f"        {change},"]
    # The last one of a name is the campaign's; a name that is new goes there too.
    place = places[-1] if places else len(lines) - 1
    lines[place : place + len(places[-1:])] = added
    return "\n".join(lines)


def test_the_dag_itself_is_right() -> None:
    exec(DAG_SOURCE, dict(NAMES))


@pytest.mark.parametrize(("change", "message"), PAIRS)
def test_a_mistake_is_answered_as_the_page_says(change: str, message: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the page names the class
        exec(varied(change), dict(NAMES))
    assert f"{caught.type.__name__}: {' '.join(str(caught.value).split())}" == " ".join(message.split())


def test_airflow_shows_each_message_as_an_import_error(tmp_path: Path) -> None:
    imports = (
        "from airflow.sdk import DAG\n"
        "from airflow_truedy.operators.batch_calls import CreateBatchCallOperator\n"
        "from airflow_truedy.operators.contacts import SqlToContactsOperator\n"
    )
    folder = tmp_path / "dags"
    folder.mkdir()
    for number, (change, _) in enumerate(PAIRS):
        (folder / f"mistake_{number}.py").write_text(imports + varied(change), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(folder)],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    errors = json.loads(done.stdout.splitlines()[-1])
    for number, (_, message) in enumerate(PAIRS):
        assert " ".join(message.split()) in " ".join(errors[f"mistake_{number}.py"].split())


def test_there_are_many_pairs() -> None:
    assert len(PAIRS) >= 12
