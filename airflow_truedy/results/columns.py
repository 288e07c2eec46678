"""What became of each contact of a batch call: one row a contact, one word for each outcome (API facts, (f) 22)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from airflow_truedy.campaigns.call_status import COMPLETED, ENDED, IN_PROGRESS, PENDING, call_status
from airflow_truedy.campaigns.errors import CampaignError

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_truedy.api.models import BatchCallContact, Call

#: The columns of a result, in files and tables alike.
COLUMNS = (
    "batch_call_id",
    "contact_id",
    "phone_number",
    "first_name",
    "call_status",
    "call_id",
    "called_at",
    "duration_seconds",
    "cost_credits",
    "summary",
    "transcript",
    "details",
)

OTHER = "other"
_GROUPED = re.compile(r"\+[0-9 ().\-]+")
_KNOWN = frozenset({PENDING, IN_PROGRESS, *ENDED})
#: After these there is something to say about the call.
_SPOKEN = (COMPLETED, "voicemail")


class Details(str, Enum):
    """How much is known of the call behind a row."""

    NONE = "none"  #: nobody was called, or details were not asked for
    WANTED = "wanted"  #: still to be read; in no result
    COMPLETE = "complete"
    MISSING = "missing"  #: the server had not got them yet; the next reading asks again


class ResultsError(CampaignError):
    """Results cannot be read or written as asked; the message shows nobody's number."""


def plain_number(text: str | None) -> str | None:
    """Return a number as ``+`` and digits, however it is grouped; without ``+``, of any country maybe, as it is."""
    if text is None or not _GROUPED.fullmatch(text.strip()):
        return text
    return "+" + "".join(filter(str.isdecimal, text))


def outcome_group(status: str) -> str:
    """Return the word under which a normalised status is counted."""
    return status if status in _KNOWN else OTHER


def has_ended(status: str) -> bool:
    """Whether a normalised status says that the call is over; unknown words do."""
    return status not in (PENDING, IN_PROGRESS)


@dataclass(frozen=True)
class Contacted:
    """A contact of a batch call as the server lists it. Its repr shows nobody."""

    contact_id: str
    phone_number: str | None
    first_name: str | None
    status: str
    call_id: str | None
    called_at: datetime | None

    def __repr__(self) -> str:
        return f"<Contacted {self.status}>"

    @classmethod
    def of(cls, row: BatchCallContact) -> Contacted:
        """
        Read a row of ``GET /batch-calls/{id}/contacts``.

        :raises ResultsError: if it says neither who it is about nor what number.
        """
        # A server without contact ids is known by the number, as its own list has to be.
        number = plain_number(row.phone_number)
        contact_id = row.contact_id or number
        if not contact_id:
            raise ResultsError("The server lists a contact with neither id nor phone number.")
        return cls(contact_id, number, row.first_name, call_status(row.call_status), row.call_id, row.called_at)


def is_complete(call: Call, now: datetime, settle_seconds: float) -> bool:
    """
    Whether nothing more is to be expected of a call.

    Length, cost and summary appear some time after the end. Not every agent writes summaries, so a missing one is
    waited for only shortly.
    """
    status = call_status(call.status)
    if not has_ended(status) or call.duration_seconds is None:
        return False
    if call.summary is not None or status not in _SPOKEN or call.ended_at is None:
        return True
    return (now - call.ended_at).total_seconds() >= settle_seconds
