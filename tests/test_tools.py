"""Try the programs in tools/ that no other test runs, and keep circles out of their imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter

from tests.documents import ROOT

TOOLS = sorted((ROOT / "tools").glob("*.py"))


def test_the_imports_of_the_tools_form_no_circle() -> None:
    imports = {
        path.stem: {
            node.module.removeprefix("tools.")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("tools.")
        }
        for path in TOOLS
    }
    assert imports["local_airflow"] == {"airflow_rest", "airflow_settings", "processes"}
    TopologicalSorter(imports).prepare()  # raises CycleError


def test_a_campaign_is_followed_from_the_operator_to_the_request() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.follow_campaign"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    start, contact = done.stdout.split("one contact:")
    for path in (start, contact):
        assert "operators/batch_calls.py: CreateBatchCallOperator.__init__" in path
        assert "api/models/batch_calls.py: BatchCallRequest.body" in path
    assert "api/endpoints.py: schedule_batch_call" in start
