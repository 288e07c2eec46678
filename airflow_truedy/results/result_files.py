"""Results files: JSON Lines, CSV or Parquet, written whole or not at all, and read back row by row."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import tempfile
from contextlib import closing, contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from airflow_truedy.files.paths import publish
from airflow_truedy.formats import moment_of, utc_text
from airflow_truedy.results.columns import COLUMNS, ResultsError
from airflow_truedy.results.staging import Known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from airflow_truedy.results.staging import Spool

FORMATS = ("jsonl", "csv", "parquet")
_ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_ROWS_AT_ONCE = 5_000
_NUMBERS = ("duration_seconds", "cost_credits")
_BLOCK = 1 << 20
_LONGEST_CELL = 1 << 30


def format_of(name: str) -> str:
    """
    Return the format that a file's name says: ``.jsonl``, ``.csv`` (both also with ``.gz``) or ``.parquet``.

    :raises ResultsError: if it says none.
    """
    plain = name[: -len(".gz")] if name.endswith(".gz") else name
    found = _ENDINGS.get(Path(plain).suffix.lower())
    if found is None or (found == "parquet" and plain != name):
        raise ResultsError(
            f"The name of a results file ends in .jsonl, .csv (with .gz or not) or .parquet, not {name!r}."
        )
    return found


def write_results(spool: Spool, batch_call_id: str, to: Any) -> dict[str, Any]:
    """
    Write the rows of a spool to a file; it appears when it is complete. The same rows give the same bytes.

    :param to: a path or ``ObjectStoragePath``; its name says the format. What is there is replaced.
    :return: ``uri``, ``format``, ``sha256`` and ``size`` of the file.
    """
    kind = format_of(to.name)
    rows = ((batch_call_id, *row) for row in spool.rows())
    with tempfile.TemporaryDirectory(prefix="truedy-results-") as folder:
        local = Path(folder) / "results"
        if kind == "parquet":
            _write_parquet(rows, local)
        else:
            with _text_writer(local, compressed=to.name.endswith(".gz")) as file:
                (_write_csv if kind == "csv" else _write_jsonl)(rows, file)
        about = {"uri": str(to), "format": kind, "sha256": sha256_of(local), "size": local.stat().st_size}
        publish(local, to)
    return about


def read_results(path: Any) -> Iterator[dict[str, Any]]:
    """
    Yield the rows of a results file, one after the other, with the columns of :data:`~.results.COLUMNS`.

    :param path: a path or ``ObjectStoragePath``.
    :raises ResultsError: if it is not there or no results file.
    """
    kind = format_of(path.name)
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise ResultsError(f"The results file {path} is not there.") from None
    with closing(stream):
        rows = _read_parquet(stream) if kind == "parquet" else _read_text(stream, kind, path.name)
        for row in rows:
            if not row.get("contact_id"):
                raise ResultsError(f"{path} is no results file: a row has no contact_id.")
            yield row


def known_of(rows: Iterable[dict[str, Any]]) -> Iterator[Known]:
    """Yield what the rows of an earlier results file tell, so that it need not be read again."""
    for row in rows:
        transcript = row.get("transcript")
        yield Known(
            contact_id=row["contact_id"],
            call_status=row["call_status"],
            call_id=row["call_id"],
            duration_seconds=row["duration_seconds"],
            cost_credits=row["cost_credits"],
            details=row["details"],
            has_transcript=transcript is not None,
            summary=row["summary"],
            transcript=transcript if transcript is None or isinstance(transcript, str) else json.dumps(transcript),
        )


def sha256_of(path: Any) -> str:
    """Return the sha256 of a file, in hex."""
    digest = hashlib.sha256()
    with closing(path.open("rb")) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


# Writing


@contextmanager
def _text_writer(path: Path, *, compressed: bool) -> Iterator[IO[str]]:
    with path.open("wb") as raw:
        # No name and no time, so that the same rows give the same bytes.
        binary: Any = gzip.GzipFile("", "wb", 6, raw, mtime=0) if compressed else raw
        text = io.TextIOWrapper(binary, "utf-8", errors="backslashreplace", newline="", write_through=True)
        yield text
        text.flush()
        text.detach()
        if compressed:
            binary.close()


def _write_jsonl(rows: Iterable[tuple[Any, ...]], file: IO[str]) -> None:
    for row in rows:
        values = dict(zip(COLUMNS, row, strict=True))
        if values["transcript"] is not None:
            values["transcript"] = json.loads(values["transcript"])
        file.write(json.dumps(values, ensure_ascii=False) + "\n")


def _write_csv(rows: Iterable[tuple[Any, ...]], file: IO[str]) -> None:
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows(rows)


def _write_parquet(rows: Iterable[tuple[Any, ...]], path: Path) -> None:
    arrow, parquet = _pyarrow()
    kinds = {"called_at": arrow.timestamp("us", tz="UTC"), **dict.fromkeys(_NUMBERS, arrow.float64())}
    schema = arrow.schema([(name, kinds.get(name, arrow.string())) for name in COLUMNS])
    with parquet.ParquetWriter(path, schema) as writer:
        while piece := list(islice(rows, _ROWS_AT_ONCE)):
            columns = dict(zip(COLUMNS, map(list, zip(*piece, strict=True)), strict=True))
            columns["called_at"] = [_moment(text) for text in columns["called_at"]]
            writer.write_table(arrow.table(columns, schema=schema))


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moment_of(text)


def _pyarrow() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise ResultsError("Parquet needs pyarrow: pip install pyarrow.") from None


# Reading


def _read_text(stream: IO[bytes], kind: str, name: str) -> Iterator[dict[str, Any]]:
    binary: Any = gzip.GzipFile(fileobj=stream) if name.endswith(".gz") else stream
    text = io.TextIOWrapper(binary, "utf-8", newline="")
    if kind == "jsonl":
        yield from map(json.loads, text)
        return
    for row in _csv_rows(text):
        values: dict[str, Any] = {column: value or None for column, value in row.items()}
        for column in _NUMBERS:
            if values.get(column) is not None:
                values[column] = float(values[column])
        yield values


def _csv_rows(text: IO[str]) -> Iterator[dict[str, Any]]:
    reader = csv.DictReader(text)
    while row := _next_row(reader):
        yield row


def _next_row(reader: csv.DictReader[str]) -> dict[str, Any] | None:
    # A long talk is longer than the csv module takes. Its limit is that of the process, so it is put back at once.
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        return next(reader, None)
    finally:
        csv.field_size_limit(limit)


def _read_parquet(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    _, parquet = _pyarrow()
    for piece in parquet.ParquetFile(stream).iter_batches(_ROWS_AT_ONCE):
        for row in piece.to_pylist():
            if row.get("called_at") is not None:
                row["called_at"] = utc_text(row["called_at"], fraction=True)
            yield row
