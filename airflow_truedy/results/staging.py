"""
The results of one batch call, in a temporary SQLite file: joined in memory, they would grow with the campaign.

The results of an earlier reading (from a table or a file) are loaded too, so that complete calls are not read again,
unchanged rows are not written again, and no status goes back.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.status import COMPLETED, IN_PROGRESS, PENDING, UNCALLED
from airflow_truedy.campaigns.timing import in_words
from airflow_truedy.formats import moment_of
from airflow_truedy.results.columns import (
    COLUMNS,
    Contacted,
    Details,
    finite,
    instant_text,
    known_instant,
    person_of,
    readable,
    with_digest,
)
from airflow_truedy.results.outcomes import outcome_group, rank, with_call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from airflow_truedy.api.models import Call
    from airflow_truedy.calling_hours.part_hours import PartHours
    from airflow_truedy.contacts.lists import Entry

log = logging.getLogger(__name__)

_ROWS_AT_ONCE = 1_000
_ROW = COLUMNS[1:]
#: What decides whether a row is as it was; a transcript that was not read again changes nothing.
_COMPARED = tuple(name for name in _ROW if name not in ("contact_id", "transcript"))
_DETAILS = ("duration_seconds", "cost_credits", "summary", "transcript")
_NUMBERS = ("outside_hours", "duration_seconds", "cost_credits")
_SAME_CALL = "known.contact_id = result.contact_id AND known.call_id = result.call_id"
#: Of the same call the server may have told later, or corrected, when it was.
_LATEST_CALLED_AT = (
    "CASE WHEN known.call_id = result.call_id THEN coalesce(result.called_at, known.called_at) ELSE known.called_at END"
)
_MOST_WARNINGS = 10
#: People who were called outside their hours, by name.
_MOST_NAMED = 20
# Nothing here needs to outlive the process.
_CREATE = f"""
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -8000;
CREATE TABLE result (
    position INTEGER PRIMARY KEY, listed_id TEXT, person TEXT, ended_at TEXT, transcript_wanted INTEGER DEFAULT 0,
    seen INTEGER DEFAULT 0, {", ".join(f"{name} {'NUMERIC' if name in _NUMBERS else 'TEXT'}" for name in _ROW)},
    UNIQUE (listed_id, person)
);
CREATE INDEX by_call ON result (call_id);
CREATE INDEX by_id ON result (contact_id);
CREATE INDEX by_person ON result (person);
CREATE TABLE known (contact_id TEXT PRIMARY KEY, has_transcript INTEGER, {", ".join(_ROW[1:])});
"""


@dataclass(frozen=True)
class Totals:
    """What the staged rows add up to."""

    contacts: int
    called: int
    by_outcome: dict[str, int]
    details_missing: int
    duration_seconds: float
    cost_credits: float


class Staging:
    """One row for each contact, in the server's order. A context manager: the file is gone afterwards."""

    def __init__(self) -> None:
        # An empty name is a temporary file that SQLite removes by itself.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.create_function("status_rank", 1, rank, deterministic=True)
        self._db.executescript(_CREATE)
        # One transaction to the end: a commit for every statement would cost more than all the rest.
        self._db.execute("BEGIN")

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    # What is listed

    def add(self, contacts: Iterable[Contacted]) -> None:
        """Add contacts as listed. If one comes twice because the list shifted, the last one counts."""
        self._db.executemany(
            "INSERT INTO result (listed_id, contact_id, person, phone_number, first_name, call_status, call_id, "
            "called_at, cleaned, details) VALUES (:contact_id, :contact_id, :person, :phone_number, :first_name, "
            ":status, :call_id, :called_at, :cleaned, 'none') "
            "ON CONFLICT (listed_id, person) DO UPDATE SET call_status = excluded.call_status, "
            "call_id = excluded.call_id, called_at = excluded.called_at "
            "WHERE status_rank(excluded.call_status) >= status_rank(result.call_status)",
            (
                {
                    **vars(each),
                    "person": person_of(each.phone_number) or "",
                    "called_at": instant_text(each.called_at),
                }
                for each in contacts
            ),
        )

    def count(self, condition: str = "1") -> int:
        """Return how many contacts are here, all or those of an SQL condition."""
        found: int = self._db.execute(f"SELECT count(*) FROM result WHERE {condition}").fetchone()[0]  # noqa: S608
        return found

    def tell_apart(self) -> None:
        """Give people who share one contact id separate ids, the same in every reading."""
        shared = self._db.execute(
            "SELECT position, listed_id, person FROM result WHERE listed_id IN "
            "(SELECT listed_id FROM result GROUP BY listed_id HAVING count(*) > 1)"
        ).fetchall()
        if shared:
            log.warning("%d contacts share their contact_id with another one; each has a row of its own.", len(shared))
        self._db.executemany(
            "UPDATE result SET contact_id = ? WHERE position = ?",
            ((with_digest(listed_id, person), position) for position, listed_id, person in shared),
        )

    def join_people(self, entries: Iterable[Entry]) -> None:
        """Put key and custom fields of the list that the campaign was made from beside the people, by their numbers."""
        self._db.executemany(
            "UPDATE result SET contact_key = ?, custom_fields = ? WHERE person = ?",
            (
                (
                    contact_key or None,
                    json.dumps(fields, ensure_ascii=False) if (fields := contact.get("custom_fields")) else None,
                    person_of(contact["phone_number"]),
                )
                for contact, contact_key in entries
            ),
        )

    # What an earlier reading knew

    def remember(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep what an earlier reading found out; a row may have ``has_transcript`` in place of the transcript."""
        names = ("has_transcript", *_ROW)
        marks, changes = ", ".join("?" * len(names)), ", ".join(f"{name} = excluded.{name}" for name in names)
        self._db.executemany(
            f"INSERT INTO known ({', '.join(names)}) VALUES ({marks}) ON CONFLICT (contact_id) DO UPDATE "  # noqa: S608
            f"SET {changes} WHERE status_rank(excluded.call_status) >= status_rank(known.call_status)",
            map(_as_known, rows),
        )

    def recall(self) -> None:
        """Take over calls that are known whole, and rows that know more than the server tells now."""
        # Some servers tell only in the call, which is not read again, when it was.
        self._db.execute(
            f"UPDATE result SET called_at = (SELECT called_at FROM known WHERE {_SAME_CALL}) "  # noqa: S608 - own words
            "WHERE called_at IS NULL"
        )
        complete = f"{_SAME_CALL} AND known.details = 'complete'"
        self._take_over(("details", *_DETAILS), complete, "result.details IN ('none', 'wanted')")
        newer = (
            "known.contact_id = result.contact_id "
            "AND status_rank(known.call_status) > status_rank(result.call_status) AND known.details <> 'gone'"
        )
        self._take_over(("details", *_DETAILS, "call_status", "call_id"), newer, "1", called_at=_LATEST_CALLED_AT)
        self._take_over(("contact_key", "custom_fields"), "known.contact_id = result.contact_id", "1")
        same_moment = "known.contact_id = result.contact_id AND known.called_at = result.called_at"
        self._take_over(("outside_hours",), same_moment, "1")

    def _take_over(self, names: tuple[str, ...], condition: str, where: str, **others: str) -> None:
        has_none = f"(SELECT NOT known.has_transcript FROM known WHERE {condition})"  # noqa: S608 - own words
        wanted = f"transcript_wanted = transcript_wanted AND {has_none}, " if "transcript" in names else ""
        values = {**{name: f"known.{name}" for name in names}, **others}
        self._db.execute(
            f"UPDATE result SET {wanted}"  # noqa: S608 - own words
            f"({', '.join(values)}) = (SELECT {', '.join(values.values())} FROM known WHERE {condition}) "
            f"WHERE {where} AND EXISTS (SELECT 1 FROM known WHERE {condition})"
        )

    def gone(self) -> list[str]:
        """Return the ids of contacts from an earlier reading that the server no longer lists."""
        query = (
            "SELECT contact_id FROM known WHERE details IS NOT 'gone' "
            "AND contact_id NOT IN (SELECT contact_id FROM result) ORDER BY contact_id"
        )
        return [row[0] for row in self._db.execute(query)]

    # What is wanted of the calls

    def want_details(self, *, of_unended: bool, transcripts: bool = False) -> None:
        """
        Mark every call whose details are to be read.

        :param of_unended: also calls in progress: the campaign is over, so they end soon.
        :param transcripts: also what was spoken in the calls that were answered.
        """
        unended = "" if of_unended else f"AND call_status NOT IN ('{PENDING}', '{IN_PROGRESS}')"
        self._db.execute(
            f"UPDATE result SET details = 'wanted', "  # noqa: S608 - own words
            f"transcript_wanted = {int(transcripts)} AND call_status = '{COMPLETED}' "
            f"WHERE call_id IS NOT NULL {unended}"
        )

    def wanted(self) -> int:
        """Return how many calls still want their details."""
        return self.count("details = 'wanted'")

    def wanted_transcripts(self) -> int:
        """Return how many calls still want their transcript."""
        return self.count("transcript_wanted = 1")

    def start_round(self) -> None:
        """Forget which calls were read."""
        self._db.execute("UPDATE result SET seen = 0")

    def look(self, call_id: str) -> bool:
        """Note that a call was read in this round; return whether it is one that wants its details."""
        found = self._db.execute("UPDATE result SET seen = 1 WHERE call_id = ? AND details = 'wanted'", (call_id,))
        return found.rowcount > 0

    def unseen_calls(self) -> Iterator[list[str]]:
        """Yield, in pieces, calls without details that were not read in this round."""
        return self._calls("details = 'wanted' AND seen = 0")

    def calls_without_transcript(self) -> Iterator[list[str]]:
        """Yield, in pieces, calls with details whose transcript is still to be read."""
        return self._calls("transcript_wanted = 1 AND details IN ('complete', 'partial')")

    def _calls(self, condition: str) -> Iterator[list[str]]:
        for rows in self._pieces("call_id", condition):
            yield list(dict.fromkeys(row[1] for row in rows))

    def set_details(self, call_id: str, call: Call, details: Details) -> None:
        """Keep the details of a call, and its status where that knows more than the contact's row."""
        summary = readable(call.summary)
        rows = self._db.execute("SELECT position, call_status FROM result WHERE call_id = ?", (call_id,))
        for position, status in rows.fetchall():
            self._db.execute(
                "UPDATE result SET details = ?, duration_seconds = ?, cost_credits = ?, summary = ?, ended_at = ?, "
                "call_status = ?, called_at = coalesce(called_at, ?) WHERE position = ?",
                (
                    details.value,
                    finite(call.duration_seconds, 3),
                    finite(call.cost_credits, 4),
                    summary,
                    instant_text(call.ended_at),
                    readable(with_call(status, call)),
                    instant_text(call.started_at),
                    position,
                ),
            )
            if summary != call.summary:
                self._mark(f"position = {position}", "summary")

    def miss_details(self, call_id: str) -> None:
        """Note that the server does not know this call."""
        self._db.execute("UPDATE result SET details = 'missing' WHERE call_id = ?", (call_id,))

    def set_transcript(self, call_id: str, text: str) -> None:
        """Keep a transcript, as JSON text."""
        self._db.execute(
            "UPDATE result SET transcript = ?, transcript_wanted = 0 WHERE call_id = ?", (readable(text), call_id)
        )

    def miss_transcript(self, call_id: str, fresh_since: datetime) -> None:
        """Stop asking for the transcript of this call, unless it ended after ``fresh_since``."""
        self._db.execute(
            "UPDATE result SET transcript_wanted = 0 WHERE call_id = ? AND coalesce(ended_at, '') < ?",
            (call_id, instant_text(fresh_since)),
        )

    def give_up(self) -> None:
        """Mark details that were not found as missing; parts that an earlier reading found stay."""
        partial = f"{_SAME_CALL} AND known.details = 'partial'"
        self._take_over(("details", *_DETAILS), partial, "result.details IN ('wanted', 'missing')")
        self._db.execute("UPDATE result SET details = 'missing' WHERE details = 'wanted'")

    # What comes out

    def fit(self, longest: Mapping[str, int], largest: Mapping[str, float]) -> None:
        """
        Cut texts, and leave numbers out, that the columns of a table cannot hold; the row is marked and named.

        :param longest: column -> most characters.
        :param largest: column -> a number that is too large for it.
        """
        left_out = "was left out: the column cannot hold it"
        for name, most in longest.items():
            is_json = name in ("custom_fields", "transcript")  # which cannot be cut
            value, what = (
                ("NULL", left_out) if is_json else (f"substr({name}, 1, {most})", f"was cut to {most} characters")
            )
            self._change(name, f"length({name}) > {most}", value, what)
        for name, limit in largest.items():
            self._change(name, f"abs({name}) >= {limit!r}", "NULL", left_out)

    def _change(self, name: str, condition: str, value: str, what: str) -> None:
        rows = self._db.execute(f"SELECT position FROM result WHERE {condition}").fetchall()  # noqa: S608 - own words
        for (position,) in rows[:_MOST_WARNINGS]:
            log.warning("Row %d of the results: %s %s.", position, name, what)
        if len(rows) > _MOST_WARNINGS:
            log.warning("So it was in %d more rows.", len(rows) - _MOST_WARNINGS)
        self._mark(condition, name)
        self._db.execute(f"UPDATE result SET {name} = {value} WHERE {condition}")  # noqa: S608 - own words

    def _mark(self, condition: str, name: str) -> None:
        marked = "coalesce(cleaned || ',', '') || ?"
        self._db.execute(f"UPDATE result SET cleaned = {marked} WHERE {condition}", (name,))  # noqa: S608 - own words

    def rows(self, *, changed_only: bool = False) -> Iterator[tuple[Any, ...]]:
        """Yield rows in the server's order, without the batch call's id; see :data:`~.columns.COLUMNS`."""
        same = " AND ".join(f"known.{name} IS result.{name}" for name in _COMPARED)
        unchanged = (
            f"EXISTS (SELECT 1 FROM known WHERE known.contact_id = result.contact_id AND {same} "  # noqa: S608
            "AND (result.transcript IS NULL OR result.transcript IS known.transcript))"
        )
        names = ", ".join(_ROW)
        for rows in self._pieces(names, f"NOT {unchanged}" if changed_only else "1"):
            for row in rows:
                yield row[1:]

    def called_outside(self, hours: PartHours) -> int:
        """
        Flag calls that were placed when calling anyone on the list was forbidden, warn about each, and return how many.

        :param hours: of the people, as the manifest of their list carries them. After their last day nothing is known,
            so nobody may be called.
        """

        def is_outside(text: str | None) -> bool | None:
            called_at = known_instant(text)
            return None if called_at is None else not hours.allows(called_at)

        self._db.create_function("is_outside", 1, is_outside)
        self._db.execute("UPDATE result SET outside_hours = is_outside(called_at)")
        count = self.count("outside_hours")
        query = "SELECT contact_id, call_id, called_at FROM result WHERE outside_hours ORDER BY position LIMIT ?"
        for contact_id, call_id, called_at in self._db.execute(query, (_MOST_NAMED,)):
            when = in_words(moment_of(called_at), hours.timezone)
            log.warning("Contact %s was called outside the hours of the list: %s, call %s.", contact_id, when, call_id)
        if count:
            log.warning(
                "%d people were called OUTSIDE the hours of their list (%s, %s). Stop the campaign if it still calls, "
                "and ask Truedy why: outside_hours and called_at in the results tell who and when.",
                count,
                hours.window,
                hours.rules,
            )
        return count

    def totals(self) -> Totals:
        """Add up what is here."""
        by_outcome: Counter[str] = Counter()
        query = "SELECT call_status, count(*) FROM result GROUP BY call_status ORDER BY call_status"
        for status, count in self._db.execute(query):
            by_outcome[outcome_group(status)] += count
        uncalled = ", ".join(f"'{word}'" for word in UNCALLED)
        contacts, called, *sums = self._db.execute(
            "SELECT count(*), coalesce(sum(called_at IS NOT NULL OR call_id IS NOT NULL "  # noqa: S608 - own words
            f"OR call_status NOT IN ({uncalled})), 0), coalesce(sum(details = 'missing'), 0), "
            "coalesce(sum(duration_seconds), 0), coalesce(sum(cost_credits), 0) FROM result"
        ).fetchone()
        return Totals(contacts, called, dict(by_outcome), *sums)

    def _pieces(self, columns: str, condition: str) -> Iterator[list[tuple[Any, ...]]]:
        """Select piece by piece, each finished before the next begins, so that rows may change in between."""
        query = (
            f"SELECT position, {columns} FROM result WHERE position > ? AND {condition} "  # noqa: S608 - own words
            f"ORDER BY position LIMIT {_ROWS_AT_ONCE}"
        )
        last = 0
        while rows := self._db.execute(query, (last,)).fetchall():
            last = rows[-1][0]
            yield rows


def _as_known(row: Mapping[str, Any]) -> tuple[Any, ...]:
    values = dict(row)
    values["called_at"] = instant_text(known_instant(values.get("called_at")))
    for name in ("transcript", "custom_fields"):
        if values.get(name) is not None and not isinstance(values[name], str):
            values[name] = json.dumps(values[name], ensure_ascii=False)
    has_transcript = bool(values.get("has_transcript") or values.get("transcript") is not None)
    return (has_transcript, *(values.get(name) for name in _ROW))
