"""
The results of one batch call while they are put together: a temporary SQLite file.

Contacts are listed in one order and calls in another; joining them in memory would grow with the campaign.
"""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.call_status import IN_PROGRESS, PENDING
from airflow_truedy.formats import utc_text
from airflow_truedy.results.columns import COLUMNS, Contacted, Details, outcome_group

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from types import TracebackType

    from airflow_truedy.api.models import Call

_ROWS_AT_ONCE = 1_000
_ROW = COLUMNS[1:]
_CREATE = """
CREATE TABLE result (
    position INTEGER PRIMARY KEY, contact_id TEXT UNIQUE, phone_number TEXT, first_name TEXT, call_status TEXT,
    call_id TEXT, called_at TEXT, duration_seconds NUMERIC, cost_credits NUMERIC, summary TEXT, transcript TEXT,
    details TEXT, ended_at TEXT, transcript_wanted INTEGER DEFAULT 0, written INTEGER DEFAULT 0, seen INTEGER DEFAULT 0
)
"""


@dataclass(frozen=True)
class Known:
    """
    What an earlier reading had found out about a contact.

    :param written: whether it stands where the results go, so that it need not be written again.
    """

    contact_id: str
    call_status: str
    call_id: str | None
    duration_seconds: float | None
    cost_credits: float | None
    details: str
    has_transcript: bool
    summary: str | None = None
    transcript: str | None = None
    written: bool = False

    def __repr__(self) -> str:
        return f"<Known {self.call_status}>"


class Spool:
    """One row a contact, in the server's order. A context manager: the file is gone afterwards."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="truedy-results-")
        self._db = sqlite3.connect(Path(self._folder.name) / "results.sqlite", isolation_level=None)
        # Nothing here needs to outlive the process.
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA cache_size = -8000")
        # One transaction to the end: a commit for every statement would cost more than all the rest.
        self._db.execute("BEGIN")
        self._db.execute(_CREATE)
        self._db.execute("CREATE INDEX by_call ON result (call_id)")

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        self._folder.cleanup()

    def add(self, contacts: Iterable[Contacted]) -> None:
        """Add contacts as listed; one that comes twice, because the list shifted, counts once, as it was last."""
        self._db.executemany(
            "INSERT INTO result (contact_id, phone_number, first_name, call_status, call_id, called_at, details) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (contact_id) DO UPDATE SET call_status = excluded.call_status, "
            "call_id = excluded.call_id, called_at = excluded.called_at",
            (
                (
                    each.contact_id,
                    each.phone_number,
                    each.first_name,
                    each.status,
                    each.call_id,
                    moment_text(each.called_at),
                    Details.NONE.value,
                )
                for each in contacts
            ),
        )

    def want_details(self, *, of_unended: bool) -> None:
        """
        Mark every call whose details are to be read.

        :param of_unended: also calls that are going on, because the campaign is over and they must end soon.
        """
        unended = "" if of_unended else f"AND call_status NOT IN ('{PENDING}', '{IN_PROGRESS}')"
        self._db.execute(
            f"UPDATE result SET details = ? WHERE call_id IS NOT NULL {unended}",  # noqa: S608 - own words
            (Details.WANTED.value,),
        )

    def want_transcripts(self, call_status: str) -> None:
        """Mark every call with this status as one whose transcript is to be read."""
        self._db.execute(
            "UPDATE result SET transcript_wanted = 1 WHERE call_id IS NOT NULL AND call_status = ?", (call_status,)
        )

    def contact_ids(self) -> Iterator[list[str]]:
        """All contact ids, in pieces, each to be looked up at once."""
        for rows in self._pieces("contact_id", "1"):
            yield [row[1] for row in rows]

    def recall(self, known: Iterable[Known]) -> None:
        """Take over what is known already, for each contact with the same call in the same state."""
        self._db.executemany(
            "UPDATE result SET details = :details, duration_seconds = :duration_seconds, cost_credits = :cost_credits, "
            "summary = :summary, transcript = :transcript, written = :written, "
            "transcript_wanted = transcript_wanted AND NOT :has_transcript "
            "WHERE contact_id = :contact_id AND call_status = :call_status AND call_id IS :call_id "
            # What was read without details is no help where they are wanted now.
            "AND (:details = 'complete' OR (:details = 'none' AND details = 'none'))",
            map(vars, known),
        )

    def wanted(self) -> int:
        """How many calls still want their details."""
        return self._count("details = ?", Details.WANTED.value)

    def wanted_transcripts(self) -> int:
        """How many calls still want their transcript."""
        return self._count("transcript_wanted = 1")

    def start_round(self) -> None:
        """Forget which calls were looked at."""
        self._db.execute("UPDATE result SET seen = 0")

    def look(self, call_id: str) -> bool:
        """Note that a call was looked at in this round; whether it is one that wants its details."""
        found = self._db.execute(
            "UPDATE result SET seen = 1 WHERE call_id = ? AND details = ?", (call_id, Details.WANTED.value)
        )
        return found.rowcount > 0

    def unseen_calls(self) -> Iterator[list[str]]:
        """Calls that want their details and were not looked at in this round, in pieces."""
        for rows in self._pieces("call_id", f"details = '{Details.WANTED.value}' AND seen = 0"):
            yield [row[1] for row in rows]

    def calls_without_transcript(self) -> Iterator[list[str]]:
        """Calls whose details are there and whose transcript is wanted, in pieces."""
        condition = f"transcript_wanted = 1 AND details = '{Details.COMPLETE.value}'"
        for rows in self._pieces("call_id", condition):
            yield [row[1] for row in rows]

    def set_details(self, call_id: str, status: str, call: Call) -> None:
        """Keep the details of a call; ``status`` replaces that of a row whose call was still going on."""
        self._db.execute(
            "UPDATE result SET details = ?, duration_seconds = ?, cost_credits = ?, summary = ?, ended_at = ?, "
            "written = 0, call_status = CASE WHEN call_status IN (?, ?) THEN ? ELSE call_status END WHERE call_id = ?",
            (
                Details.COMPLETE.value,
                call.duration_seconds,
                call.cost_credits,
                call.summary,
                moment_text(call.ended_at),
                PENDING,
                IN_PROGRESS,
                status,
                call_id,
            ),
        )

    def miss_details(self, call_id: str) -> None:
        """Note that the server does not know this call."""
        self._db.execute("UPDATE result SET details = ? WHERE call_id = ?", (Details.MISSING.value, call_id))

    def set_transcript(self, call_id: str, text: str) -> None:
        """Keep a transcript, as JSON text."""
        self._db.execute(
            "UPDATE result SET transcript = ?, transcript_wanted = 0, written = 0 WHERE call_id = ?", (text, call_id)
        )

    def miss_transcript(self, call_id: str, fresh_since: datetime) -> None:
        """Ask no more for the transcript of this call, unless it ended after ``fresh_since``."""
        self._db.execute(
            "UPDATE result SET transcript_wanted = 0 WHERE call_id = ? AND coalesce(ended_at, '') < ?",
            (call_id, moment_text(fresh_since)),
        )

    def give_up(self) -> None:
        """Mark what is still wanted as missing."""
        self._db.execute(
            "UPDATE result SET details = ? WHERE details = ?", (Details.MISSING.value, Details.WANTED.value)
        )

    def rows(self, *, unwritten_only: bool = False) -> Iterator[tuple[Any, ...]]:
        """Yield rows in the server's order, without the batch call's id; see :data:`~.results.COLUMNS`."""
        for rows in self._pieces(", ".join(_ROW), "written = 0" if unwritten_only else "1"):
            for row in rows:
                yield row[1:]

    def counts(self) -> Counts:
        """Count what is here."""
        by_outcome: dict[str, int] = {}
        query = "SELECT call_status, count(*) FROM result GROUP BY call_status ORDER BY call_status"
        for status, count in self._db.execute(query):
            group = outcome_group(status)
            by_outcome[group] = by_outcome.get(group, 0) + count
        sums = self._db.execute(
            "SELECT count(*), count(called_at), coalesce(sum(details = ?), 0), coalesce(sum(duration_seconds), 0), "
            "coalesce(sum(cost_credits), 0), coalesce(sum(written = 0), 0) FROM result",
            (Details.MISSING.value,),
        ).fetchone()
        return Counts(by_outcome, *sums)

    def _count(self, condition: str, *values: Any) -> int:
        query = f"SELECT count(*) FROM result WHERE {condition}"  # noqa: S608 - own words
        found: int = self._db.execute(query, values).fetchone()[0]
        return found

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


@dataclass(frozen=True)
class Counts:
    """What the rows of a spool add up to."""

    by_outcome: dict[str, int]
    contacts: int
    called: int
    details_missing: int
    duration_seconds: float
    cost_credits: float
    unwritten: int


def moment_text(moment: datetime | None) -> str | None:
    """Write an instant as results hold it: ISO 8601 in UTC."""
    return None if moment is None else utc_text(moment, fraction=True)
