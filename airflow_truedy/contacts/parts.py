"""The files of a list in the making, one pair for each part, and the manifests of what was made."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_truedy.contacts.errors import TooManySplitsError
from airflow_truedy.contacts.manifest import Manifest
from airflow_truedy.contacts.output import ContactsFile, RejectsFile
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.region import region_to_dict
from airflow_truedy.files.paths import open_local, publish, sibling

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from airflow_truedy.contacts.convert import Outcome, Recipe

ENDING = ".jsonl.gz"


class Parts:
    """The files of a list in the making: one pair, or one for each value of the column to split by."""

    def __init__(
        self,
        folder: Path,
        to: Any,
        recipe: Recipe,
        source: str,
        made_by: Mapping[str, Any] | None,
        max_splits: int = 1,
    ) -> None:
        self._folder = folder
        self._to = open_local(to) if isinstance(to, str) else to
        if not self._to.name.endswith(ENDING):
            raise ValueError(f"The name of a contacts file ends in {ENDING}; {self._to.name!r} does not")
        self._recipe = recipe
        self._split_by = recipe.split_by
        self._max_splits = max_splits
        self._about = {
            "region": region_to_dict(recipe.region),
            "source": source,
            "created_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "made_by": dict(made_by or {}),
        }
        self._parts: dict[str, _Part] = {}

    def take(self, outcomes: Iterable[Outcome]) -> None:
        """Write every outcome into the files of its part."""
        if self._split_by is None:
            self._part("").take_all(outcomes)
            return
        for outcome in outcomes:
            self._part(outcome.part).take_all((outcome,))

    def publish(self, *, at_least_one: bool) -> list[Manifest]:
        """Finish all files, put them in their places, and describe them, in the order of the values."""
        if at_least_one:
            self._part("")
        for part in self._parts.values():
            part.close()
        return [part.publish() for _, part in sorted(self._parts.items())]

    def _part(self, value: str) -> _Part:
        part = self._parts.get(value)
        if part is None:
            if len(self._parts) >= self._max_splits:
                raise TooManySplitsError(
                    f"The column {self._split_by!r} holds more than {self._max_splits} values; "
                    "raise max_splits, or split by a column with fewer"
                )
            part = self._parts[value] = self._new_part(value)
        return part

    def _new_part(self, value: str) -> _Part:
        stem = self._to.name[: -len(ENDING)]
        split = None if self._split_by is None else {"column": self._split_by, "value": value}
        if split:
            stem = f"{stem}-{_file_name(value)}"
        spool = self._folder / f"{len(self._parts)}"
        return _Part(
            spool,
            sibling(self._to, stem + ENDING),
            sibling(self._to, stem + ".rejects.csv"),
            self._recipe.columns.phone_number,
            {**self._about, "split": split},
        )


class _Part:
    """One contacts file, one rejects file, and what was counted."""

    def __init__(self, spool: Path, to: Any, rejects_to: Any, phone_column: str, about: dict[str, Any]) -> None:
        self._contacts_spool, self._rejects_spool = (
            spool.with_suffix(".contacts"),
            spool.with_suffix(".rejects"),
        )
        self._contacts = ContactsFile(self._contacts_spool)
        self._rejects = RejectsFile(self._rejects_spool, phone_column)
        self._to, self._rejects_to, self._about = to, rejects_to, about
        self._dropped: Counter[Reason] = Counter()

    def take_all(self, outcomes: Iterable[Outcome]) -> None:
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
        publish(self._rejects_spool, self._rejects_to)
        publish(self._contacts_spool, self._to)
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


def _file_name(value: str) -> str:
    """A part of a file name for a value; two values never share one."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", value)[:40]
    if safe == value and safe == safe.lower() and safe:
        return safe
    return f"{safe or 'empty'}-{sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
