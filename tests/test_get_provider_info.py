from __future__ import annotations

import importlib.metadata
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_truedy.connection_form import CONN_FIELDS
from airflow_truedy.get_provider_info import get_provider_info
from airflow_truedy.hooks.settings import ClientSettings
from tests.support.airflow_versions import needs_airflow

INFO = get_provider_info()


def class_paths() -> Iterator[str]:
    """Every dotted path to a thing inside a module that the metadata names."""
    for connection_type in INFO["connection-types"]:
        yield connection_type["hook-class-name"]
    yield from INFO.get("extra-links", [])
    yield from INFO.get("notifications", [])
    for uris in INFO.get("asset-uris", []):
        yield from (uris[name] for name in ("handler", "factory", "to_openlineage_converter") if uris.get(name))


def modules() -> Iterator[str]:
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for entry in INFO.get(kind, []):
            assert entry["integration-name"] in {one["integration-name"] for one in INFO["integrations"]}
            yield from entry["python-modules"]


def test_it_is_valid_against_airflows_own_schema() -> None:
    schema = json.loads((files("airflow") / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)
    jsonschema.validate(json.loads(json.dumps(INFO)), schema)


def test_its_package_name_is_the_distributions() -> None:
    assert INFO["package-name"] == importlib.metadata.metadata("airflow-provider-truedy")["Name"]
    (entry,) = (
        each
        for each in importlib.metadata.entry_points(group="apache_airflow_provider")
        if each.dist is not None and each.dist.name == "airflow-provider-truedy"
    )
    assert entry.load() is get_provider_info


@pytest.mark.parametrize("path", sorted(class_paths()))
def test_every_thing_it_names_is_there(path: str) -> None:
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    assert callable(found)
    assert found.__module__.startswith("airflow_truedy")


@pytest.mark.parametrize("module", sorted(modules()))
def test_every_module_it_names_can_be_imported(module: str) -> None:
    assert inspect.ismodule(importlib.import_module(module))


def test_every_public_operator_sensor_and_trigger_is_in_a_module_that_it_names() -> None:
    import airflow_truedy

    package = Path(airflow_truedy.__file__).parent
    found = [
        f"{kind}.{file.stem}" for kind in ("operators", "sensors", "triggers") for file in (package / kind).glob("*.py")
    ]
    all_modules = {f"airflow_truedy.{name}" for name in found if not name.endswith("__init__")}
    for module in all_modules:  # A class is known for a base only once its children are.
        importlib.import_module(module)
    offered = {name for module in modules() for name in vars(importlib.import_module(module))}
    assert {name for module in all_modules for name in public_classes(module)} <= offered


def public_classes(module: str) -> list[str]:
    """The classes that a user writes into a Dag; bases of others are not."""
    return [
        name
        for name, value in vars(importlib.import_module(module)).items()
        if inspect.isclass(value)
        and value.__module__ == module
        and name.endswith(("Operator", "Sensor", "Trigger"))
        and not name.startswith("_")
        and not _is_a_base(value)
    ]


def _is_a_base(kind: type) -> bool:
    return bool(kind.__subclasses__())


@pytest.fixture(scope="module")
def told_by_airflow() -> Any:
    """What Airflow's own manager makes of the installed metadata; in a process of its own, because it keeps much."""
    program = """
import json
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
manager.initialize_providers_hooks()
hook = manager.hooks["truedy"]
print(json.dumps({
    "provider": manager.providers["airflow-provider-truedy"].data["name"],
    "hook": [hook.hook_class_name, hook.hook_name, hook.connection_id_attribute_name],
    "fields": {
        name: [widget.field if isinstance(widget.field, dict) else repr(widget.field), widget.is_sensitive]
        for name, widget in manager.connection_form_widgets.items() if name.startswith("extra__truedy__")
    },
    "behaviour": manager.field_behaviours.get("truedy"),
    "links": [link for link in manager.extra_links_class_names if "truedy" in link],
}))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # Older versions warn of their own providers.
    of_ours = [line for line in ended.stderr.splitlines() if "warning" in line.lower() and "airflow_truedy" in line]
    assert of_ours == []
    return json.loads(ended.stdout.splitlines()[-1])


def test_airflow_finds_provider_hook_and_links(told_by_airflow: Any) -> None:
    assert told_by_airflow["provider"] == "Truedy"
    assert told_by_airflow["hook"] == ["airflow_truedy.hooks.truedy.TruedyHook", "Truedy", "truedy_conn_id"]
    assert told_by_airflow["links"] == INFO["extra-links"]


@needs_airflow("3.2", "a form that takes no Flask AppBuilder")
def test_airflow_builds_the_form_from_it(told_by_airflow: Any) -> None:
    assert set(told_by_airflow["fields"]) == {f"extra__truedy__{name}" for name in CONN_FIELDS}
    assert not any("__" in name for name in CONN_FIELDS)
    for name, described in CONN_FIELDS.items():
        field, is_sensitive = told_by_airflow["fields"][f"extra__truedy__{name}"]
        assert field["schema"]["title"] == described["label"]
        assert field["description"] == described["description"]
        assert not is_sensitive


@needs_airflow("3.2", "a form that takes no Flask AppBuilder")
def test_airflow_relabels_and_hides_what_is_asked(told_by_airflow: Any) -> None:
    behaviour = told_by_airflow["behaviour"]
    assert behaviour["relabeling"] == {"host": "Base URL", "password": "API key"}
    assert set(behaviour["hidden_fields"]) >= {"schema", "login"}
    # The test button of Airflow 3.3.2 sends port 0 for a connection without one, and then refuses it itself.
    assert "port" not in behaviour["hidden_fields"]
    assert behaviour["placeholders"]["host"] == "https://api.truedy.ai/api/public/v1"


def test_every_field_of_the_form_is_read_by_the_hook() -> None:
    class Fields:
        conn_id, host, port, schema, password = "crm", None, None, None, "truedy_key"

    values = {
        "requests_per_minute": 7,
        "timeout": 8,
        "proxy": "http://proxy",
        "verify": "false",
        "settle": 4,
        "dry_run": True,
        "only_numbers": "+15555550100, +15555550101",
        "dashboard_url": "https://calls.test/{batch_call_id}",
    }
    settings = ClientSettings.read(Fields(), values)
    assert (settings.requests_per_minute, settings.timeout, settings.proxy, settings.verify) == (
        7,
        8,
        "http://proxy",
        False,
    )
    assert (settings.settle, settings.dry_run) == (4, True)
    assert settings.only_numbers == ("+15555550100", "+15555550101")
    assert settings.dashboard_url == "https://calls.test/{batch_call_id}"
    assert set(CONN_FIELDS) == set(values)


def test_reading_the_metadata_imports_nothing_heavy() -> None:
    program = "import sys, airflow_truedy.get_provider_info; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {name.split(".")[0] for name in ended.stdout.split()} & {"airflow", "httpx", "pydantic"}
