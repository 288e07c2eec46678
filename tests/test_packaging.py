"""Check that each distribution declares what it imports."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_truedy.extras import EXTRAS, missing
from tests.documents import ROOT

#: The distribution of a module whose name differs from it.
DISTRIBUTIONS = {
    "airflow": "apache-airflow",
    "pydantic_core": "pydantic",  # which pins it
    "yaml": "pyyaml",
}
PROVIDERS = re.compile(r"airflow\.providers\.(\w+)(?:\.(compat|sql)\b)?")


def imported_modules(folder: Path) -> Iterator[str]:
    """Yield the full name of every module that is imported anywhere in a package."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module


def distribution_of(module: str) -> str | None:
    """Return the name of the distribution of a module; ``None`` for Python's own."""
    top = module.split(".")[0]
    if top in sys.stdlib_module_names:
        return None
    if found := PROVIDERS.match(module):
        return "-".join(part for part in ("apache-airflow-providers", *found.groups()) if part)
    return DISTRIBUTIONS.get(top, top.replace("_", "-"))


def test_the_libraries_that_errors_name_are_those_of_the_extras() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.split("[project.optional-dependencies]")[1].split("\n[")[0]
    declared = {
        library: extra
        for extra, listed in re.findall(r"^([\w-]+) = \[(.*)\]$", section, re.MULTILINE)
        for library in re.findall(r'"([\w-]+)[>=]', listed)
    }
    assert declared == EXTRAS
    assert missing("Reading Parquet", "pyarrow").startswith("Reading Parquet needs pyarrow: pip install pyarrow (")


def test_nothing_says_to_install_this_package_from_an_index() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "airflow_truedy").rglob("*.py")]
    # The page of a package index is read where the package is on one.
    pages.remove(ROOT / "docs" / "package-page.md")
    found = [page for page in pages if re.search(r"pip install [^\n]*airflow-provider-truedy", page.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize(("package", "project"), [("airflow_truedy", "."), ("sandbox/truedy_sandbox", "sandbox")])
def test_every_imported_package_is_declared(package: str, project: str) -> None:
    text = (ROOT / project / "pyproject.toml").read_text(encoding="utf-8")
    metadata = text.split("[dependency-groups]")[0]
    declared = {
        name.lower() for name in re.findall(r'^\s*(?:\w+ = \[)?"([A-Za-z0-9-]+)[><=\[]', metadata, re.MULTILINE)
    }
    own = Path(package).name
    imported = {distribution_of(module) for module in imported_modules(ROOT / package) if module.split(".")[0] != own}
    assert imported - {None} - declared == set()
