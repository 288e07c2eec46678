from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_truedy.files.paths import publish


@pytest.fixture(params=["object store", "local disk"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A place where a good file is already."""
    folder = UPath("memory://published") if request.param == "object store" else tmp_path / "lists"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "people.jsonl.gz").write_bytes(b"good")
    yield folder / "people.jsonl.gz"
    if request.param == "object store":
        folder.fs.rm("/published", recursive=True)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / "spool").write_bytes(b"new and whole")
    return tmp_path / "spool"


def files_beside(target: Any) -> list[str]:
    return [path.name for path in target.parent.iterdir()]


def test_what_is_there_is_replaced(spool: Path, target: Any) -> None:
    publish(spool, target)
    assert target.read_bytes() == b"new and whole"
    assert files_beside(target) == ["people.jsonl.gz"]


def test_what_is_there_survives_a_copy_that_breaks(spool: Path, target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any, to: Any, *__: Any) -> None:
        to.write(b"new and")
        raise ConnectionError("the store went away")

    monkeypatch.setattr(shutil, "copyfileobj", broken)
    with pytest.raises(ConnectionError, match="went away"):
        publish(spool, target)
    assert target.read_bytes() == b"good"
    assert files_beside(target) == ["people.jsonl.gz"]


def test_what_is_there_survives_a_move_that_breaks(spool: Path, monkeypatch: pytest.MonkeyPatch, target: Any) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError("no right to move")

    owner, move = (type(target.fs), "cp_file") if isinstance(target, UPath) else (Path, "replace")
    monkeypatch.setattr(owner, move, refused)
    with pytest.raises(PermissionError):
        publish(spool, target)
    assert target.read_bytes() == b"good"
    assert files_beside(target) == ["people.jsonl.gz"]


def test_a_store_without_the_right_to_delete_keeps_the_part_and_says_so(
    spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    target = UPath("memory://published/[week 1]/people.jsonl.gz")

    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError("no right to delete")

    monkeypatch.setattr(type(target.fs), "rm_file", refused)
    publish(spool, target)
    assert target.read_bytes() == spool.read_bytes()
    assert "could not be removed (PermissionError)" in caplog.text
