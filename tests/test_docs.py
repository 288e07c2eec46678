"""Try what the documents say: links, commands, snippets and names."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from pkgutil import walk_packages

import pytest
from airflow.providers.common.compat.sdk import BaseHook

import airflow_truedy
from airflow_truedy.campaigns import errors as campaign_errors
from airflow_truedy.campaigns.timing import instant_of
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.hooks import settings
from tests.documents import CONTRADICTIONS, DOCUMENTS, ROOT, blocks, first_dag, links

NAMES = [document.name for document in DOCUMENTS]
TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
CONNECTION_DOCUMENTS = [document for document in DOCUMENTS if document.name != "package-page.md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_link_inside_the_repository_leads_somewhere(document: Path) -> None:
    inside = [link for link in links(document) if not link.startswith(("http://", "https://", "#"))]
    assert [link for link in inside if not (document.parent / link.split("#")[0]).exists()] == []


def slugs(document: Path) -> set[str]:
    """Return the anchors of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_link_to_a_heading_leads_to_one(document: Path) -> None:
    for link in links(document):
        path, hash_sign, anchor = link.partition("#")
        if hash_sign and "://" not in link:
            assert anchor in slugs(document.parent / path if path else document), link


def test_the_text_of_the_package_page_has_no_link_into_the_repository() -> None:
    (page,) = re.findall(r'^readme = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    found = links(ROOT / page)
    assert found
    assert [link for link in found if not link.startswith("https://")] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"`(?:[A-Z]+=\S+ )?make ([a-z-]+)", document.read_text(encoding="utf-8"))
    named += [line.split()[1] for text in blocks(document, "bash") for line in text.splitlines() if line[:5] == "make "]
    assert set(named) <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_python_block_is_python(document: Path) -> None:
    for text in blocks(document, "python"):
        ast.parse(text)


def test_the_first_dag_has_under_25_lines() -> None:
    assert len(first_dag().splitlines()) < 25


def test_every_connection_in_the_documents_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [
        match[1]
        for document in CONNECTION_DOCUMENTS
        for text in blocks(document, "bash")
        for match in re.finditer(r"^export AIRFLOW_CONN_TRUEDY_DEFAULT='(.*)'$", text, re.MULTILINE)
    ]
    assert len(values) >= 6
    for value in values:
        # As a task finds it: Airflow 3.0 cannot make a connection of JSON itself.
        monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", value)
        connection = BaseHook.get_connection("truedy_default")
        read = settings.ClientSettings.read(connection, connection.extra_dejson)
        assert connection.conn_type == "truedy"
        assert read.base_url in ("https://api.truedy.ai/api/public/v1", "http://127.0.0.1:8765/api/public/v1")


def test_the_error_at_a_clock_change_reads_as_in_the_document() -> None:
    (printed,) = blocks(ROOT / "docs" / "time-zones.md", "text")
    with pytest.raises(campaign_errors.TimingError) as caught:
        instant_of("2026-11-01T01:30", "America/New_York")
    assert " ".join(printed.split()) == str(caught.value)


def test_the_preview_command_of_the_documents_runs() -> None:
    (command,) = [text.strip() for text in blocks(ROOT / "docs" / "contacts.md", "bash")]
    program, *arguments = command.split()
    assert program == "python"
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "378 rows read" in done.stdout


def test_the_button_that_moves_the_clock_is_on_the_sandboxes_page() -> None:
    page = (ROOT / "sandbox" / "truedy_sandbox" / "page.html").read_text(encoding="utf-8")
    assert '<button data-advance="86400">+1 day</button>' in page
    for path in ("README.md", "docs/sandbox.md", "tools/run_airflow.py"):
        assert "+1 day" in (ROOT / path).read_text(encoding="utf-8"), path


def test_every_operator_in_the_readme_exists() -> None:
    table = re.findall(r"^\| (`[a-z_.]+\.[A-Za-z_]+`.*?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(table) >= 12
    for cell in table:
        first, *others = re.findall(r"`([\w.]+)`", cell)
        module, _, name = first.rpartition(".")
        for each in (name, *others):
            assert hasattr(import_module(f"airflow_truedy.{module}"), each), each


def errors_of_the_package() -> dict[str, type[Exception]]:
    """Return every public error class that a task can end with."""
    names = [found.name for found in walk_packages(airflow_truedy.__path__, "airflow_truedy.")]
    return {
        name: value
        for module in names
        if not module.endswith("__main__")
        for name, value in vars(import_module(module)).items()
        if name.endswith("Error") and name[0] != "_" and getattr(value, "__module__", "") == module
    }


ERRORS = errors_of_the_package()
# Base classes that are never raised, and one error that becomes the reason of a rejected row.
NEVER_SEEN = {"CallingHoursError", "FileError", "TruedyError", "CampaignError", "UnreadableTextError", "NotOfKindError"}


def test_every_error_in_troubleshooting_exists_and_is_retried_as_it_says() -> None:
    automatically = TROUBLESHOOTING.split("## Retried automatically")[1].split("\n## ")[0]
    for text, retried in ((TROUBLESHOOTING.replace(automatically, ""), False), (automatically, True)):
        for line in text.splitlines():
            if line.startswith("| `"):
                for name in re.findall(r"`(\w+Error)`", line.split("|")[1]):
                    expected = retried or "retried" in line or name == "MissingFileError"
                    assert getattr(ERRORS[name], "retryable", False) is expected, name


def test_every_error_that_a_task_can_end_with_is_in_troubleshooting() -> None:
    rows = [line.split("|")[1] for line in TROUBLESHOOTING.splitlines() if line.startswith("| `")]
    listed = set(re.findall(r"`(\w+Error)`", " ".join(rows)))
    assert set(ERRORS) - NEVER_SEEN - listed == set()


def test_every_reason_is_in_the_document_of_contacts() -> None:
    table = (ROOT / "docs" / "contacts.md").read_text(encoding="utf-8")
    assert [reason.value for reason in Reason if f"`{reason.value}`" not in table] == []


CODE = ("airflow_truedy", "sandbox", "tools", "benchmarks", "dags_examples", "tests", "docs")


def test_every_contradiction_has_an_id_of_its_own() -> None:
    ids = re.findall(r"^\| ([CU]-\d\d) \|", CONTRADICTIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(ids) > 60
    assert sorted(ids) == sorted(set(ids))


def test_every_contradiction_that_is_cited_is_in_the_document() -> None:
    known = set(re.findall(r"^\| ([CU]-\d\d) \|", CONTRADICTIONS.read_text(encoding="utf-8"), re.MULTILINE))
    for folder in CODE:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".html"):
                cited = set(re.findall(r"\b[CU]-\d\d\b", path.read_text(encoding="utf-8")))
                assert cited <= known, path


def test_the_openapi_document_is_what_the_sandbox_serves() -> None:
    pinned = re.search(r"^fastapi==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    if pinned is None or pinned[1] != version("fastapi"):
        pytest.skip("another FastAPI than the pinned one writes the document differently")
    served = subprocess.run(
        [sys.executable, "-m", "truedy_sandbox", "--openapi"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    document = ROOT / "docs" / "dev" / "truedy-sandbox.openapi.json"
    assert document.read_text(encoding="utf-8") == served.stdout, (
        f"run: python -m truedy_sandbox --openapi > {document.relative_to(ROOT)}"
    )


def test_the_table_of_results_is_described_as_it_is_created() -> None:
    from airflow_truedy.results.columns import COLUMNS
    from airflow_truedy.results.table import create_statement

    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert create_statement("call_results") in page
    rows = re.findall(r"^\| (`.*?) \|", page.split("## Complete")[0], re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(COLUMNS)
