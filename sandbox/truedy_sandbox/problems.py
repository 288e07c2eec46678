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


#: The code and message of each refusal, as Truedy's documents name them.
REFUSALS = {
    400: ("bad_request", "The request is malformed"),
    401: ("unauthorized", "Missing or invalid API key"),
    402: ("payment_required", "Insufficient credits"),
    403: ("forbidden", "This API key may not be used from this address"),
    404: ("not_found", "Resource not found"),
    409: ("conflict", "The resource was changed by another request"),
    422: ("validation_error", "The request is not valid"),
    500: ("internal_error", "An unexpected error occurred"),
    502: ("provider_error", "The telephony provider failed"),
}


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
