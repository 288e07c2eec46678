"""The columns of a result, one row for each contact of a batch call, and how values get into them."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_truedy.campaigns.errors import CampaignError
from airflow_truedy.campaigns.status import call_status
from airflow_truedy.formats import moment_of, utc_text
from airflow_truedy.results.outcomes import SPOKEN, has_ended

if TYPE_CHECKING:
    from airflow_truedy.api.models import BatchCallContact, Call

#: The columns of a result, in files and tables alike.
COLUMNS = (
    "batch_call_id",
    "contact_id",
    "contact_key",
    "phone_number",
    "first_name",
    "custom_fields",
    "call_status",
    "call_id",
    "called_at",
    "outside_hours",
    "duration_seconds",
    "cost_credits",
    "summary",
    "transcript",
    "details",
    "cleaned",
)
#: Seconds after a call within which its cost or summary may still come.
LATE_SECONDS = 3 * 86_400.0
_LONGEST_ID = 200
_GROUPED = re.compile(r"(?:tel:)?\+[0-9 ().\-]+", re.IGNORECASE)
_find_unreadable = re.compile("[\0\ud800-\udfff]").search
_replace_unreadable = re.compile("[\0\ud800-\udfff]").sub


class Details(str, Enum):
    """How much is known of the call behind a row."""

    NONE = "none"  #: nobody was called, or details were not asked for
    WANTED = "wanted"  #: still to be read; never in a result
    PARTIAL = "partial"  #: cost or summary may still come; the next reading asks again
    COMPLETE = "complete"
    MISSING = "missing"  #: the server had not got them yet; the next reading asks again
    GONE = "gone"  #: the server no longer lists the contact


class ResultsError(CampaignError):
    """Results cannot be read or written as asked. The message shows no phone number."""


class IncompleteResultsError(ResultsError):
    """The server listed fewer contacts than the batch call has; a later reading may find them."""

    retryable: ClassVar[bool] = True


def plain_number(text: str | None) -> str | None:
    """Return a number as ``+`` and digits, however it is grouped; one without ``+``, of any country, as it is."""
    if text is None or not _GROUPED.fullmatch(text.strip()):
        return text
    return "+" + "".join(filter(str.isdecimal, text))


def person_of(text: str | None) -> str | None:
    """
    Return the digits that stand for one person, however the number is written.

    ``+1 917 555 0101``, ``tel:+19175550101``, ``0019175550101`` and ``19175550101`` are one person. Whether digits
    without ``+`` or ``00`` begin with a country is not known; see :func:`is_international`.

    :return: ``None`` where there are no digits.
    """
    written = _without_scheme(text)
    digits = "".join(filter(str.isdecimal, written))
    return (digits if written.startswith("+") else digits.removeprefix("00")) or None


def is_international(text: str) -> bool:
    """Whether a number tells its country: ``+`` or ``00`` in front."""
    return _without_scheme(text).startswith(("+", "00"))


def _without_scheme(number: str | None) -> str:
    return (number or "").strip().lower().removeprefix("tel:")


def readable(text: str | None) -> str | None:
    """Return a text that every file and database can hold: NUL characters and half characters are replaced."""
    return text if text is None or not _find_unreadable(text) else _replace_unreadable("\ufffd", text)


def finite(value: Any, digits: int) -> float | None:
    """Return a number rounded to so many digits, ``None`` for none and for infinite ones."""
    return round(value, digits) if isinstance(value, (int, float)) and math.isfinite(value) else None


def instant_text(instant: datetime | None) -> str | None:
    """Write an instant as results hold it: ISO 8601 in UTC. A naive one is UTC."""
    known = known_instant(instant)
    return None if known is None else utc_text(known, fraction=True)


def known_instant(value: Any) -> datetime | None:
    """Read an instant out of a result, text or datetime; ``None`` where it cannot be read. A naive one is UTC."""
    if isinstance(value, str):
        try:
            value = moment_of(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Contacted:
    """
    A contact of a batch call as the server lists it. Its repr shows no personal data.

    :param cleaned: names of the columns whose text had to be changed to be writable.
    """

    contact_id: str
    phone_number: str | None
    first_name: str | None
    status: str
    call_id: str | None
    called_at: datetime | None
    cleaned: str | None = None

    def __repr__(self) -> str:
        return f"<Contacted {self.status}>"

    @classmethod
    def of(cls, row: BatchCallContact) -> Contacted:
        """
        Read a row of ``GET /batch-calls/{id}/contacts``.

        :raises ResultsError: if it has neither an id nor a number.
        """
        # A server without contact ids is known by the number, as its own list has to be.
        given = {
            "contact_id": row.contact_id or plain_number(row.phone_number),
            "phone_number": plain_number(row.phone_number),
            "first_name": row.first_name,
            "call_id": row.call_id,
        }
        texts = {name: readable(text) for name, text in given.items()}
        cleaned = [name for name, text in given.items() if text != texts[name]]
        contact_id = texts["contact_id"]
        if not contact_id:
            raise ResultsError("The server lists a contact with neither id nor phone number.")
        if len(contact_id) > _LONGEST_ID:
            texts["contact_id"] = with_digest(contact_id[:_LONGEST_ID], contact_id)
            cleaned.append("contact_id")
        status = readable(call_status(row.call_status)) or ""
        return cls(**texts, status=status, called_at=row.called_at, cleaned=",".join(cleaned) or None)  # type: ignore[arg-type]


def with_digest(text: str, of: str) -> str:
    """Return a text with the first digits of a digest behind it, which tells it from others that begin alike."""
    return f"{text}~{hashlib.sha256(of.encode()).hexdigest()[:8]}"


def details_of(call: Call, now: datetime, settle_seconds: float) -> Details:
    """
    Return how much is known about a call: wanted while it is worth waiting for the rest in this reading.

    Length, cost and summary appear some time after the end. Not every agent writes summaries and not every server
    reports a cost, so this reading waits only briefly, and later readings ask again for some days.
    """
    status = call_status(call.status)
    if not has_ended(status) or call.duration_seconds is None:
        return Details.WANTED
    if status not in SPOKEN or (call.summary is not None and call.cost_credits is not None) or call.ended_at is None:
        return Details.COMPLETE
    age = (now - call.ended_at).total_seconds()
    if age >= LATE_SECONDS:
        return Details.COMPLETE
    if call.summary is not None or age >= settle_seconds:
        return Details.PARTIAL
    return Details.WANTED
