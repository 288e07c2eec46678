"""Do-not-call lists: plain or hashed numbers that must not be called, from any iterable."""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_truedy.contacts.errors import (
    ContactsError,
    EmptySuppressionError,
    StaleSuppressionError,
    UnreadableSuppressionError,
)
from airflow_truedy.contacts.number_set import DigestSet, NumberSet, writings_of
from airflow_truedy.contacts.reasons import ALLOWABLE, Reason
from airflow_truedy.contacts.rules import check_list
from airflow_truedy.contacts.values import UnreadableTextError, text_of
from airflow_truedy.files.reader import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_truedy.contacts.convert import RowOutcome

log = logging.getLogger(__name__)

_is_sha256 = re.compile(r"[0-9a-f]{64}").fullmatch
_CLOCKS_DIFFER_BY = timedelta(minutes=5)
#: Of so many people one at least is on a do-not-call list, as a rule.
_MANY = 1_000
_SHOWN = 5


@dataclass(frozen=True)
class Suppression:
    """
    One do-not-call list.

    :param entries: the cells of the list: numbers in any form, or sha256 digests; read once. Empty cells are passed
        over.
    :param name: what the list is called in error messages.
    :param region: in which region its numbers without ``+`` are read: an ISO 3166 code, or ``None``: an entry without
        ``+`` cannot be read. Must be stated, unless ``hashed``. It may differ from that of the contacts.
    :param hashed: the entries are sha256 digests in hex (any case) of ``salt`` followed by the E.164 number with its
        ``+``.
    :param salt: what comes before the number when it is hashed. Default: nothing.
    :param as_of: when the list was true, with a time zone. For a file: its change time, see :func:`changed_at`.
    :param max_age: how old it may be; needs ``as_of``. Default: any age.
    :param max_unreadable: how many entries may be unreadable before the list is refused: an ``int`` is a number, a
        ``float`` a share. Default 0, for an entry that is not understood is a person who gets called.
    :param allow_empty: whether the list may be without any entry. Default ``False``: a list that was not loaded, or
        whose entries are in another column, looks like one with nobody on it.
    """

    entries: Iterable[Any]
    name: str = "suppression list"
    region: str | None = ""
    hashed: bool = False
    salt: str = ""
    as_of: datetime | None = None
    max_age: timedelta | None = None
    max_unreadable: int | float = 0
    allow_empty: bool = False

    def __post_init__(self) -> None:
        check_list(self.name, self)
        if self.as_of is not None and (not isinstance(self.as_of, datetime) or self.as_of.tzinfo is None):
            raise ContactsError(f"{self.name}: as_of has no time zone, or no time of day; state a datetime with both")

    def __repr__(self) -> str:
        return f"<Suppression {self.name!r}>"

    def open(self) -> Suppression:
        """Return the list itself: it is ready to be read."""
        return self

    def check_age(self, now: datetime) -> None:
        """
        :raises StaleSuppressionError: the list is older than ``max_age``, or its age is unknown: ``as_of`` is
            not stated, or more than five minutes in the future.
        """
        if self.max_age is None:
            return
        if self.as_of is None:
            raise StaleSuppressionError(f"{self.name}: max_age is stated, but not as_of, so its age is not known")
        if self.as_of - now > _CLOCKS_DIFFER_BY:
            raise StaleSuppressionError(
                f"{self.name}: its as_of {self.as_of.isoformat()} is in the future, so its age is not known"
            )
        if now - self.as_of > self.max_age:
            raise StaleSuppressionError(
                f"{self.name}: it is of {self.as_of.isoformat(timespec='minutes')}, {_in_days(now - self.as_of)} old; "
                f"max_age allows {_in_days(self.max_age)}. No contacts were made: refresh the list, then clear the task"
            )


class Suppressed:
    """
    The numbers of all lists together, see :mod:`.number_set` for what they cost in memory.

    :ivar beginnings: name of a plain list -> the first three digits of its numbers.
    :ivar salts: name of a hashed list -> its salt.
    """

    def __init__(self) -> None:
        self.plain = NumberSet()
        self.hashed: dict[str, DigestSet] = {}
        self.beginnings: dict[str, set[str]] = {}
        self.salts: dict[str, str] = {}
        self._met: set[str] = set()

    def drop(self, outcomes: Iterable[RowOutcome]) -> Iterator[RowOutcome]:
        """Mark every contact that is on a list; warn about a list that seems to hold none of their kind of numbers."""
        beginnings: Counter[str] = Counter()
        for outcome in outcomes:
            if outcome.reason is None:
                beginnings[str(outcome.number)[:3]] += 1
                if self.holds(outcome.number):
                    outcome = outcome._replace(reason=Reason.SUPPRESSED)  # noqa: PLW2901
            yield outcome
        self._warn_of_others(beginnings)

    def holds(self, number: int) -> bool:
        """Tell whether the number, given by its digits, is on a list."""
        if number in self.plain:
            return True
        for salt, digests in self.hashed.items():
            for writing in writings_of(number):
                if hashlib.sha256(f"{salt}+{writing}".encode()).digest() in digests:
                    self._met.add(salt)
                    return True
        return False

    def _warn_of_others(self, contacts: Counter[str]) -> None:
        countries = set(map(_country_code, contacts))
        for name, beginnings in self.beginnings.items():
            there = set(map(_country_code, beginnings))
            if there and countries and not there & countries:
                log.warning(
                    "%s: its numbers have the country codes %s, not one of them that of a contact (%s). Is its region "
                    "the right one?",
                    name,
                    _listed(there),
                    _listed(countries),
                )
        for name, salt in self.salts.items():
            if salt not in self._met and contacts.total() >= _MANY:
                log.warning(
                    "%s: not one of %d contacts is on it. Was it hashed with this salt, and the numbers with their +?",
                    name,
                    contacts.total(),
                )


def _country_code(beginning: str) -> str:
    """Return the country code of a number by its first three digits; no code begins with another."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return next((beginning[:end] for end in (1, 2) if int(beginning[:end]) in COUNTRY_CODE_TO_REGION_CODE), beginning)


def _listed(codes: set[str]) -> str:
    shown = ", ".join(f"+{code}" for code in sorted(codes)[:_SHOWN])
    return f"{shown}, ..." if len(codes) > _SHOWN else shown


def _in_days(age: timedelta) -> str:
    return f"{age / timedelta(days=1):.3g} days"


def suppressed_numbers(sources: Any, now: datetime | None = None) -> Suppressed | None:
    """
    Read do-not-call lists.

    :param sources: the lists, or one of them: :class:`Suppression`, or anything whose ``open`` returns one; ``None``
        comes back when there are none.
    :param now: the time against which ages are held. Default: now.
    :raises StaleSuppressionError: one is too old.
    :raises UnreadableSuppressionError: one holds too many entries that cannot be read.
    :raises EmptySuppressionError: one holds no entry that can be used, and does not say ``allow_empty``.
    """
    several = (sources,) if hasattr(sources, "open") else sources
    lists: list[Suppression] = [each.open() for each in several]
    if not lists:
        return None
    suppressed = Suppressed()
    for entry in lists:
        entry.check_age(now or datetime.now(timezone.utc))
    for entry in lists:
        _read(entry, suppressed)
    return suppressed


def changed_at(path: Any) -> datetime:
    """
    Return when a file was changed last, for ``as_of``; of a folder or pattern, when its oldest file was.

    :param path: a path or ``ObjectStoragePath``.
    """
    return datetime.fromtimestamp(min(part.stat().st_mtime for part in parts_of(path) or [path]), timezone.utc)


def _read(entry: Suppression, suppressed: Suppressed) -> None:
    """Add the entries of a list; refuse one by which somebody on it might be called."""
    add = (_adder_of_hashed if entry.hashed else _adder_of_plain)(entry, suppressed)
    total, unreadable = 0, Counter[str]()
    for cell in entry.entries:
        total += 1
        if refused := add(cell):
            unreadable[refused] += 1
    empty = unreadable.pop(Reason.EMPTY.value, 0)
    total -= empty
    log.info("%s: %d entries, %d empty", entry.name, total, empty)
    refused_in_all, limit = unreadable.total(), entry.max_unreadable
    if refused_in_all > (limit * total if isinstance(limit, float) else limit):
        raise UnreadableSuppressionError(
            f"{entry.name}: {refused_in_all} of {total} entries cannot be read, max_unreadable is {limit}: "
            f"{dict(unreadable.most_common())}"
        )
    if refused_in_all == total and not entry.allow_empty:
        raise EmptySuppressionError(
            f"{entry.name}: it gave no entry that can be used, of {total + empty} cells {empty} are empty. Was it "
            "loaded, and are the entries in the column that is read? State allow_empty=True if nobody may be on it"
        )


def _adder_of_plain(entry: Suppression, suppressed: Suppressed) -> Callable[[Any], str | None]:
    """Return the function that adds a number, or says why it cannot be read."""
    from airflow_truedy.contacts.numbers import normaliser

    # Every kind is taken, and notes are passed over: an entry that is refused would be a called person.
    verdict_of = normaliser(ALLOWABLE | {Reason.NOTE})
    beginnings = suppressed.beginnings.setdefault(entry.name, set())

    def add(cell: Any) -> str | None:
        verdict = verdict_of(cell, entry.region)
        if isinstance(verdict, Reason):
            return str(verdict.value)
        beginnings.add(verdict[1:4])
        suppressed.plain.add(int(verdict))
        return None

    return add


def _adder_of_hashed(entry: Suppression, suppressed: Suppressed) -> Callable[[Any], str | None]:
    """Return the function that adds a digest, or says why it is none."""
    digests = suppressed.hashed.setdefault(entry.salt, DigestSet())
    suppressed.salts[entry.name] = entry.salt

    def add(cell: Any) -> str | None:
        try:
            text = text_of(cell).lower()
        except UnreadableTextError:
            return "no_sha256"
        if not _is_sha256(text):
            return "no_sha256" if text else Reason.EMPTY.value
        digests.add(bytes.fromhex(text))
        return None

    return add
