from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_truedy.files.paths import local_path


class OldStorePath(type(Path())):  # type: ignore[misc]
    """A path as universal-pathlib before 0.3 makes it (Airflow 3.0 and 3.1): a ``Path``, wherever it lies."""

    protocol = "s3"


class LocalStorePath:
    protocol = "file"
    path = "/data/people.csv"


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/data/people.csv", Path("/data/people.csv")),
        ("file:///data/new%20people.csv", Path("/data/new people.csv")),
        ("s3://bucket/people.csv", None),
        (Path("/data/people.csv"), Path("/data/people.csv")),
        (LocalStorePath(), Path("/data/people.csv")),
        (OldStorePath("bucket/people.csv"), None),
    ],
)
def test_what_lies_on_this_machine(path: Any, local: Path | None) -> None:
    assert local_path(path) == local
