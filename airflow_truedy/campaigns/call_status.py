"""The states of a single call, one word for each whichever dialect the server speaks."""

from __future__ import annotations

PENDING, IN_PROGRESS, COMPLETED, CANCELLED = "pending", "in_progress", "completed", "cancelled"
#: Words that end a call. A word that no page of the API lists is kept as it is; counts call it ``other``.
ENDED = (COMPLETED, "no_answer", "busy", "voicemail", "failed", CANCELLED)
#: Words of people who were not called, unless their row has a call. Every other one counts as an attempt.
UNCALLED = (PENDING, CANCELLED)
_ALIASES = {
    "": PENDING,
    "scheduled": PENDING,
    "calling": IN_PROGRESS,
    "queued": IN_PROGRESS,
    "ringing": IN_PROGRESS,
    "active": IN_PROGRESS,
    "ended": COMPLETED,
    "canceled": "cancelled",
}


def call_status(word: str | None) -> str:
    """Return one word for a call's state: lower case, ``_`` for ``-``, every dialect's word for it made the same."""
    text = (word or "").strip().lower().replace("-", "_").replace(" ", "_")
    return _ALIASES.get(text, text)
