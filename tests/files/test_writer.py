from __future__ import annotations

import csv
import gzip
import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.files.errors import RowsFileError
from airflow_truedy.files.reader import read_rows
from airflow_truedy.files.writer import StagedFile, cell_of, write_rows

COLUMNS = ("id", "phone_number", "seconds", "called_at", "talk", "note")
TYPES = {"seconds": "number", "called_at": "time"}
ROWS: list[dict[str, Any]] = [
    {
        "id": "1",
        "phone_number": "+12125550100",
        "seconds": 1.5,
        "called_at": "2026-06-01T13:15:00.250000Z",
        "talk": [{"text": "Hello,\nÅnn"}],
        "note": "=1+1",
    },
    {"id": "2", "note": 'Ann "Q"', "not written": "x"},
]
NAMES = ["rows.jsonl", "rows.jsonl.gz", "rows.csv", "rows.csv.gz", "rows.parquet"]


@pytest.mark.parametrize("name", NAMES)
def test_rows_come_back_as_they_were_written(tmp_path: Path, name: str) -> None:
    written = write_rows(ROWS, tmp_path / name, columns=COLUMNS, types=TYPES)
    assert (written.uri, written.rows) == (str(tmp_path / name), 2)
    first, second = read_rows(tmp_path / name, escaped=True)
    assert list(first) == list(COLUMNS)
    assert (first["id"], first["phone_number"], first["note"]) == ("1", "+12125550100", "=1+1")
    assert float(first["seconds"]) == 1.5
    talk = first["talk"]
    assert (json.loads(talk) if isinstance(talk, str) else talk) == ROWS[0]["talk"]
    assert str(first["called_at"]).startswith("2026-06-01")
    assert second["note"] == 'Ann "Q"'
    assert not second["talk"]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_rows_give_the_same_bytes_and_their_digest(tmp_path: Path, name: str) -> None:
    first = write_rows(iter(ROWS), tmp_path / name, columns=COLUMNS, types=TYPES)
    content = (tmp_path / name).read_bytes()
    assert write_rows(iter(ROWS), tmp_path / name, columns=COLUMNS, types=TYPES) == first
    assert (first.sha256, first.size) == (hashlib.sha256(content).hexdigest(), len(content))


def test_a_file_that_cannot_be_finished_leaves_the_earlier_one(tmp_path: Path) -> None:
    to = tmp_path / "rows.jsonl"
    write_rows(ROWS, to, columns=COLUMNS)
    before = to.read_bytes()

    def broken() -> Iterator[dict[str, Any]]:
        yield ROWS[0]
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_rows(broken(), to, columns=COLUMNS)
    assert to.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize("name", ["rows.txt.zip", "rows", "rows.parquet.gz", "rows.xlsx"])
def test_a_name_that_says_no_format_to_write_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RowsFileError, match=r"\.jsonl"):
        write_rows(ROWS, tmp_path / name, columns=COLUMNS)


@pytest.mark.parametrize("name", NAMES)
def test_files_are_for_their_owner_only_and_so_are_new_folders(tmp_path: Path, name: str) -> None:
    to = tmp_path / "new" / "newer" / name
    write_rows(ROWS, to, columns=COLUMNS, types=TYPES)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (to, to.parent, to.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=SUM(A1)", "'=SUM(A1)"),
        ("+49 30 1", "'+49 30 1"),
        ("@x", "'@x"),
        ("-1+1", "'-1+1"),
        ("\t=1", "'\t=1"),
        ("+12125550100", "+12125550100"),
        ("-12.5", "-12.5"),
        (-12.5, "-12.5"),
        ("Ann - Bob", "Ann - Bob"),
        (None, ""),
        (True, "true"),
        ({"a": None}, '{"a": null}'),
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_is_escaped(value: Any, cell: str) -> None:
    assert cell_of(value) == cell


@given(cells=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1), min_size=1))
def test_every_cell_comes_back_from_its_escape(cells: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    to = tmp_path_factory.mktemp("cells") / "rows.csv"
    write_rows([{"id": "1", "cell": cell} for cell in cells], to, columns=("id", "cell"))
    rows = read_rows(to, encoding="utf-8", delimiter=",", nulls=frozenset(), escaped=True)
    assert [row["cell"] for row in rows] == cells
    with to.open(encoding="utf-8", newline="") as file:
        shown = [row[1] for row in csv.reader(file)][1:]
    assert not [cell for cell in shown if cell[:1] in "=@\t" or (cell[:1] in "+-" and not cell[1:2].isdigit())]


@pytest.mark.parametrize("level", [None, 1])
def test_a_staged_file_knows_what_was_written_to_it(tmp_path: Path, level: int | None) -> None:
    file = StagedFile(tmp_path / "staged", level)
    file.write(b"one")
    file.write(b"two")
    file.close()
    content = (tmp_path / "staged").read_bytes()
    assert (gzip.decompress(content) if level else content) == b"onetwo"
    assert (file.sha256, file.size) == (hashlib.sha256(content).hexdigest(), len(content))
