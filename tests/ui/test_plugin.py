"""The plugin is imported in every process of Airflow, each task run included: it must cost nothing there."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from airflow import plugins_manager

from airflow_truedy.ui import plugin
from tests.documents import ROOT

# What a task process has imported before it loads plugins.
_TASK = """
import airflow.sdk.execution_time.task_runner
try:
    import airflow.sdk.plugins_manager
except ImportError:
    import airflow.plugins_manager
"""


def test_importing_it_adds_nothing_to_a_task_process() -> None:
    program = (
        f"import sys\n{_TASK}\nbefore = set(sys.modules)\nimport airflow_truedy.ui.plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    added = set(ended.stdout.splitlines()[-1].split())
    assert added <= {"airflow_truedy", "airflow_truedy.ui", "airflow_truedy.ui.plugin"}


def test_airflow_finds_it_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    # Before 3.2 a plugin must not be loaded already.
    monkeypatch.setattr(plugins_manager, "plugins", [], raising=False)
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    line = text.split('[project.entry-points."airflow.plugins"]')[1].strip().splitlines()[0]
    name, _, value = line.partition(" = ")
    found = EntryPoint(name, value.strip('"'), "airflow.plugins").load()
    assert plugins_manager.is_valid_plugin(found)  # type: ignore[attr-defined]
    assert found.name == "truedy"


def test_addresses_follow_the_path_of_airflow() -> None:
    """One with a leading slash would miss an Airflow behind a sub-path."""
    for view in plugin.TruedyPlugin.external_views:
        for address in (view["href"], view["icon"], view["icon_dark_mode"]):
            assert address.startswith("truedy/")
    assert {view["destination"] for view in plugin.TruedyPlugin.external_views} == {"nav", "dag_run", "task_instance"}


def test_airflow_knows_every_field_of_the_views() -> None:
    models = pytest.importorskip("airflow.api_fastapi.core_api.datamodels.plugins")
    if not hasattr(models, "ExternalViewResponse"):
        pytest.skip("There are no views before Airflow 3.1.")
    for view in plugin.TruedyPlugin.external_views:
        read = models.ExternalViewResponse.model_validate(view)
        assert set(view) <= set(models.ExternalViewResponse.model_fields)
        assert read.destination == view["destination"]


async def test_the_app_is_built_at_the_first_request_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import airflow_truedy.ui.app

    built: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        built.append(scope["path"])

    def build() -> Any:
        built.append("built")
        return app

    monkeypatch.setattr(airflow_truedy.ui.app, "build", build)
    lazy = plugin.LazyApp()
    assert built == []
    for path in ("/a", "/b"):
        await lazy({"path": path}, None, None)  # type: ignore[arg-type]
    assert built == ["built", "/a", "/b"]
