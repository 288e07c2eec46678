"""The files of a list in the making: contacts, in one file for each part, and rejected rows."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_truedy.calling_hours.errors import UnknownZoneError
from airflow_truedy.calling_hours.zones import zone_of
from airflow_truedy.contacts.contacts_file import ENDING, ContactsFile, Manifest
from airflow_truedy.contacts.errors import TooManySplitsError
from airflow_truedy.contacts.placing import PlacedContacts
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.values import UnreadableTextError, key_of, text_of
from airflow_truedy.files.paths import create_private, open_local, publish
from airflow_truedy.files.writer import escaped
from airflow_truedy.masking import mask_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from airflow_truedy.calling_hours.part_hours import PartHours
    from airflow_truedy.calling_hours.placement import Placer
    from airflow_truedy.contacts.columns import Columns
    from airflow_truedy.contacts.convert import RowOutcome
    from airflow_truedy.contacts.rules import ContactRules

REJECTS_COLUMNS = ("row_number", "reason", "masked_number")
#: ``US``, ``US-CA``
_is_region = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?").fullmatch
#: A file's name gets a part's value, an ending and, while it is copied, 40 characters more; disks allow 255.
_LONGEST_NAME = 100
_find_expressions = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL).findall
#: What in a template is another thing in each try of a run.
_find_of_a_try = re.compile(
    r"\w*try_number|\b(now|utcnow|today)\s*\(|\bmacros\.(time|random|uuid)\b|\|\s*random\b"
    r"|\b(ti|task_instance|dag_run)\.(start_date|end_date|duration|queued\w*|updated_at|clear_number|hostname|pid)\b"
    r"|\b(ti|task_instance)\.id\b"
).search


def file_in(output_path: str, made_by: Mapping[str, Any]) -> str:
    """Return the output itself if it is a file, else a file in it that no other task instance has."""
    if output_path.endswith(ENDING):
        return output_path
    task = _own_part(made_by["task_id"])
    if made_by["map_index"] not in (None, -1):
        task = f"{task}-{made_by['map_index']}"
    folders = (output_path.rstrip("/"), _own_part(made_by["dag_id"]), _own_part(made_by["run_id"]))
    return "/".join((*folders, task + ENDING))


def _own_part(name: str) -> str:
    """Return the name as a part of a path; two names never share one."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:_LONGEST_NAME]
    return safe if safe == name else f"{safe}-{_digest(name, 8)}"


def check_is_of_a_run(output_path: Any) -> None:
    """
    Refuse a path of a split list that is another one in each try: a cleared run would not find who is called already.

    :param output_path: as the Dag states it, before it is rendered.
    :raises ValueError: naming what differs.
    """
    for expression in _find_expressions(output_path) if isinstance(output_path, str) else ():
        if found := _find_of_a_try(expression):
            raise ValueError(
                f"output_path={output_path!r} of a split list must be the same in every try of a run, and {found[0]!r} "
                "is not. Who is in the campaign of a part is noted beside its file, so that no other part calls them "
                "when the run is cleared"
            )


class Output:
    """
    The files of a list in the making: one rejects file for the list, or for each value of the column to split by, and
    one contacts file beside it, or one for each part that has hours of its own.

    :param folder: a local folder in which they are made.
    :param to: where the contacts file goes; the others are named after it.
    :param about: what every manifest tells of the list as a whole.
    :param placer: placed the contacts. Default: nobody was placed.
    """

    def __init__(
        self, folder: Path, to: Any, rules: ContactRules, about: Mapping[str, Any], placer: Placer | None = None
    ) -> None:
        self._folder = folder
        self._to = open_local(to) if isinstance(to, str) else to
        if not self._to.name.endswith(ENDING):
            raise ValueError(f"The name of a contacts file ends in {ENDING}; {self._to.name!r} does not")
        self._rules, self._about, self._placer = rules, about, placer
        self._lists: dict[str, _List] = {}

    def take(self, outcomes: Iterable[RowOutcome]) -> None:
        """Write every outcome into the files of its list."""
        if self._rules.split_by is None:
            self._list("")
        for outcome in outcomes:
            (self._lists.get(outcome.part) or self._list(outcome.part)).add(outcome)

    def publish(self) -> list[Manifest]:
        """
        Finish all files, put them in their places, and describe them, in the order of the values.

        :raises TooManySplitsError: there are more parts than ``max_splits``.
        """
        lists = [each for _, each in sorted(self._lists.items())]
        most = self._rules.max_splits // max(1, len(lists))
        parts = sum(each.close(max(1, most)) for each in lists)
        if parts > self._rules.max_splits:
            raise TooManySplitsError(
                f"The list has {parts} parts, because people in places far apart have no hour of the day in common; "
                f"max_splits is {self._rules.max_splits}. Raise it, or leave countries out"
            )
        return [manifest for each in lists for manifest in each.publish()]

    def _list(self, value: str) -> _List:
        column, to, split = self._rules.split_by, self._to, None
        if column is not None:
            if len(self._lists) >= self._rules.max_splits:
                raise TooManySplitsError(
                    f"The column {column!r} holds more than {self._rules.max_splits} values; raise max_splits, or "
                    "split by a column with fewer"
                )
            split = {"column": column, "value": value}
            word = _file_name(value) if _is_place(value) else f"part-{_digest(value, 12)}"
            to = to.parent / f"{to.name.removesuffix(ENDING)}-{word}{ENDING}"
        staged = self._folder / f"{len(self._lists)}"
        found = self._lists[value] = _List(staged, to, self._rules, {**self._about, "split": split}, self._placer)
        return found


class _List:
    """One rejects file, its contacts, and what was counted."""

    def __init__(
        self, staged: Path, to: Any, rules: ContactRules, about: Mapping[str, Any], placer: Placer | None
    ) -> None:
        self._staged, self._to, self._about = staged, to, about
        self._consent = rules.consent
        self._stem = to.name.removesuffix(ENDING)
        self._rejects = RejectsFile(staged.with_suffix(".rejects"), rules.columns)
        self._placed = PlacedContacts(placer, staged) if placer else None
        self._whole = None if placer else ContactsFile(staged.with_suffix(".contacts"))
        self._files: list[tuple[PartHours | None, ContactsFile]] = []
        self._dropped: Counter[Reason] = Counter()

    def add(self, outcome: RowOutcome) -> None:
        if not self._rejects.columns:
            self._rejects.name_columns(outcome.row)
        if outcome.reason is not None:
            self._dropped[outcome.reason] += 1
            self._rejects.add(outcome)
        elif self._whole:
            self._whole.add(outcome.line)
        elif self._placed:
            self._placed.add(outcome)

    def close(self, most: int) -> int:
        """Finish the files, and return how many contacts files there are."""
        self._rejects.close()
        self._files += self._placed.parts(most) if self._placed else ()
        if not self._files:
            self._files.append((None, self._whole or ContactsFile(self._staged.with_suffix(".contacts"))))
        for _, file in self._files:
            file.close()
        return len(self._files)

    def publish(self) -> Iterator[Manifest]:
        rejects_to = self._to.parent / f"{self._stem}.rejects.csv"
        publish(self._rejects.staged, rejects_to)
        dropped = dict(self._dropped)
        for hours, file in self._files:
            to = self._to
            if hours is not None:
                to = self._to.parent / f"{self._stem}-{_file_name(_in_a_word(hours))}{ENDING}"
            publish(file.staged, to)
            duplicates, suppressed = dropped.pop(Reason.DUPLICATE, 0), dropped.pop(Reason.SUPPRESSED, 0)
            rejected = sum(dropped.values())
            yield Manifest(
                uri=str(to),
                rejects_uri=str(rejects_to),
                rows_read=file.count + duplicates + suppressed + rejected,
                contacts=file.count,
                duplicates=duplicates,
                suppressed=suppressed,
                rejected=rejected,
                rejected_by_reason={reason.value: count for reason, count in sorted(dropped.items())},
                sha256=file.sha256,
                size=file.size,
                fingerprint=file.fingerprint,
                calling_hours=hours.to_dict() if hours else None,
                consent=self._consent.to_dict(file.consents) if self._consent else None,
                **self._about,
            )
            dropped = {}  # The first part counts them for all.


class RejectsFile:
    """
    The rejected rows, in the making: CSV in UTF-8 with row number (the first row is 1), reason, the masked number, the
    customer's own key and the other columns; one that is named like these gets ``source_`` in front. Which columns
    there are is known at the end only, so lines wait in a second file.

    :param staged: the local file to make.
    :param columns: which columns hold the number, which is not written, and the key.
    :ivar columns: of the header, as far as they are known.
    """

    def __init__(self, staged: Path, columns: Columns) -> None:
        self.staged = staged
        self._waiting = staged.with_suffix(".waiting").open("w+", encoding="utf-8")
        self._phone_column = _column(columns.phone_number)
        self._stated_key = columns.contact_key
        self._key_column = _column(columns.contact_key) if columns.contact_key else None
        self.columns: dict[str, None] = {}

    def name_columns(self, row: Mapping[str, Any]) -> None:
        """Put these columns into the header even if no row is refused."""
        self.columns.update(dict.fromkeys(map(_column, row)))

    def add(self, outcome: RowOutcome) -> None:
        """Add a row that has a reason."""
        assert outcome.reason is not None
        row = {_column(column): written(value) for column, value in outcome.row.items()}
        masked = mask_number(row.pop(self._phone_column, "").strip())
        own = [outcome.row_number, outcome.reason.value, masked]
        if self._key_column:
            # Where the key is the number, nothing is left of it.
            has_key = row.pop(self._key_column, None) is not None
            own.append(escaped(written(outcome.row.get(self._stated_key or ""), key_of)) if has_key else "")
        self.columns.update(dict.fromkeys(row))
        self._waiting.write(json.dumps([own, row]) + "\n")

    def close(self) -> None:
        """Finish the file."""
        own = [*REJECTS_COLUMNS, *(["contact_key"] if self._key_column else [])]
        for column in (self._phone_column, self._key_column or ""):
            self.columns.pop(column, None)
        others = list(self.columns)
        create_private(self.staged).close()
        with self.staged.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*own, *map(escaped, _told_apart(others, own))])
            self._waiting.seek(0)
            for known, row in map(json.loads, self._waiting):
                writer.writerow([*known, *(escaped(row.get(column, "")) for column in others)])
        self._waiting.close()


def written(value: Any, as_text: Callable[[Any], str] = text_of) -> str:
    """
    Return a value as a rejects file has it; nothing for what cannot be written down.

    :param value: what a database or a file gives.
    :param as_text: how what is not text becomes text.
    """
    try:
        text = value if type(value) is str else as_text(value)
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


def _in_a_word(hours: PartHours) -> str:
    """Return the hours as a part of a file name."""
    days = "".join(map(str, hours.working_days))
    return f"{hours.timezone}-{hours.start_time}-{hours.end_time}-{days}".replace(":", "")


def _is_place(value: str) -> bool:
    """Tell whether a value is a country, state or zone. Any other may be somebody's name, and a file's is shown."""
    try:
        return bool(_is_region(value) or zone_of(value))
    except UnknownZoneError:
        return False


def _file_name(place: str) -> str:
    """Return a part of a file name for a place; two never share one."""
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', place)[:40]}-{_digest(place, 8)}"


def _digest(value: str, digits: int) -> str:
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
