"""Files in the making: staged on local disk, published whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import tempfile
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_truedy.extras import missing
from airflow_truedy.files.errors import RowsFileError
from airflow_truedy.files.formats import format_of
from airflow_truedy.files.paths import create_private, digest_of, publish
from airflow_truedy.formats import moment_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

_ROWS_AT_ONCE = 5_000
_BLOCK = 1 << 16
#: A spreadsheet runs what begins like this as a formula; a plain number is harmless and stays as it is.
_is_formula = re.compile(r"'*[=+\-@\t\r](?!\d+(\.\d+)?$)").match


class Written(NamedTuple):
    """A file that was written: its address, format, sha256 in hex, size in bytes, and number of rows."""

    uri: str
    format: str
    sha256: str
    size: int
    rows: int


def write_rows(
    rows: Iterable[Mapping[str, Any]],
    to: Any,
    *,
    columns: Sequence[str],
    format: str | None = None,
    types: Mapping[str, str] | None = None,
) -> Written:
    """
    Write rows to a file; it appears when it is complete. The same rows give the same bytes.

    In CSV, a list or object is JSON, ``None`` is empty, and a cell that a spreadsheet would take for a formula
    (``=``, ``+``, ``-`` or ``@`` in front, unless it is a plain number such as ``+12125550100``) gets ``'`` in front;
    ``read_rows(..., escaped=True)`` takes it off again.

    :param rows: mappings; a column that one lacks is empty.
    :param to: a path or ``ObjectStoragePath``. What is there is replaced.
    :param columns: the columns, in their order; others are not written.
    :param format: ``"jsonl"``, ``"csv"`` (both gzipped if the name ends in ``.gz``) or ``"parquet"``. Default: by the
        name's ending.
    :param types: of Parquet columns: ``"number"``, ``"truth"``, ``"time"`` (ISO 8601 text or datetimes, kept in UTC) or
        ``"text"``, which is the default.
    :raises RowsFileError: the name says no format that can be written, or pyarrow is missing.
    """
    kind = format or format_of(to.name)
    is_packed = to.name.lower().endswith(".gz")
    if kind not in _WRITERS or (is_packed and kind == "parquet"):
        raise RowsFileError(
            f"The name of a file to write ends in .jsonl, .csv (with .gz or not) or .parquet: {to.name!r}"
        )
    with tempfile.TemporaryDirectory(prefix="truedy-") as folder:
        staged = Path(folder) / "rows"
        if kind == "parquet":
            count = _write_parquet(rows, staged, columns, types or {})
            digest: Any = digest_of(staged)
        else:
            digest = StagedFile(staged, level=6 if is_packed else None)
            count = _write_text(_WRITERS[kind](rows, columns), digest)
        publish(staged, to)
    return Written(str(to), kind, digest.sha256, digest.size, count)


class StagedFile:
    """
    A local file in the making, readable for its owner only.

    :param path: the local file to make.
    :param level: of gzip compression, 1 to 9; ``None``: none. The same content gives the same bytes.
    :ivar sha256: of the bytes of the finished file, in hex; ``size`` is their number.
    """

    def __init__(self, path: Path, level: int | None = None) -> None:
        self._path, self._file = path, create_private(path)
        # No name and no time in it, so that the same content gives the same bytes.
        self._gzip = None if level is None else gzip.GzipFile("", "wb", level, self._file, mtime=0)
        self.write = (self._gzip or self._file).write

    def close(self) -> None:
        """Finish the file."""
        if self._gzip is not None:
            self._gzip.close()
        self._file.close()
        self.sha256, self.size = digest_of(self._path)


def escaped(cell: str) -> str:
    """Return a CSV cell with ``'`` in front if a spreadsheet would take it for a formula."""
    return f"'{cell}" if _is_formula(cell) else cell


def cell_of(value: Any) -> str:
    """Return a plain value as a CSV cell: nothing for ``None``, JSON for lists and objects, escaped where needed."""
    if value is None:
        return ""
    if isinstance(value, (dict, list, bool)):
        return escaped(_json(value))
    return escaped(value if isinstance(value, str) else str(value))


def _write_text(lines: Iterator[tuple[int, str]], file: StagedFile) -> int:
    count = 0
    try:
        while block := list(islice(lines, _ROWS_AT_ONCE)):
            count += sum(rows for rows, _ in block)
            file.write("".join(line for _, line in block).encode("utf-8", "backslashreplace"))
    finally:
        file.close()
    return count


def _jsonl_lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[tuple[int, str]]:
    for row in rows:
        yield 1, _json({name: row.get(name) for name in columns}) + "\n"


def _csv_lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[tuple[int, str]]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)

    def line(cells: Iterable[str]) -> str:
        buffer.seek(0)
        buffer.truncate()
        # Before Python 3.11 the csv module cannot write a NUL.
        writer.writerow([cell.replace("\0", "\\0") for cell in cells])
        return buffer.getvalue()

    yield 0, line(map(escaped, columns))
    for row in rows:
        yield 1, line(cell_of(row.get(name)) for name in columns)


_WRITERS: dict[str, Any] = {"jsonl": _jsonl_lines, "csv": _csv_lines, "parquet": None}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _write_parquet(
    rows: Iterable[Mapping[str, Any]], path: Path, columns: Sequence[str], types: Mapping[str, str]
) -> int:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise RowsFileError(missing("Writing Parquet", "pyarrow")) from None
    kinds = {
        "number": arrow.float64(),
        "truth": arrow.bool_(),
        "time": arrow.timestamp("us", tz="UTC"),
        "text": arrow.string(),
    }
    readers = {"number": _number, "truth": lambda value: value, "time": _moment, "text": _text}
    named = {name: types.get(name, "text") for name in columns}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in named.items()])
    count, iterator = 0, iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while piece := list(islice(iterator, _ROWS_AT_ONCE)):
            values = {name: [readers[kind](row.get(name)) for row in piece] for name, kind in named.items()}
            writer.write_table(arrow.table(values, schema=schema))
            count += len(piece)
    path.chmod(0o600)
    return count


def _number(value: Any) -> float | None:
    return None if value is None or value == "" else float(value)


def _moment(value: Any) -> datetime | None:
    return moment_of(value) if isinstance(value, str) else value


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _json(value)
