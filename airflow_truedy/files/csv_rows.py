"""Rows of CSV files: the delimiter found out, the header checked, broken rows told apart."""

from __future__ import annotations

import csv
import re
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from airflow_truedy.files.errors import RowsFileError
from airflow_truedy.files.formats import DIGITS_OF_A_NUMBER
from airflow_truedy.files.rows import BrokenRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow_truedy.files.rows import ReadOptions, Row

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_LINES = 50
#: A quote that never ends must not fill the memory with a file.
_LONGEST_TO_PARSE = 1 << 26
_find_email = re.compile(r"\S@\S+\.\S").search
_is_identifier = re.compile(r"[^\W\d]\w*").fullmatch
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
#: A date as countries write it, with or without a time of day; without separators beside a letter, - or ( only.
_DATE = re.compile(
    rf"(?<!\d)(?<!\d[./-])(?:(?:19|20)\d\d([-/.]){_DAY}\1{_DAY}|{_DAY}([-/.]){_DAY}\2(?:(?:19|20)\d\d|\d\d))(?!\d|[./-]\d)"
    r"(?:[T ]\d\d?(?::\d\d){1,2}(?:\.\d+)?)?"
    r"|(?:(?<=[^\W\d]-)|(?<=[^\W\d] \())(?:19|20)\d{6}(?![\w-])|(?<![\w-])(?:19|20)\d{6}(?=[_-]|T\d{6}\b)"
)
#: The line by which Excel is told how a file is divided.
_is_sep_line = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE).fullmatch
#: A cell escaped by :mod:`.writer`: a spreadsheet shows it as the text behind the quote.
_is_escaped = re.compile(r"'+[=+\-@\t\r]").match


def csv_rows(path: Any, text: IO[str], options: ReadOptions) -> Iterator[Row]:
    """
    Yield the rows of a CSV file.

    :raises RowsFileError: it has no header, or a quoted cell that does not end.
    """
    sample = [line for _, line in zip(range(_SAMPLE_LINES), text, strict=False)]
    stated = _is_sep_line(sample[0]) if sample else None
    if stated:
        del sample[0]
    used = options.delimiter or (stated[1] if stated else _detect_delimiter(sample))
    lines: list[str] = []
    reader = csv.reader(_noted(lines, chain(sample, text)), delimiter=used)
    header = header_of(path, _next_row(reader))
    width, nulls, longest = len(header), frozenset(options.nulls), options.longest_cell
    lines.clear()
    while (cells := _next_row(reader)) is not None:
        if len(lines) > 1:
            _check_quotes(path, reader.line_num + bool(stated), lines, cells, used, width, longest)
        is_odd = "\0" in "".join(lines)
        lines.clear()
        if not nulls.isdisjoint(cells):
            cells = ["" if cell in nulls else cell for cell in cells]
        if options.escaped:
            cells = [cell[1:] if _is_escaped(cell) else cell for cell in cells]
        if len(cells) > width and not any(cells[width:]):
            cells = cells[:width]  # a delimiter behind the last cell, in the rows only
        if not cells:
            continue
        if len(cells) == width and max(map(len, cells)) <= longest and not is_odd:
            yield dict(zip(header, cells, strict=True))
        else:
            broken = BrokenRow(zip(header, cells, strict=False))
            broken.update({"further_cells": used.join(cells[width:])} if len(cells) > width else {})
            yield broken


def header_of(path: Any, cells: Sequence[str] | None) -> list[str]:
    """
    Return the names of the columns; one without name is called by its position.

    :raises RowsFileError: there are none, two are the same, or they look like a person.
    """
    if not any(map(str.strip, cells or ())):
        raise RowsFileError(f"{path} is empty, or its first line is: the first line holds the names of the columns")
    # The cells are not shown: in a file without header they are somebody's number and name.
    if any(map(_may_be_a_value, cells or ())):
        raise RowsFileError(
            f"{path} has no header: a cell of its first line looks like a phone number or an e-mail address"
        )
    names = [cell.strip() or f"column_{position}" for position, cell in enumerate(cells or (), 1)]
    if len(set(names)) < len(names):
        raise RowsFileError(f"{path} names a column twice in its header")
    return names


def _may_be_a_value(cell: str) -> bool:
    if _is_identifier(cell.strip()):  # balance_20261125
        return False
    return sum(map(str.isdigit, _DATE.sub("", cell))) >= DIGITS_OF_A_NUMBER or bool(_find_email(cell))


def _next_row(reader: Iterator[list[str]]) -> list[str] | None:
    # The csv module's limit is that of the whole process, so it is put back at once.
    limit = csv.field_size_limit(_LONGEST_TO_PARSE)
    try:
        return next(reader, None)
    finally:
        csv.field_size_limit(limit)


def _parsed(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(map(_without_nul, lines), delimiter=delimiter)
    while (cells := _next_row(reader)) is not None:
        yield cells


def _noted(lines: list[str], source: Iterable[str]) -> Iterator[str]:
    """Pass lines on and note them, so that a row of several lines can be looked at again."""
    for line in source:
        lines.append(line)
        yield _without_nul(line)


def _without_nul(line: str) -> str:
    # Before Python 3.11 the csv module cannot read a NUL.
    return line.replace("\0", "\\0")


def _check_quotes(
    path: Any, line_number: int, lines: list[str], cells: list[str], delimiter: str, width: int, longest: int
) -> None:
    """
    Refuse the file if a row of several lines holds other rows: those behind a stray quote become one person's cell.

    :raises RowsFileError: the quote does not end, or ends after so much that looks like rows.
    """
    first = line_number - len(lines) + 1
    # Would the row go on with one more line?
    if next(_parsed([*lines, "x"], delimiter)) != cells:
        raise RowsFileError(f"{path}: a quoted cell in the row that begins in line {first} does not end")
    if max(map(len, cells)) > longest:
        like_rows = sum(len(inner) == width for inner in _parsed(lines[1:-1], delimiter))
        if like_rows * 2 > len(lines) - 2:
            raise RowsFileError(f"{path}: a quoted cell in the row that begins in line {first} holds other rows")


def _detect_delimiter(lines: list[str]) -> str:
    """Return the delimiter that divides the first lines into the same number of cells, and into most."""

    def fitness(delimiter: str) -> tuple[int, int]:
        widths = [len(cells) for cells in _parsed(lines, delimiter) if cells]
        width = widths[0] if widths else 1
        return (sum(each == width for each in widths) if width > 1 else 0), width

    return max(_DELIMITERS, key=fitness)
