"""Merge what pip resolved on each Python into ``constraints.txt``, for ``make constraints``.

Reads one report of ``pip install --dry-run --report`` per Python. Writes one line per package; where the Pythons
differ, one line per version with an environment marker.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

OUR_OWN = {"airflow-provider-truedy", "truedy-sandbox"}
HEADER = """\
# Exact versions for development and CI, Python 3.10 to 3.13. Made by `make constraints`; not edited by hand.
"""


def read_report(path: Path) -> tuple[tuple[int, int], dict[str, str]]:
    """Return the Python of a pip report, and a version for each package."""
    report = json.loads(path.read_text())
    major, minor = report["environment"]["python_version"].split(".")
    packages = {}
    for item in report["install"]:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        if name not in OUR_OWN:
            packages[name] = item["metadata"]["version"]
    return (int(major), int(minor)), packages


def marker(pythons: list[tuple[int, int]], every: list[tuple[int, int]]) -> str:
    """Return an environment marker for the Pythons that take a version; empty if all of them do."""
    if pythons == every:
        return ""
    parts = []
    if pythons[0] != every[0]:
        parts.append(f'python_version >= "{pythons[0][0]}.{pythons[0][1]}"')
    if pythons[-1] != every[-1]:
        following = every[every.index(pythons[-1]) + 1]
        parts.append(f'python_version < "{following[0]}.{following[1]}"')
    return " ; " + " and ".join(parts)


def merge(reports: dict[tuple[int, int], dict[str, str]]) -> list[str]:
    """Return the constraint lines, sorted by package."""
    by_package: dict[str, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for python in sorted(reports):
        for name, version in reports[python].items():
            by_package[name][version].append(python)
    lines = []
    for name in sorted(by_package):
        # Only the Pythons that need the package count: a constraint by itself installs nothing.
        every = sorted(python for pythons in by_package[name].values() for python in pythons)
        for version, pythons in by_package[name].items():
            lines.append(f"{name}=={version}{marker(pythons, every)}")
    return lines


if __name__ == "__main__":
    found = dict(read_report(Path(argument)) for argument in sys.argv[1:])
    sys.stdout.write(HEADER + "\n".join(merge(found)) + "\n")
