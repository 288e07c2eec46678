"""The states of a batch call and of a call, one word for each in whichever dialect the server speaks (C-04 to C-06)."""

from __future__ import annotations

from enum import Enum

_ALIASES = {"running": "active", "in_progress": "active", "canceled": "cancelled"}

PENDING, IN_PROGRESS, COMPLETED, CANCELLED = "pending", "in_progress", "completed", "cancelled"
#: Words that end a call. A word that no page of the API lists is kept as it is; counts call it ``other``.
ENDED = (COMPLETED, "no_answer", "busy", "voicemail", "failed", CANCELLED)
#: Words of people who were not called, unless their row has a call. Every other one counts as an attempt.
UNCALLED = (PENDING, CANCELLED)
_CALL_ALIASES = {
    "": PENDING,
    "scheduled": PENDING,
    "calling": IN_PROGRESS,
    "queued": IN_PROGRESS,
    "ringing": IN_PROGRESS,
    "active": IN_PROGRESS,
    "ended": COMPLETED,
    "canceled": CANCELLED,
}


class State(str, Enum):
    """
    State of a batch call.

    ``UNKNOWN`` means every word that no page of the API lists: it is never an end.
    """

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, status: str | None) -> State:
        """Read the server's ``status``: either dialect, any case, unknown words tolerated."""
        word = (status or "").strip().lower().replace("-", "_")
        word = _ALIASES.get(word, word)
        return cls(word) if word in cls._value2member_map_ else cls.UNKNOWN

    @property
    def is_terminal(self) -> bool:
        """Whether no further call will be placed, ever."""
        return self in (State.COMPLETED, State.FAILED, State.CANCELLED)

    @property
    def ended_badly(self) -> bool:
        """Whether the campaign stopped before its end."""
        return self in (State.FAILED, State.CANCELLED)

    @property
    def may_have_called(self) -> bool:
        """Whether the schedule step was taken. Every state but ``draft``, unknown ones above all."""
        return self is not State.DRAFT


def call_status(word: str | None) -> str:
    """Return one word for a call's state: lower case, ``_`` for ``-``, every dialect's word for it made the same."""
    text = (word or "").strip().lower().replace("-", "_").replace(" ", "_")
    return _CALL_ALIASES.get(text, text)
