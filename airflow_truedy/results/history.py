"""What earlier and other campaigns know about the people that a follow-up may call, kept on disk."""

from __future__ import annotations

import sqlite3
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_truedy.campaigns.status import call_status
from airflow_truedy.results.columns import Details, is_international, known_instant, person_of
from airflow_truedy.results.outcomes import is_attempt, is_open, is_refusal, rank, was_reached

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from airflow_truedy.contacts.number_set import NumberSet

    Row = Mapping[str, Any]

_ROWS_AT_ONCE = 1_000
_SHORTEST_NATIONAL, _LONGEST_NUMBER = 7, 15
_CREATE = """
CREATE TABLE row (
    batch TEXT, contact TEXT, person TEXT, is_national INTEGER, rank INTEGER, counts INTEGER, reached INTEGER,
    refused INTEGER, open INTEGER, at REAL, PRIMARY KEY (batch, contact)
);
CREATE INDEX by_person ON row (person);
"""


class Person(NamedTuple):
    """
    What is known about one person.

    :param attempts: how often the person was called.
    :param reached: whether the person was spoken to.
    :param refused: whether the person, or the number, is never to be called again.
    :param open_elsewhere: whether another campaign, or one that has not ended, may still call the person.
    :param called_later: whether another campaign called the person after the one that is followed up.
    :param last_call_unknown: whether another campaign has the person, and nobody knows which of the two called last.
    """

    attempts: int = 0
    reached: bool = False
    refused: bool = False
    open_elsewhere: bool = False
    called_later: bool = False
    last_call_unknown: bool = False


class History:
    """
    The rows of several campaigns, looked up by person. A context manager.

    Each row counts once, even if the results of its campaign are added several times; of two readings the one that
    knows more counts. A row is one attempt, unless it is pending or cancelled and has neither ``called_at`` nor a call.
    Retries that the server makes inside a campaign cannot be counted: the API does not report them.

    :param batch_call_id: the campaign that is followed up.
    :param since: calls before this instant are neither attempts nor conversations. A call without ``called_at`` counts
        as later. A refusal always counts.
    :param is_over: whether the campaign has ended, so that none of its own rows will be called any more.
    :param people: numbers of the people who may be asked for; rows of all others are not kept. Default: all are.
    """

    def __init__(
        self,
        batch_call_id: str,
        since: datetime | None = None,
        *,
        is_over: bool = True,
        people: NumberSet | None = None,
    ) -> None:
        self._batch = batch_call_id
        self._since = since
        self._is_over = is_over
        self._people = people
        # An empty name is a temporary file that SQLite removes by itself.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(_CREATE)
        self._db.execute("BEGIN")
        self._has_national = False

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def add(self, rows: Iterable[Row]) -> None:
        """Add the rows of one or more campaigns."""
        facts = filter(None, map(self._facts, rows))
        while piece := list(islice(facts, _ROWS_AT_ONCE)):
            self._has_national = self._has_national or any(fact[3] for fact in piece)
            # What two readings of a row tell is added up: the higher rank, and whatever either of them knows.
            self._db.executemany(
                "INSERT INTO row VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (batch, contact) DO UPDATE SET "
                "open = CASE WHEN excluded.rank > rank THEN excluded.open WHEN excluded.rank < rank THEN open "
                "ELSE min(open, excluded.open) END, rank = max(rank, excluded.rank), "
                "counts = max(counts, excluded.counts), reached = max(reached, excluded.reached), "
                "refused = max(refused, excluded.refused), at = CASE WHEN at IS NULL THEN excluded.at "
                "WHEN excluded.at IS NULL THEN at ELSE max(at, excluded.at) END",
                piece,
            )

    def _facts(self, row: Row) -> tuple[Any, ...] | None:
        number = row.get("phone_number")
        person = person_of(number)
        if not number or not person:
            return None
        is_national = not is_international(number)
        is_asked_for = self._people is None or (len(person) <= _LONGEST_NUMBER and int(person) in self._people)
        if not is_national and not is_asked_for:
            return None
        status, at = call_status(row.get("call_status")), known_instant(row.get("called_at"))
        is_recent = self._since is None or at is None or at >= self._since
        contact = row.get("contact_id") or person
        return (
            row["batch_call_id"],
            f"{contact} {person}",
            person,
            is_national,
            rank(status),
            is_recent and is_attempt(status, has_call=bool(at or row.get("call_id"))),
            is_recent and was_reached(status),
            is_refusal(status),
            is_open(status) and row.get("details") != Details.GONE.value,
            at and at.timestamp(),
        )

    def of(self, number: str) -> Person:
        """
        Return what is known about a person.

        :param number: E.164. Two numbers with a country code are compared whole. One without may belong to every person
            whose number ends with these digits, and counts for each of them.
        """
        digits = number[1:]
        same = "person = ?"
        values = [digits]
        if self._has_national:
            endings = [digits[cut:] for cut in range(1, len(digits) - _SHORTEST_NATIONAL + 1)]
            written = [*endings, *(f"0{ending}" for ending in endings)]
            same += f" OR (is_national AND person IN ({', '.join('?' * len(written))}))"
            values += written
        rows = self._db.execute(
            f"SELECT batch, counts, reached, refused, open, at FROM row WHERE {same}",  # noqa: S608 - own words
            values,
        ).fetchall()
        calls = [(batch == self._batch, _last_call(batch, counts, at)) for batch, counts, *_, at in rows]
        here = max((call for is_here, call in calls if is_here), default=_NO_CALL)
        elsewhere = [call for is_here, call in calls if not is_here]
        return Person(
            attempts=sum(row[1] for row in rows),
            reached=any(row[2] for row in rows),
            refused=any(row[3] for row in rows),
            open_elsewhere=any(row[4] for row in rows if row[0] != self._batch or not self._is_over),
            called_later=any(call > here for call in elsewhere),
            last_call_unknown=here in elsewhere,
        )


_NO_CALL = (0, 0.0, "")


def _last_call(batch: str, counts: int, at: float | None) -> tuple[int, float, str]:
    """
    Return what tells which of several campaigns called last: the person belongs to that one's follow-up alone.

    A call of which the server tells when it was comes after one that may have been at any time, and this one after
    none. Two without a time are equal: nobody knows. All of this is the same whatever calls a follow-up counts.
    """
    return (counts, 0.0, "") if at is None else (2, at, batch)
