"""Read a person's consent from a row: whether it is valid, and what is recorded about it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.values import UnreadableTextError, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)?(?: ?(?:(Z|UTC)|([+-])(\d\d)(?::?(\d\d))?))?)?"
)
#: Nowhere is a day earlier in UTC; a time without an offset is taken at its earliest, which makes a consent older.
_EARLIEST_DAY = timedelta(hours=14)
_CLOCKS_DIFFER_BY = timedelta(minutes=5)


@dataclass(frozen=True)
class Consent:
    """
    Consent that each row has to show; a row without it is refused.

    :param column: column of the date, or date and time, at which the person consented: ISO 8601, or a date of the
        database. Empty, in the future, or readable in two ways (``03/04/2026``, a count of seconds) is ``no_consent``.
    :param max_age: how old a consent may be when the list is made; an older one is ``consent_expired``. A date
        without a time, and a time without an offset, count from their earliest. Default: any age.
    :param scope_column: column that says what the person consented to; empty is ``no_consent``. Default: none is read.
    :param scopes: the values of ``scope_column`` that cover this campaign, in any case. Default: any but an empty one.
    :raises ValueError: ``scopes`` without ``scope_column``, or ``max_age`` is not a positive ``timedelta``.
    """

    column: str
    max_age: timedelta | None = None
    scope_column: str | None = None
    scopes: Sequence[str] = ()

    def __post_init__(self) -> None:
        named = [self.column] if self.scope_column is None else [self.column, self.scope_column]
        if not all(isinstance(name, str) and name for name in named):
            raise ValueError(f"Consent: column and scope_column must be names of columns, not {named}")
        scopes = (self.scopes,) if isinstance(self.scopes, str) else self.scopes
        if not isinstance(scopes, (list, tuple, set, frozenset)) or not all(isinstance(one, str) for one in scopes):
            raise ValueError(f"Consent: scopes={self.scopes!r} must be a list of texts")
        scopes = tuple(scopes)
        object.__setattr__(self, "scopes", scopes)
        if scopes and self.scope_column is None:
            raise ValueError("Consent: scopes= needs scope_column=")
        if self.max_age is not None and (not isinstance(self.max_age, timedelta) or self.max_age <= timedelta(0)):
            raise ValueError(f"Consent: max_age={self.max_age!r} must be a timedelta of more than nothing")

    def named(self) -> set[str]:
        """Return the columns that it names."""
        return {self.column} | ({self.scope_column} if self.scope_column is not None else set())

    def renamed(self, names: Mapping[str, str]) -> Consent:
        """Return the same rule for rows with other column names, by old and new name."""
        scope = None if self.scope_column is None else names.get(self.scope_column, self.scope_column)
        return replace(self, column=names.get(self.column, self.column), scope_column=scope)

    def reader(self, now: datetime) -> Callable[[Mapping[str, Any]], bytes | Reason]:
        """
        Return the function from a row to what is relied on, as JSON, or to the reason why nothing can be.

        :param now: the instant at which the list is made.
        """
        column, scope_column = self.column, self.scope_column
        covered = frozenset(scope.strip().casefold() for scope in self.scopes)

        def read(row: Mapping[str, Any]) -> bytes | Reason:
            try:
                given_at = text_of(row.get(column))
                scope = text_of(row.get(scope_column)) if scope_column is not None else ""
                given = _earliest(given_at)
                kept = _to_json({"given_at": given_at, "scope": scope}).encode()
            except (UnreadableTextError, ValueError, OverflowError):
                return Reason.NO_CONSENT
            if given is None or given > now + _CLOCKS_DIFFER_BY:
                return Reason.NO_CONSENT
            if scope_column is not None and (not scope or (covered and scope.casefold() not in covered)):
                return Reason.NO_CONSENT
            if self.max_age is not None and now - given > self.max_age:
                return Reason.CONSENT_EXPIRED
            return kept

        return read

    def to_dict(self, digest: str) -> dict[str, Any]:
        """
        Return what a manifest tells of it.

        :param digest: of what was relied on, see :class:`~airflow_truedy.contacts.contacts_file.ContactsFile`.
        """
        found: dict[str, Any] = {"column": self.column, "sha256": digest}
        if self.max_age is not None:
            found["max_age_days"] = self.max_age / timedelta(days=1)
        if self.scope_column is not None:
            found["scope_column"] = self.scope_column
        return found


def _earliest(text: str) -> datetime | None:
    """
    Return the earliest instant that a text can mean; ``None`` if it is not a date in one form alone.

    :raises ValueError: there is no such day or time.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    day, minute, second, is_utc, sign, hours, minutes = found.groups()
    moment = datetime.fromisoformat(f"{day}T{minute or '00:00'}{second or ':00'}").replace(tzinfo=timezone.utc)
    if is_utc:
        return moment
    if sign is None:
        return moment - _EARLIEST_DAY
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return moment - offset if sign == "+" else moment + offset
