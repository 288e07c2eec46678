"""The files of a list in the making: contacts and rejected rows, one pair for each part of a split list."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from datetime import datetime, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_truedy.contacts.contacts_file import ENDING, ContactsFile, Manifest
from airflow_truedy.contacts.errors import TooManySplitsError
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.rules import region_to_dict
from airflow_truedy.contacts.values import UnreadableTextError, text_of
from airflow_truedy.files.paths import create_private, open_local, publish, sibling
from airflow_truedy.files.writer import escaped
from airflow_truedy.masking import mask_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from airflow_truedy.contacts.columns import Columns
    from airflow_truedy.contacts.convert import RowOutcome
    from airflow_truedy.contacts.rules import ContactRules

REJECTS_COLUMNS = ("row_number", "reason", "masked_number")


class Output:
    """
    The files of a list in the making: one pair, or one for each value of the column to split by.

    :param folder: a local folder in which they are made.
    :param to: where the contacts file goes; the others are named after it.
    """

    def __init__(
        self, folder: Path, to: Any, rules: ContactRules, source: str, made_by: Mapping[str, Any] | None
    ) -> None:
        self._folder = folder
        self._to = open_local(to) if isinstance(to, str) else to
        if not self._to.name.endswith(ENDING):
            raise ValueError(f"The name of a contacts file ends in {ENDING}; {self._to.name!r} does not")
        self._rules = rules
        self._about = {
            "region": region_to_dict(rules.region),
            "source": source,
            "created_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "made_by": dict(made_by or {}),
        }
        self._parts: dict[str, _Part] = {}

    def take(self, outcomes: Iterable[RowOutcome]) -> None:
        """Write every outcome into the files of its part."""
        if self._rules.split_by is None:
            self._part("").take(outcomes)
            return
        for outcome in outcomes:
            self._part(outcome.part).take((outcome,))

    def publish(self) -> list[Manifest]:
        """Finish all files, put them in their places, and describe them, in the order of the values."""
        for part in self._parts.values():
            part.close()
        return [part.publish() for _, part in sorted(self._parts.items())]

    def _part(self, value: str) -> _Part:
        part = self._parts.get(value)
        if part is None:
            if self._rules.split_by is not None and len(self._parts) >= self._rules.max_splits:
                raise TooManySplitsError(
                    f"The column {self._rules.split_by!r} holds more than {self._rules.max_splits} values; "
                    "raise max_splits, or split by a column with fewer"
                )
            part = self._parts[value] = self._new_part(value)
        return part

    def _new_part(self, value: str) -> _Part:
        stem = self._to.name[: -len(ENDING)]
        split = None
        if self._rules.split_by is not None:
            split = {"column": self._rules.split_by, "value": value}
            stem = f"{stem}-{_file_name(value)}"
        return _Part(
            self._folder / f"{len(self._parts)}",
            sibling(self._to, stem + ENDING),
            sibling(self._to, stem + ".rejects.csv"),
            self._rules.columns,
            {**self._about, "split": split},
        )


class _Part:
    """One contacts file, one rejects file, and what was counted."""

    def __init__(self, staged: Path, to: Any, rejects_to: Any, columns: Columns, about: dict[str, Any]) -> None:
        self._staged, self._staged_rejects = staged.with_suffix(".contacts"), staged.with_suffix(".rejects")
        self._contacts = ContactsFile(self._staged)
        self._rejects = RejectsFile(self._staged_rejects, columns)
        self._to, self._rejects_to, self._about = to, rejects_to, about
        self._dropped: Counter[Reason] = Counter()

    def take(self, outcomes: Iterable[RowOutcome]) -> None:
        add_contact, dropped, rejects = self._contacts.add, self._dropped, self._rejects
        first = True
        for outcome in outcomes:
            if first:
                rejects.name_columns(outcome.row)
                first = False
            if outcome.reason is None:
                add_contact(outcome.line)
            else:
                dropped[outcome.reason] += 1
                rejects.add(outcome)

    def close(self) -> None:
        self._contacts.close()
        self._rejects.close()

    def publish(self) -> Manifest:
        publish(self._staged_rejects, self._rejects_to)
        publish(self._staged, self._to)
        dropped = dict(self._dropped)
        duplicates, suppressed = dropped.pop(Reason.DUPLICATE, 0), dropped.pop(Reason.SUPPRESSED, 0)
        rejected = sum(dropped.values())
        return Manifest(
            uri=str(self._to),
            rejects_uri=str(self._rejects_to),
            rows_read=self._contacts.count + duplicates + suppressed + rejected,
            contacts=self._contacts.count,
            duplicates=duplicates,
            suppressed=suppressed,
            rejected=rejected,
            rejected_by_reason={reason.value: count for reason, count in sorted(dropped.items())},
            sha256=self._contacts.sha256,
            size=self._contacts.size,
            fingerprint=self._contacts.fingerprint,
            **self._about,
        )


class RejectsFile:
    """
    The rejected rows, in the making: CSV in UTF-8 with row number (the first row is 1), reason, the masked number, the
    customer's own key and the other columns; one that is named like these gets ``source_`` in front. Which columns
    there are is known at the end only, so lines wait in a second file.

    :param staged: the local file to make.
    :param columns: which columns hold the number, which is not written, and the key.
    """

    def __init__(self, staged: Path, columns: Columns) -> None:
        self._staged = staged
        self._waiting = staged.with_suffix(".waiting").open("w+", encoding="utf-8")
        self._phone_column = _column(columns.phone_number)
        self._key_column = _column(columns.contact_key) if columns.contact_key else None
        self._columns: dict[str, None] = {}

    def name_columns(self, row: Mapping[str, Any]) -> None:
        """Put these columns into the header even if no row is refused."""
        self._columns.update(dict.fromkeys(map(_column, row)))

    def add(self, outcome: RowOutcome) -> None:
        """Add a row that has a reason."""
        assert outcome.reason is not None
        row = {_column(column): written(value) for column, value in outcome.row.items()}
        masked = mask_number(row.pop(self._phone_column, "").strip())
        own = [outcome.row_number, outcome.reason.value, masked]
        if self._key_column:
            own.append(escaped(row.pop(self._key_column, "")))
        self._columns.update(dict.fromkeys(row))
        self._waiting.write(json.dumps([own, row]) + "\n")

    def close(self) -> None:
        """Finish the file."""
        own = [*REJECTS_COLUMNS, *(["contact_key"] if self._key_column else [])]
        for column in (self._phone_column, self._key_column or ""):
            self._columns.pop(column, None)
        others = list(self._columns)
        create_private(self._staged).close()
        with self._staged.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*own, *map(escaped, _told_apart(others, own))])
            for known, row in self._read_waiting():
                writer.writerow([*known, *(escaped(row.get(column, "")) for column in others)])
        self._waiting.close()

    def _read_waiting(self) -> Iterator[list[Any]]:
        self._waiting.seek(0)
        return map(json.loads, self._waiting)


def written(value: Any) -> str:
    """
    Return a value as a rejects file has it; nothing for what cannot be written down.

    :param value: what a database or a file gives.
    """
    try:
        text = value if type(value) is str else text_of(value)
    except UnreadableTextError:
        return ""
    return text.replace("\0", "\\0")  # before Python 3.11 the csv module cannot write a NUL


def _column(name: Any) -> str:
    """Return the name of a column; ``csv.DictReader`` names the cells behind the last one ``None``."""
    return "further_cells" if name is None else written(name)


def _told_apart(columns: Iterable[str], own: list[str]) -> Iterator[str]:
    taken = {*own, *columns}
    for column in columns:
        name = column
        while name in taken and column in own:
            name = f"source_{name}"
        yield name


def _file_name(value: str) -> str:
    """Return a part of a file name for a value; two values never share one."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", value)[:40]
    if safe == value and safe == safe.lower() and safe:
        return safe
    return f"{safe or 'empty'}-{sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
