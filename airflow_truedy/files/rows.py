"""Rows from files: CSV, JSON Lines (both also with gzip) and Parquet, one row at a time."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Mapping
from contextlib import closing
from importlib import import_module
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from airflow_truedy.files.errors import RowsFileError
from airflow_truedy.files.paths import open_binary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Row = Mapping[str, Any]

_ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
FORMATS = ("csv", "jsonl", "parquet")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_LINES = 50
_BLOCK = 1 << 20
_DIGITS_OF_A_NUMBER = 7
_find_email = re.compile(r"\S@\S+\.\S").search
#: The line by which Excel is told how a file is divided.
_is_sep_line = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE).fullmatch
_BATCH = 1_000


class BrokenRow(dict[str, Any]):
    """
    A row which its file did not hold properly: cells do not match the header, or a line is no JSON object.
    """


def read_rows(
    path: Any, *, format: str | None = None, encoding: str | None = None, delimiter: str | None = None
) -> Iterator[Row]:
    """
    Read a file row by row. Values of CSV files are text as they stand; nothing is guessed from them.

    A CSV row with more or fewer cells than the header, a line that is no JSON object with each key once, and a
    Parquet row with a value that Python cannot hold come as :class:`BrokenRow`, so that they are refused and counted.
    Blank lines and the line ``sep=;`` at the beginning are no rows.

    :param path: a path, an address of this machine, or ``ObjectStoragePath``.
    :param format: ``"csv"``, ``"jsonl"`` or ``"parquet"``. Default: by the name's ending (``.csv``, ``.tsv``,
        ``.txt``, ``.jsonl``, ``.ndjson``, ``.parquet``; the text files also with ``.gz``).
    :param encoding: of a text file. Default: what its byte order mark says, else UTF-8 if the whole file is
        valid UTF-8, else Windows-1252.
    :param delimiter: of a CSV file. Default: the one of comma, semicolon, tab and bar which divides the first
        lines most evenly.
    :raises MissingFileError: the file is not there.
    :raises RowsFileError: it cannot be read.
    """
    kind = format or _format_of(str(path))
    if kind not in FORMATS:
        raise RowsFileError(f"format={kind!r} is none of {FORMATS}")
    rows = _parquet_rows(path) if kind == "parquet" else _text_rows(path, kind, encoding, delimiter)
    try:
        yield from rows
    except (UnicodeDecodeError, UnicodeError) as error:
        used = getattr(error, "encoding", encoding)
        raise RowsFileError(f"{path} is not text in {used}; state its encoding") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise RowsFileError(f"{path} is damaged or cut short: its gzip data cannot be read to the end") from None
    except csv.Error as error:
        raise RowsFileError(f"{path} cannot be read as CSV: {error}") from None


def may_be_somebody(name: str) -> bool:
    """Whether what was given in place of a file is rather a person: a number or address, no folder, no known ending."""
    holds_somebody = "@" in name or sum(map(str.isdigit, name)) >= _DIGITS_OF_A_NUMBER
    return holds_somebody and "/" not in name and _kind_of(name) is None


def _kind_of(name: str) -> str | None:
    bare = name.lower().removesuffix(".gz")
    return next((kind for ending, kind in _ENDINGS.items() if bare.endswith(ending)), None)


def _format_of(name: str) -> str:
    if kind := _kind_of(name):
        return kind
    told = "(not shown, it may be a person)" if may_be_somebody(name) else name
    raise RowsFileError(f"The name {told} does not end in {', '.join(_ENDINGS)}; state format= ({', '.join(FORMATS)})")


def _text_rows(path: Any, kind: str, encoding: str | None, delimiter: str | None) -> Iterator[Row]:
    used = _known(encoding) if encoding else _detect_encoding(path)
    with closing(_open_bytes(path)) as data, io.TextIOWrapper(data, used, newline="") as text:
        yield from _jsonl_rows(text) if kind == "jsonl" else _csv_rows(path, text, delimiter)


def _known(encoding: str) -> str:
    try:
        "".encode(encoding)
        name = codecs.lookup(encoding).name
    except LookupError:
        raise RowsFileError(f"encoding={encoding!r} is none that Python knows for text") from None
    return "utf-8-sig" if name == "utf-8" else encoding  # or its byte order mark would stand in the first name


def _open_bytes(path: Any) -> IO[bytes]:
    stream = open_binary(path)
    if not str(path).endswith(".gz"):
        return stream
    return _OwningGzip(stream)  # type: ignore[return-value]


class _OwningGzip(gzip.GzipFile):
    """Closes the file under it too."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(fileobj=stream, mode="rb")
        self._under = stream

    def close(self) -> None:
        super().close()
        self._under.close()


def _detect_encoding(path: Any) -> str:
    """By the byte order mark, or by reading all of it: a sample would let a late byte fail a long run."""
    with closing(_open_bytes(path)) as data:
        block = data.read(_BLOCK)
        for mark, encoding in _BOMS:
            if block.startswith(mark):
                return encoding
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while block:
                decoder.decode(block)
                block = data.read(_BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _jsonl_rows(text: IO[str]) -> Iterator[Row]:
    for line in text:
        if not line.strip():
            continue
        try:
            row = _decoded(line)
        except (ValueError, RecursionError):
            row = None
        yield row if isinstance(row, dict) else BrokenRow(line=line.strip())


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


_decoded = json.JSONDecoder(object_pairs_hook=_each_key_once).decode


def _csv_rows(path: Any, text: IO[str], delimiter: str | None) -> Iterator[Row]:
    sample = [line for _, line in zip(range(_SAMPLE_LINES), text, strict=False)]
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '\r\n"'):
        raise RowsFileError(f"delimiter={delimiter!r} is not one character that can divide cells")
    stated = _is_sep_line(sample[0]) if sample else None
    if stated:
        del sample[0]
    used = delimiter or (stated[1] if stated else _detect_delimiter(sample))
    lines: list[str] = []
    reader = csv.reader(_noted(lines, chain(sample, text)), delimiter=used)
    header = _header(path, next(reader, None))
    width = len(header)
    lines.clear()
    for cells in reader:
        if len(lines) > 1 and _is_open(lines, cells, used):
            first = reader.line_num - len(lines) + (2 if stated else 1)
            raise RowsFileError(f"{path}: a quoted cell in the row that begins in line {first} does not end")
        lines.clear()
        if len(cells) == width:
            yield dict(zip(header, cells, strict=True))
        elif cells:
            broken = BrokenRow(zip(header, cells, strict=False))
            broken.update({"further_cells": used.join(cells[width:])} if len(cells) > width else {})
            yield broken


def _noted(lines: list[str], source: Iterable[str]) -> Iterator[str]:
    """Pass lines on and note them, so that a row of several lines can be looked at again."""
    for line in source:
        lines.append(line)
        yield line


def _is_open(lines: list[str], cells: list[str], delimiter: str) -> bool:
    """Whether a row would go on with one more line: all rows behind a stray quote become one cell of one person."""
    return next(csv.reader([*lines, "x"], delimiter=delimiter)) != cells


def _header(path: Any, cells: list[str] | None) -> list[str]:
    if not cells:
        raise RowsFileError(f"{path} is empty, or its first line is: a CSV file begins with the names of its columns")
    # The cells are not shown: in a file without header they are somebody's number and name.
    if any(sum(map(str.isdigit, cell)) >= _DIGITS_OF_A_NUMBER or _find_email(cell) for cell in cells):
        raise RowsFileError(
            f"{path} has no header: a cell of its first line looks like a phone number or an e-mail address"
        )
    names = [cell.strip() or f"column_{position}" for position, cell in enumerate(cells, 1)]
    if len(set(names)) < len(names):
        raise RowsFileError(f"{path} names a column twice in its header")
    return names


def _detect_delimiter(lines: list[str]) -> str:
    """The delimiter that divides the first lines into the same number of cells, and into most."""

    def fitness(delimiter: str) -> tuple[int, int]:
        widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter) if cells]
        width = widths[0] if widths else 1
        return (sum(each == width for each in widths) if width > 1 else 0), width

    return max(_DELIMITERS, key=fitness)


def _parquet_rows(path: Any) -> Iterator[Row]:
    try:
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise RowsFileError("Reading Parquet needs pyarrow: pip install 'airflow-provider-truedy[parquet]'") from None
    with closing(open_binary(path)) as stream:
        try:
            file = parquet.ParquetFile(stream)
            names = file.schema_arrow.names
            if len(set(names)) < len(names):
                raise RowsFileError(f"{path} has two columns of one name")
            for batch in file.iter_batches(batch_size=_BATCH):
                try:
                    rows = batch.to_pylist()
                except ValueError:  # in one of them, perhaps
                    rows = [_parquet_row(batch, index) for index in range(batch.num_rows)]
                yield from rows
        except import_module("pyarrow").ArrowException as error:
            raise RowsFileError(f"{path} cannot be read as Parquet: {type(error).__name__}") from None


def _parquet_row(batch: Any, index: int) -> Row:
    """A row of a batch in which Python cannot hold every value; without that value, where it cannot be read at all."""
    row: dict[str, Any] = {}
    broken = False
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row[name] = _parquet_value(column[index])
        except ValueError:
            broken = True
    return BrokenRow(row) if broken else row


def _parquet_value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except ValueError:
        if not str(scalar.type).startswith("timestamp"):
            raise
        # Finer than a microsecond, which is all that a datetime holds.
        return scalar.cast("string").as_py().replace(" ", "T")
