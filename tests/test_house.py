"""The rules of the house: who may import whom, and what importing an operator costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import airflow_truedy

PACKAGE = Path(airflow_truedy.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py"))
REPOSITORY = PACKAGE.parent
# The distributions and folders with Python files, by the name under which they are imported.
TREES = {
    "airflow_truedy": PACKAGE,
    "truedy_sandbox": REPOSITORY / "sandbox" / "truedy_sandbox",
    "tools": REPOSITORY / "tools",
    "benchmarks": REPOSITORY / "benchmarks",
    "tests": REPOSITORY / "tests",
    "dags_examples": REPOSITORY / "dags_examples",
}
# Rooms whose rules are run without Airflow, and what of the package each may import beside itself. What is not named
# here is the Airflow face, which may import all of them; compat is its leaf.
_LEAVES = {"extras", "formats", "masking", "zone_data", "__init__"}
_MIDDLE = _LEAVES | {"files", "api", "contacts", "calling_hours"}
FRAMEWORK_FREE = {
    "extras": {"__init__"},
    "formats": {"__init__"},
    "masking": {"formats", "__init__"},
    "zone_data": {"__init__"},
    "files": _LEAVES,
    "api": _LEAVES,
    "contacts": _LEAVES | {"files", "calling_hours"},
    "calling_hours": _LEAVES | {"files"},
    "campaigns": _MIDDLE,
    "monitoring": _MIDDLE | {"campaigns"},
    "results": _MIDDLE | {"campaigns"},
}
ROOMS = [room for room in FRAMEWORK_FREE if (PACKAGE / room).exists() or (PACKAGE / f"{room}.py").exists()]


def room_of(path: Path) -> str:
    """The first name below the package: a folder, or a module at its root."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports anywhere, also inside functions and for type checking only."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "import_module",
            "importlib.import_module",
            "__import__",
        ):
            named = node.args[0] if node.args else None
            if isinstance(named, ast.Constant):
                yield str(named.value), node.lineno


def broken_imports(path: Path) -> list[str]:
    room = room_of(path)
    allowed = FRAMEWORK_FREE[room] | {room}
    broken = []
    for name, line in imports_of(path):
        top, _, rest = name.partition(".")
        inner = rest.split(".")[0]
        is_ours = top == "airflow_truedy"
        known = inner if (PACKAGE / inner).exists() or (PACKAGE / f"{inner}.py").exists() else "__init__"
        if top == "airflow" or (is_ours and known not in allowed):
            broken.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    return broken


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_one_way(room: str) -> None:
    files = [path for path in FILES if room_of(path) == room]
    assert files
    assert [each for path in files for each in broken_imports(path)] == []


def test_the_check_would_see_a_wrong_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "api").mkdir()
    (tmp_path / "contacts").mkdir()
    file = tmp_path / "api" / "x.py"
    file.write_text("def f():\n    from airflow_truedy.contacts import lists\n    import airflow.sdk\n")
    assert broken_imports(file) == [
        "api/x.py:2 imports airflow_truedy.contacts.lists",
        "api/x.py:3 imports airflow.sdk",
    ]


def test_the_leaf_of_the_airflow_face_imports_nothing_of_the_package() -> None:
    ours = [name for name, _ in imports_of(PACKAGE / "compat.py") if name.startswith("airflow_truedy")]
    assert ours == []


def test_parameters_do_not_know_who_takes_them() -> None:
    takers = ("operators", "sensors", "triggers", "ui", "links", "notifications")
    files = [path for path in FILES if room_of(path) == "parameters"]
    assert files
    assert [
        name for path in files for name, _ in imports_of(path) if name.split(".")[1:2] and name.split(".")[1] in takers
    ] == []


def test_the_sandbox_and_the_provider_do_not_know_each_other() -> None:
    """Tests, tools and benchmarks bring them together; nothing that a user installs on a worker does."""

    def importing(tree: str, other: str) -> list[str]:
        files = TREES[tree].rglob("*.py")
        return [str(file) for file in files for name, _ in imports_of(file) if name.split(".")[0] == other]

    assert importing("airflow_truedy", "truedy_sandbox") == []
    assert importing("dags_examples", "truedy_sandbox") == []
    assert importing("truedy_sandbox", "airflow_truedy") == []


def modules_by_name() -> dict[str, Path]:
    found = {}
    for top, folder in TREES.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join([top, *parts]).removesuffix(".__init__")] = path
    return found


def test_no_circle_of_imports_anywhere() -> None:
    """Imports inside functions and for type checking count too: who reads a module must not have to read itself."""
    modules = modules_by_name()
    graph = {}
    for name, path in modules.items():
        known = (each if each in modules else each.rpartition(".")[0] for each, _ in imports_of(path))
        graph[name] = {each for each in known if each in modules and each != name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(f"a circle of imports: {' <- '.join(circle.args[1])}")


def test_the_http_library_is_imported_in_one_module_of_the_client_side() -> None:
    where = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        for name, _ in imports_of(path)
        if name.split(".")[0] in ("httpx", "requests", "aiohttp", "urllib3")
    }
    assert where == {"api/client.py"}


def modules_after(*statements: str) -> set[str]:
    program = "; ".join(["import sys", *statements, "print(*sys.modules)"])
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


# The base of ApprovePlanOperator is Airflow's own and loads what it needs, on 3.0 before it fails to load.
APPROVAL = "airflow.providers.standard.operators.hitl"
_LOADED_BY_EACH = """
import importlib, os, sys
import airflow.sdk
there = set(sys.modules)
for module in sys.argv[1:]:
    if not os.fork():
        try:
            importlib.import_module(module)
        finally:
            print(module, *set(sys.modules) - there, flush=True)
            os._exit(0)
    os.wait()
"""


def public_modules() -> list[str]:
    from airflow_truedy.get_provider_info import get_provider_info

    info = get_provider_info()
    kinds = ("operators", "sensors")
    return [module for kind in kinds for entry in info.get(kind, []) for module in entry["python-modules"]]


@pytest.fixture(scope="module")
def loaded_by() -> dict[str, set[str]]:
    """What each module loads beyond ``airflow.sdk``; one process loads that, and forks for each."""
    command = [sys.executable, "-c", _LOADED_BY_EACH, *public_modules(), APPROVAL]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {module: set(loaded) for module, *loaded in map(str.split, lines)}


@pytest.mark.parametrize("module", public_modules())
def test_parsing_a_dag_loads_nothing_heavy(module: str, loaded_by: dict[str, set[str]]) -> None:
    loaded = loaded_by[module]
    if module == "airflow_truedy.operators.approvals":
        loaded = loaded - loaded_by[APPROVAL]
    else:
        assert APPROVAL not in loaded
    assert module in loaded
    heavy = {"httpx", "pydantic", "phonenumbers", "pendulum", "fastapi", "uvicorn", "pyarrow", "sqlalchemy", "tenacity"}
    assert {name.split(".")[0] for name in loaded} & heavy == set()


def test_the_operators_of_batch_calls_load_no_client_and_no_models() -> None:
    loaded = modules_after("import airflow.sdk", "import airflow_truedy.operators.batch_calls")
    heavy = ("api.client", "api.models", "hooks.truedy")
    assert not [name for name in loaded if name.startswith(tuple(f"airflow_truedy.{each}" for each in heavy))]


def test_what_every_process_of_airflow_imports_loads_nothing_else() -> None:
    """Airflow reads the provider's description in every process; what its plugin adds is in tests/ui/test_plugin.py."""
    loaded = modules_after("import airflow_truedy.get_provider_info")
    ours = {name for name in loaded if name.startswith("airflow_truedy.")}
    assert ours == {"airflow_truedy.get_provider_info", "airflow_truedy.connection_form"}
    assert {name.split(".")[0] for name in loaded} & {
        "httpx",
        "pydantic",
        "fastapi",
        "phonenumbers",
        "pendulum",
    } == set()
