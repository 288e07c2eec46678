"""
What a call's status means for calling that person again: one word each, and one order among them.

A status never goes back: a lagging or earlier reading does not turn an ended call into a pending one, nor undo that a
person was reached or refused for ever.
"""

from __future__ import annotations

from typing import Any

from airflow_truedy.campaigns.status import COMPLETED, ENDED, IN_PROGRESS, PENDING, UNCALLED, call_status

VOICEMAIL = "voicemail"
OTHER = "other"
#: After these there is something to tell of the call.
SPOKEN = (COMPLETED, VOICEMAIL)
#: Parts of words that end all calls to a person, or to a number: in a whole word such as ``opted_out``,
#: ``do_not_call``, ``not_interested`` or ``invalid_number``.
REFUSALS = (
    "opt_out",
    "opted_out",
    "optout",
    "unsubscribe",
    "do_not_c",
    "never_call",
    "stop_call",
    "remove",
    "dont_call",
    "dnc",
    "not_interested",
    "refused",
    "declined",
    "blacklist",
    "blocked",
    "complain",
    "deceased",
    "wrong_number",
    "wrong_person",
    "invalid",
    "not_in_service",
)
#: Words for people who were spoken to.
REACHED = (COMPLETED, "answered", "contacted", "connected", "interested", "escalated", "transferred")
_KNOWN = frozenset({PENDING, IN_PROGRESS, *ENDED})
_RANKS = {PENDING: 0, IN_PROGRESS: 1, **dict.fromkeys(REACHED, 3)}
_NOT_REACHED, _REFUSED = 2, 4


def is_refusal(status: str) -> bool:
    """Whether a normalised status ends all calls to this person for ever."""
    return any(part in status for part in REFUSALS)


def rank(status: str) -> int:
    """Return the place of a normalised status: pending, in progress, not reached, reached, refused for ever."""
    return _REFUSED if is_refusal(status) else _RANKS.get(status, _NOT_REACHED)


def has_ended(status: str) -> bool:
    """Whether a normalised status means that the call is over; an unknown word does."""
    return rank(status) >= _NOT_REACHED


def is_open(status: str) -> bool:
    """Whether a person with this status may still be called by the campaign."""
    return not has_ended(status)


def was_reached(status: str) -> bool:
    """Whether the person was spoken to."""
    return status in REACHED and not is_refusal(status)


def is_attempt(status: str, *, has_call: bool) -> bool:
    """Whether a row counts as an attempt. In doubt it does: too few calls are better than too many."""
    return has_call or status not in UNCALLED


def outcome_group(status: str) -> str:
    """Return the word under which a normalised status is counted."""
    return status if status in _KNOWN else OTHER


def with_call(status: str, call: Any) -> str:
    """
    Return the status of a contact after its call was read: the call's word where that knows more.

    :param status: the normalised status of the contact's row.
    :param call: the call; an outcome that its analysis found counts where it is a refusal.
    """
    analysed = call_status(str((call.model_extra or {}).get("outcome") or ""))
    if is_refusal(analysed):
        return analysed
    word = call_status(call.status)
    if is_open(status):
        return word
    # "ended" tells that the call is over, not how; and a mailbox is a completed call for the telephone network.
    if (call.status or "").strip().lower() == "ended" or (status == VOICEMAIL and word == COMPLETED):
        return status
    return word if rank(word) > rank(status) else status
