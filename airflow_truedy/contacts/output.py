"""
The two files of a list: contacts, and rows that became none. Both are made on local disk and published when
whole.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from typing import IO, TYPE_CHECKING, Any

from airflow_truedy.contacts.columns import UnreadableTextError, text_of
from airflow_truedy.masking import mask_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from airflow_truedy.contacts.convert import Outcome

_LINES_AT_ONCE = 1_000
#: Level 1 costs a fifth of the default and makes files about a tenth larger.
_COMPRESSION = 1

REJECTS_COLUMNS = ("row_number", "reason", "masked_number")


class ContactsFile:
    """
    A contacts file in the making: JSON Lines, gzip; the same contacts give the same bytes.

    :param spool: the local file to make.
    """

    def __init__(self, spool: Path) -> None:
        self._raw = _Hashed(spool.open("wb"))
        self._gzip = gzip.GzipFile("", "wb", _COMPRESSION, self._raw, mtime=0)
        self._content = hashlib.sha256()
        self._lines: list[bytes] = []
        self.count = 0

    def add(self, line: bytes) -> None:
        """Add a contact, as one line without its end."""
        self._lines.append(line)
        if len(self._lines) >= _LINES_AT_ONCE:
            self._write()

    def close(self) -> None:
        """Finish the file; from then on ``sha256``, ``size`` and ``fingerprint`` are known."""
        self._write()
        self._gzip.close()
        self._raw.close()
        self.sha256, self.size = self._raw.hash.hexdigest(), self._raw.size
        self.fingerprint = self._content.hexdigest()

    def _write(self) -> None:
        if self._lines:
            block = b"\n".join(self._lines) + b"\n"
            self._content.update(block)
            self._gzip.write(block)
            self.count += len(self._lines)
            self._lines = []


class _Hashed:
    """Counts and hashes what is written to a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class RejectsFile:
    """
    The rows that became no contact, in the making: CSV in UTF-8 with row number (the first row is 1),
    reason, the masked number and the other columns; one that is named like these gets ``source_`` in front.
    Which columns there are is known at the end only, so lines wait in a second file.

    :param spool: the local file to make.
    :param phone_column: the column of the number, which is not written.
    """

    def __init__(self, spool: Path, phone_column: str) -> None:
        self._spool = spool
        self._waiting = spool.with_suffix(".waiting").open("w+", encoding="utf-8")
        self._phone_column = phone_column
        self._columns: dict[str, None] = {}

    def name_columns(self, row: Mapping[str, Any]) -> None:
        """Let these columns stand in the header even if no row is refused."""
        self._columns.update(dict.fromkeys(map(_column, row)))

    def add(self, outcome: Outcome) -> None:
        """Add a row that has a reason."""
        assert outcome.reason is not None
        row = {_column(column): shown(value) for column, value in outcome.row.items()}
        masked = mask_number(row.pop(self._phone_column, "").strip())
        self._columns.update(dict.fromkeys(row))
        self._waiting.write(json.dumps([outcome.row_number, outcome.reason.value, masked, row]) + "\n")

    def close(self) -> None:
        """Finish the file."""
        self._columns.pop(self._phone_column, None)
        others = list(self._columns)
        with self._spool.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*REJECTS_COLUMNS, *_told_apart(others)])
            for row_number, reason, masked, row in self._read_waiting():
                writer.writerow([row_number, reason, masked, *(row.get(column, "") for column in others)])
        self._waiting.close()

    def _read_waiting(self) -> Iterator[list[Any]]:
        self._waiting.seek(0)
        return map(json.loads, self._waiting)


def _column(name: Any) -> str:
    """The name of a column; ``csv.DictReader`` names the cells behind the last one ``None``."""
    return "further_cells" if name is None else shown(name)


def _told_apart(columns: Iterable[str]) -> Iterator[str]:
    taken = {*REJECTS_COLUMNS, *columns}
    for column in columns:
        name = column
        while name in taken and column in REJECTS_COLUMNS:
            name = f"source_{name}"
        yield name


def shown(value: Any) -> str:
    """
    A value as it stands in a rejects file; nothing for what cannot be written down.

    :param value: what a database or a file gives.
    """
    try:
        text = value if type(value) is str else text_of(value)
    except UnreadableTextError:
        return ""
    return text.replace("\0", "\\0")  # before Python 3.11 the csv module cannot write a NUL
