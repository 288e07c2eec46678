"""Rows from files: CSV, JSON Lines (both also with gzip), Parquet and Excel, one row at a time."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import logging
import re
import zlib
from contextlib import closing, contextmanager
from typing import IO, TYPE_CHECKING, Any

from airflow_truedy.files.csv_rows import csv_rows
from airflow_truedy.files.errors import MissingFileError, RowsFileError
from airflow_truedy.files.formats import GZIP, check_first_bytes, format_of, kind_of, told_columns
from airflow_truedy.files.paths import local_path, open_binary
from airflow_truedy.files.rows import BrokenRow, ReadOptions
from airflow_truedy.files.typed_rows import excel_rows, parquet_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_truedy.files.rows import Row

log = logging.getLogger(__name__)

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: The encoding of a file that is not UTF-8, if none is stated.
_GUESS = "cp1252"
#: Characters that text has none of, but for an accident.
_CONTROLS = bytes(code for code in range(0x20) if chr(code) not in "\t\n\v\f\r\x1a\x1b")
_BLOCK = 1 << 20
_HEAD = 4_096
_has_pattern = re.compile(r"[*?\[]").search
#: Bytes that are not UTF-8, as Python keeps them in text that is read nevertheless.
_find_odd_byte = re.compile(r"[\udc80-\udcff]").search
_count_odd_bytes = re.compile(r"[\udc80-\udcff]").findall
_count_other_letters = re.compile(r"[^\x00-\x7f\udc80-\udcff]").findall


def read_rows(path: Any, options: ReadOptions | None = None, **stated: Any) -> Iterator[Row]:
    """
    Read a file row by row, or all files of a folder or pattern as one, in the order of their names.

    Values of CSV files are text, but for :data:`NULLS`, which are empty. A row that the file does not
    hold properly comes as :class:`BrokenRow`, so that it is refused and counted: more or fewer cells than the header
    (empty ones behind the last do not count), a line that is not a JSON object with each key once, a value of Parquet
    that Python cannot hold, a NUL or a byte that is not of the file's encoding. Blank lines and the line ``sep=;`` at
    the beginning are not rows.

    :param path: a path, an address of this machine, or ``ObjectStoragePath``. In a folder, files whose names begin
        with ``.`` or ``_`` are passed over, and all others must have the same columns.
    :param options: how it is read; or its fields as keywords, such as ``encoding="cp1250"``.
    :raises MissingFileError: the file is not there, or the folder is empty.
    :raises RowsFileError: it cannot be read.
    """
    options = options or ReadOptions(**stated)
    parts = parts_of(path, options.format)
    if parts is None:
        yield from _rows_of(path, options)
        return
    columns: set[str] | None = None
    for part in parts:
        rows = _rows_of(part, options)
        if format_of(str(part), options.format) == "jsonl":
            yield from rows
            continue
        for row in rows:
            if type(row) is not BrokenRow:
                columns = columns or set(row)
                if set(row) != columns:
                    raise RowsFileError(
                        f"{part} has other columns than the files before it: {told_columns(columns ^ set(row))}"
                    )
            yield row


def parts_of(path: Any, stated: str | None = None) -> list[Any] | None:
    """
    Return the files of a folder or pattern in the order of their names, ``None`` for a single file.

    :param stated: the format that the user stated; without it they must all be of one kind.
    :raises MissingFileError: there are none.
    """
    local, has_pattern = local_path(path), _has_pattern(str(path))
    place = local or path
    if isinstance(place, str) or (local is None and kind_of(str(path)) and not has_pattern):
        return None  # On an object store it costs requests, and rights, to ask whether something is a folder.
    if place.is_dir():
        found = [each for each in place.iterdir() if each.name[:1] not in (".", "_") and each.is_file()]
    elif has_pattern and not place.exists():
        if _has_pattern(str(place.parent)):
            raise RowsFileError(f"In {place} only the last part of the path may be a pattern")
        found = [each for each in place.parent.glob(place.name) if each.is_file()]
    else:
        return None
    if not found:
        raise MissingFileError(f"There are no files in {path}; folders in it are not looked into")
    kinds = {kind_of(each.name) for each in found}
    if len(kinds) > 1 and stated is None:
        raise RowsFileError(
            f"{path} holds files of several kinds ({', '.join(sorted(map(str, kinds)))}); use a pattern"
        )
    return sorted(found, key=lambda each: str(each.name))


def _rows_of(path: Any, options: ReadOptions) -> Iterator[Row]:
    kind = format_of(str(path), options.format)
    try:
        yield from _text_rows(path, kind, options) if kind in ("csv", "jsonl") else _table_rows(path, kind, options)
    except UnicodeError:
        if options.encoding:
            raise RowsFileError(f"{path} is not text in {options.encoding}, the encoding that is stated") from None
        raise RowsFileError(f"{path} is not text in {_GUESS}; state its encoding") from None
    except gzip.BadGzipFile:
        raise RowsFileError(f"{path} is damaged, or not gzip although its name says so") from None
    except (EOFError, zlib.error):
        raise RowsFileError(f"{path} is damaged or cut short: its gzip data cannot be read to the end") from None
    except csv.Error as error:
        raise RowsFileError(f"{path} cannot be read as CSV: {error}") from None


def _table_rows(path: Any, kind: str, options: ReadOptions) -> Iterator[Row]:
    with closing(open_binary(path)) as stream:
        check_first_bytes(path, kind, stream.read(16))
        stream.seek(0)
        yield from parquet_rows(path, stream) if kind == "parquet" else excel_rows(path, stream, options.sheet)


def _text_rows(path: Any, kind: str, options: ReadOptions) -> Iterator[Row]:
    encoding, errors = (_known(options.encoding), "strict") if options.encoding else _detect_encoding(path, kind)
    with (
        _open_bytes(path) as data,
        io.TextIOWrapper(data, encoding, errors, newline="") as text,
    ):
        rows = _jsonl_rows(path, text) if kind == "jsonl" else csv_rows(path, text, options)
        yield from rows if errors == "strict" else map(_refused_for_odd_bytes, rows)


def _known(encoding: str) -> str:
    # With utf-8, its byte order mark would be in the first name.
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


@contextmanager
def _open_bytes(path: Any) -> Iterator[Any]:
    with closing(open_binary(path)) as stream:
        is_packed = stream.read(len(GZIP)) == GZIP or (stream.tell() and str(path).lower().endswith(".gz"))
        stream.seek(0)
        yield gzip.GzipFile(fileobj=stream, mode="rb") if is_packed else stream


def _detect_encoding(path: Any, kind: str) -> tuple[str, str]:
    """
    Return the encoding and what to do about bytes that are not of it.

    All of the file is read for it: a sample would let a late byte fail a long run.
    """
    letters = odd_bytes = 0
    with _open_bytes(path) as data:
        block = data.read(_BLOCK)
        check_first_bytes(path, kind, block[:_HEAD])
        for mark, encoding in _BOMS:
            if block.startswith(mark):
                log.info("%s is read as %s, by its byte order mark", path, encoding)
                return encoding, "strict"
        _check_is_text(path, kind, block[:_HEAD])
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        while block:
            text = decoder.decode(block)
            block = data.read(_BLOCK)
            if not text.isascii():
                letters += len(_count_other_letters(text))
                odd_bytes += len(_count_odd_bytes(text))
        odd_bytes += len(decoder.decode(b"", final=True))
    if not odd_bytes:
        log.info("%s is read as utf-8", path)
        return "utf-8", "strict"
    if letters >= odd_bytes:
        log.warning("%s is read as utf-8; rows with one of its %d bytes that are not are refused", path, odd_bytes)
        return "utf-8", "surrogateescape"
    log.warning("%s is read as %s (Western Windows), as it is not utf-8; state its encoding", path, _GUESS)
    return _GUESS, "strict"


def _check_is_text(path: Any, kind: str, head: bytes) -> None:
    # A row with one of them in it is refused, or has it in a cell; a file of them is not text.
    if len(head) - len(head.translate(None, _CONTROLS)) <= head.count(b"\n"):
        return
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if zeros.count(0) * 2 > len(zeros) and head.count(0) * 3 < len(head) * 2:
            raise RowsFileError(f"{path} seems to be text in {encoding} without a mark; state encoding={encoding!r}")
    raise RowsFileError(f"{path} is not {kind}: it is an unknown binary file; write it as CSV, JSON Lines or Parquet")


def _refused_for_odd_bytes(row: Row) -> Row:
    is_odd = any(_find_odd_byte(text) for item in row.items() for text in item if isinstance(text, str))
    return BrokenRow(row) if is_odd else row


def _jsonl_rows(path: Any, text: IO[str]) -> Iterator[Row]:
    is_first = True
    for line in text:
        if not line.strip():
            continue
        if is_first and line.lstrip().startswith("["):
            raise RowsFileError(f"{path} is one JSON array, not JSON Lines: write each object on a line of its own")
        if is_first and line.strip() == "{":
            raise RowsFileError(f"{path} is JSON over several lines: write each object on a line of its own")
        is_first = False
        try:
            row = _decoded(line)
        except (ValueError, RecursionError):
            row = None
        yield row if isinstance(row, dict) else BrokenRow(line=line.strip())


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


_decoded = json.JSONDecoder(object_pairs_hook=_each_key_once).decode
