"""The people that a campaign did not reach, as the contacts of the next one, with a cap on attempts per person."""

from __future__ import annotations

import csv
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_truedy.campaigns.call_status import COMPLETED, UNCALLED, call_status
from airflow_truedy.contacts.contacts_file import ContactsFile, Manifest, line_of
from airflow_truedy.contacts.number_set import NumberSet
from airflow_truedy.contacts.rules import region_to_dict
from airflow_truedy.files.paths import publish, sibling
from airflow_truedy.formats import is_e164
from airflow_truedy.masking import mask_number
from airflow_truedy.results.columns import ResultsError

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_truedy.contacts.lists import ContactList
    from airflow_truedy.contacts.suppression import Suppressed

#: Who is called again unless it is said otherwise: nobody was spoken to, and the number works.
NOT_REACHED = ("no_answer", "busy", "voicemail")

_ENDING = ".jsonl.gz"
_ROWS_AT_ONCE = 500
_CHUNK = 1_000


Row = Mapping[str, Any]


class Attempts(NamedTuple):
    """How often somebody was called, and how often reached, over several campaigns."""

    calls: int
    reached: int


#: Returns the attempts of those of the numbers that were ever called.
AttemptsOf = Callable[[Sequence[str]], Mapping[str, Attempts]]


class AttemptsBook:
    """
    Attempts counted from results files, on disk. A context manager.

    A row of results counts as one attempt, unless it is pending or cancelled and has neither ``called_at`` nor a call:
    how often the server itself tried again inside a campaign is not told by the API.
    """

    def __init__(self) -> None:
        # An empty name is a temporary file that SQLite removes by itself.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("BEGIN")
        self._db.execute("CREATE TABLE attempt (number TEXT PRIMARY KEY, calls INTEGER, reached INTEGER)")

    def __enter__(self) -> AttemptsBook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def count(self, rows: Iterable[Row], since: str | None = None) -> None:
        """
        Count the calls in these rows.

        :param since: ISO 8601 instant in UTC with ``Z``; calls before it do not count. One without ``called_at`` does.
        """
        self._db.executemany(
            "INSERT INTO attempt VALUES (?, 1, ?) "
            "ON CONFLICT (number) DO UPDATE SET calls = calls + 1, reached = reached + excluded.reached",
            (
                (row["phone_number"], int(call_status(row["call_status"]) == COMPLETED))
                for row in rows
                if row.get("phone_number") and _is_attempt(row, since)
            ),
        )

    def of(self, numbers: Sequence[str]) -> dict[str, Attempts]:
        """Return the attempts of those of the numbers that were ever called."""
        marks = ", ".join("?" * len(numbers))
        query = f"SELECT number, calls, reached FROM attempt WHERE number IN ({marks})"  # noqa: S608 - only marks
        return {number: Attempts(calls, reached) for number, calls, reached in self._db.execute(query, numbers)}


def _is_attempt(row: Row, since: str | None) -> bool:
    # A server may leave out when it called. Too few calls are better than too many: such a row counts.
    if row.get("called_at"):
        return since is None or row["called_at"] >= since
    return bool(row.get("call_id")) or call_status(row["call_status"]) not in UNCALLED


def follow_up(
    rows: Iterable[Row],
    to: Any,
    *,
    max_attempts: int,
    attempts_of: AttemptsOf,
    outcomes: Collection[str] = NOT_REACHED,
    contacts: ContactList | None = None,
    suppressed: Suppressed | None = None,
    source: str = "results",
) -> Manifest:
    """
    Write the contacts of the next campaign, and a rejects file that says why each of the others is not among them.

    Reasons: ``outcome`` (the call ended in another way, e.g. reached, opted out, invalid number, or was not placed),
    ``reached_before``, ``max_attempts``, ``suppressed``, ``no_number``, ``bad_number`` (the server does not
    write it as E.164).

    :param rows: results of the campaign.
    :param to: where the contacts file goes, a path or ``ObjectStoragePath`` that ends in ``.jsonl.gz``.
    :param max_attempts: whoever was called so often is not called again.
    :param attempts_of: how often people were called, this campaign included.
    :param outcomes: which ``call_status`` words are called again; every other one is not.
    :param contacts: the list that the campaign was made from: last name, e-mail address and custom fields come from
        there, because results have the first name alone.
    :param suppressed: numbers that asked not to be called, maybe since the campaign.
    :raises ResultsError: if somebody in the results is not in ``contacts``.
    """
    if not to.name.endswith(_ENDING):
        raise ResultsError(f"The name of a contacts file ends in {_ENDING}; {to.name!r} does not.")
    if max_attempts < 1:
        raise ResultsError(f"max_attempts={max_attempts} must be 1 or more.")
    rejects_to = sibling(to, to.name[: -len(_ENDING)] + ".rejects.csv")
    counted: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="truedy-followup-") as folder:
        spool, rejects_spool = Path(folder) / "contacts", Path(folder) / "rejects"
        file = ContactsFile(spool)
        with rejects_spool.open("w", encoding="utf-8", newline="") as rejects:
            rule = _Rule(frozenset(map(call_status, outcomes)), max_attempts, attempts_of, suppressed)
            chosen = _chosen(rows, rule, counted, rejects)
            for contact in _as_contacts(chosen) if contacts is None else _from_list(chosen, contacts):
                file.add(line_of(contact))
        file.close()
        publish(rejects_spool, rejects_to)
        publish(spool, to)
    duplicates, held_back, rows_read = counted.pop("duplicate", 0), counted.pop("suppressed", 0), counted.pop("rows")
    return Manifest(
        uri=str(to),
        rejects_uri=str(rejects_to),
        rows_read=rows_read,
        contacts=file.count,
        duplicates=duplicates,
        suppressed=held_back,
        rejected=sum(counted.values()),
        rejected_by_reason=dict(sorted(counted.items())),
        sha256=file.sha256,
        size=file.size,
        fingerprint=file.fingerprint,
        region=region_to_dict(None),
        source=source,
        created_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


class _Rule(NamedTuple):
    outcomes: frozenset[str]
    max_attempts: int
    attempts_of: AttemptsOf
    suppressed: Suppressed | None

    def reasons(self, rows: Sequence[Row]) -> Iterator[str | None]:
        """Say of each row why it is not called again, ``None`` if it is."""
        wanted = [row["phone_number"] for row in rows if row.get("phone_number") and self._by_outcome(row)]
        attempts = self.attempts_of(wanted) if wanted else {}
        for row in rows:
            number = row.get("phone_number")
            before = attempts.get(number or "", Attempts(0, 0))
            if not number:
                yield "no_number"
            elif not is_e164(number):
                # Without a country it is nobody's for certain, and no do-not-call list would hold it back.
                yield "bad_number"
            elif not self._by_outcome(row):
                yield "outcome"
            elif before.reached:
                yield "reached_before"
            elif before.calls >= self.max_attempts:
                yield "max_attempts"
            else:
                yield "suppressed" if self.suppressed and self.suppressed.holds(int(number[1:])) else None

    def _by_outcome(self, row: Row) -> bool:
        return call_status(row["call_status"]) in self.outcomes


def _chosen(rows: Iterable[Row], rule: _Rule, counted: Counter[str], rejects: Any) -> Iterator[Row]:
    """Yield whom to call again, each number once; everybody else is counted and written down."""
    writer = csv.writer(rejects)
    writer.writerow(["row_number", "reason", "masked_number", "call_status"])
    taken = NumberSet()
    rows = iter(rows)
    row_number = 0
    while piece := list(islice(rows, _ROWS_AT_ONCE)):
        for row, refused in zip(piece, rule.reasons(piece), strict=True):
            row_number += 1
            is_repeated = refused is None and not taken.add(int(row["phone_number"][1:]))
            reason = "duplicate" if is_repeated else refused
            if reason is None:
                yield row
                continue
            counted[reason] += 1
            writer.writerow([row_number, reason, mask_number(row.get("phone_number") or ""), row["call_status"]])
    counted["rows"] = row_number


def _as_contacts(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    for row in rows:
        contact = {"phone_number": row["phone_number"]}
        if row.get("first_name"):
            contact["first_name"] = row["first_name"]
        yield contact


def _from_list(rows: Iterable[Row], contacts: ContactList) -> Iterator[dict[str, Any]]:
    """Yield the contacts of the original list whose number was chosen."""
    wanted, found = NumberSet(), 0
    for row in rows:
        wanted.add(int(row["phone_number"][1:]))
    for chunk in contacts.chunks(_CHUNK):
        for contact in chunk:
            if int(contact["phone_number"][1:]) in wanted:
                found += 1
                yield contact
    if found < len(wanted):
        raise ResultsError(
            f"{len(wanted) - found} people to be called again are not in the list given as contacts. Give the list "
            "that the campaign was made from, or none."
        )
