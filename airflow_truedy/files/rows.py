"""What a row of a file is, and how a file is read."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_truedy.files.errors import RowsFileError
from airflow_truedy.files.formats import FORMATS

Row = Mapping[str, Any]

#: What databases and programs write into a CSV file for "no value".
NULLS = frozenset({"NULL", "null", "\\N", "nan", "NaN", "None", "NaT", "<NA>"})
#: The csv module's own limit. A longer cell is rather half a file behind a stray quote than somebody's note.
LONGEST_CELL = 131_072
#: Below this a float holds every integer, so no digit was lost.
EXACT_BELOW = 1 << 53


class BrokenRow(dict[str, Any]):
    """
    A row which its file did not hold properly: cells do not match the header, a line is not a JSON object, a value or
    a character cannot be read.
    """


@dataclass(frozen=True)
class ReadOptions:
    """
    How a file of rows is to be read, where that cannot or should not be found out from the file.

    :param format: ``"csv"``, ``"jsonl"``, ``"parquet"`` or ``"excel"``. Default: by the name's ending.
    :param encoding: of a text file. Default: what its byte order mark says, else UTF-8 if most of its other letters
        than ASCII are valid UTF-8, else Windows-1252.
    :param delimiter: of a CSV file. Default: the one of comma, semicolon, tab and bar which divides the first lines
        most evenly.
    :param sheet: name of the sheet of an Excel workbook. Default: the only visible one.
    :param nulls: texts that mean "no value" in a CSV file. Default: :data:`NULLS`.
    :param longest_cell: a CSV row with a longer cell is refused. Default: :data:`LONGEST_CELL` characters.
    :param escaped: whether a CSV file was written by :func:`~airflow_truedy.files.writer.write_rows`, which escapes
        cells that a spreadsheet would take for formulas.
    :raises RowsFileError: one of them cannot be.
    """

    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    nulls: Collection[str] = NULLS
    longest_cell: int = LONGEST_CELL
    escaped: bool = False

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise RowsFileError(f"format={self.format!r} is none of {FORMATS}")
        if self.encoding is not None and not _is_encoding(self.encoding):
            raise RowsFileError(f"encoding={self.encoding!r} is not a text encoding that Python knows")
        sign = self.delimiter
        if sign is not None and (not isinstance(sign, str) or len(sign) != 1 or sign in '\r\n"'):
            raise RowsFileError(f"delimiter={sign!r} is not one character that can divide cells, such as ';' or '\\t'")
        if self.sheet is not None and (not isinstance(self.sheet, str) or not self.sheet):
            raise RowsFileError(f"sheet={self.sheet!r} is not the name of a sheet")
        nulls = self.nulls
        if isinstance(nulls, str) or not isinstance(nulls, Collection) or not all(isinstance(x, str) for x in nulls):
            raise RowsFileError(f"nulls={nulls!r} must be a list of texts, such as ['NULL', '-']")
        object.__setattr__(self, "nulls", frozenset(nulls))


def as_integer(value: Any) -> Any:
    """Return a whole number that a data frame or spreadsheet keeps as a float as an integer, all else as it is."""
    is_whole = isinstance(value, float) and abs(value) < EXACT_BELOW and value.is_integer()
    return int(value) if is_whole else value


def _is_encoding(name: Any) -> bool:
    try:
        "".encode(name)
        return bool(codecs.lookup(name))
    except (LookupError, TypeError, ValueError):
        return False
