"""Try the package on several versions of Airflow and Python; `make matrix` runs this.

``nox -s matrix`` makes one environment for each pair below, installs the wheels there, runs the fast tests, then
``campaign_with_results`` in ``airflow standalone``. ``nox -s pins`` resolves the versions of libraries anew.
"""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ElementTree
from datetime import date
from pathlib import Path

import nox

ROOT = Path(__file__).parent
RESULTS = ROOT / ".cache" / "matrix"
PAIRS = [("3.0.6", "3.10"), ("3.1.8", "3.12"), ("3.2.2", "3.13"), ("3.3.2", "3.11")]
OLDEST = PAIRS[0]
#: Airflow allows newer versions of these than it works with. With PyJWT 2.15 or FastAPI 0.165 some do not start; with
#: universal-pathlib 0.3, 3.0 and 3.1 open no ObjectStoragePath; with SQLAlchemy 2.1, 3.2 is warned of its own models;
#: with svcs 26.2, every task of `dag.test()` fails on 3.2, which drops its API's lifespan and so loses the registry.
#: SQLAlchemy 1.4 is what 3.1 comes with.
CAPS = {
    "3.0.6": ["PyJWT<2.11", "fastapi<0.118", "cadwyn<5.7", "universal-pathlib<0.3"],
    "3.1.8": ["PyJWT<2.12", "fastapi<0.129", "SQLAlchemy<2", "universal-pathlib<0.3"],
    "3.2.2": ["PyJWT<2.13", "fastapi<0.137", "SQLAlchemy<2.1", "svcs<26.2"],
}
#: The fast tests that Airflow has a part in. The other rooms do not import it (tests/test_house.py).
AIRFLOW_FACE = ["hooks", "links", "notifications", "operators", "parameters", "sensors", "triggers", "ui"]
AIRFLOW_FACE += ["test_assets.py", "test_compat.py", "test_docs.py", "test_examples.py", "test_house.py"]
AIRFLOW_FACE += ["test_lineage.py", "test_mistakes.py", "test_tools.py"]

nox.options.sessions = ["matrix"]
nox.options.envdir = ".cache/nox"
nox.options.reuse_venv = "yes"


def find_pythons() -> None:
    """Put the Pythons that pyenv has before its shims, which offer the selected one only."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    folders = [str(folder) for _, python in PAIRS for folder in versions.glob(f"{python}.*/bin")]
    os.environ["PATH"] = os.pathsep.join([*folders, os.environ["PATH"]])


find_pythons()


def pins_of(airflow: str) -> Path:
    """Return the file of exact versions for an Airflow."""
    newest = airflow == PAIRS[-1][0]
    return ROOT / "constraints.txt" if newest else ROOT / "tools" / "pins" / f"airflow-{airflow}.txt"


def install(session: nox.Session, airflow: str) -> None:
    """Install both wheels and what the tests need beside an Airflow."""
    session.install("-c", str(pins_of(airflow)), f"apache-airflow=={airflow}", ".", "./sandbox", "--group", "test")


def run_tests(session: nox.Session, *arguments: str) -> dict[str, int]:
    """Run tests of the checkout; return how many there were, by outcome. What is behind ``--`` goes to pytest."""
    report = Path(session.create_tmp()) / "report.xml"
    options = session.posargs or ["-n", "2", "--dist", "worksteal"]
    session.run("python", "-m", "pytest", *arguments, *options, f"--junitxml={report}", "-p", "no:cacheprovider")
    suite = ElementTree.parse(report).getroot()[0]
    skipped = int(suite.attrib["skipped"])
    return {"passed": int(suite.attrib["tests"]) - skipped, "skipped": skipped}


@nox.session
@nox.parametrize(("airflow", "python"), PAIRS, ids=[airflow for airflow, _ in PAIRS])
def matrix(session: nox.Session, airflow: str) -> None:
    """Try one pair: the fast tests and a whole campaign."""
    install(session, airflow)
    counts = run_tests(session, "tests", "sandbox/tests", "--ignore=tests/integration")
    # Airflow's processes run in another folder, so they import the installed wheel.
    told = session.run("python", "-m", "tools.standalone", env={"PYTHONPATH": ""}, silent=True)
    row = {"airflow": airflow, "python": session.python, **counts, "campaign": str(told).strip().splitlines()[-1]}
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{airflow}.json").write_text(json.dumps({**row, "date": date.today().isoformat()}))


@nox.session(python=OLDEST[1])
def oldest(session: nox.Session) -> None:
    """Run the fast tests that Airflow has a part in on the oldest pair, as CI does."""
    install(session, OLDEST[0])
    run_tests(session, *(f"tests/{name}" for name in AIRFLOW_FACE))


@nox.session(python=False)
def table(session: nox.Session) -> None:
    """Print what each pair came to last, as docs/installation.md has it."""
    print("| Airflow | Python | fast tests | `campaign_with_results` in `airflow standalone` | tried |")
    print("| --- | --- | --- | --- | --- |")
    for airflow, _ in PAIRS:
        row = json.loads((RESULTS / f"{airflow}.json").read_text())
        tests = f"{row['passed']} passed, {row['skipped']} skipped"
        print(f"| {airflow} | {row['python']} | {tests} | {row['campaign']} | {row['date']} |")


@nox.session
@nox.parametrize(("airflow", "python"), PAIRS[:-1], ids=[airflow for airflow, _ in PAIRS[:-1]])
def pins(session: nox.Session, airflow: str) -> None:
    """Resolve the newest versions that work with an Airflow, and write them down; the newest has constraints.txt."""
    session.install(f"apache-airflow=={airflow}", *CAPS[airflow], ".", "./sandbox", "--group", "test")
    frozen = str(session.run("python", "-m", "pip", "freeze", silent=True))
    lines = [line for line in frozen.splitlines() if "==" in line]
    head = f"# Exact versions for Airflow {airflow} and Python {session.python}: `pip freeze` by `nox -s pins`."
    pins_of(airflow).write_text("\n".join([head, *lines]) + "\n")
