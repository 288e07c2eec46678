"""Refusals, in the codes that the documentation names."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of the program
    """An answer other than success; ``details`` as in the page on error handling."""

    def __init__(self, status: int, code: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details or {}
        self.headers: dict[str, str] = {}


def not_found(what: str) -> Refusal:
    """404: no such thing under this key."""
    return Refusal(404, "not_found", f"{what} not found")


def invalid(field: str, reason: str) -> Refusal:
    """422: a field breaks a rule."""
    return Refusal(422, "validation_error", f"{field}: {reason}", {"field": field, "reason": reason})


def wrong_state(action: str, status: str, allowed: str) -> Refusal:
    """422: the batch call is not in a state that allows this."""
    reason = f"Cannot {action} a batch call with status '{status}'; it must be {allowed}"
    return Refusal(422, "validation_error", reason, {"field": "status", "reason": reason})
