"""
What can go wrong with the Truedy API, by cause.

::

    TruedyError
    ├── the server refused the request
    │   ├── AuthenticationError          401: key missing, wrong or revoked
    │   ├── PaymentRequiredError         402: credits, trial or subscription
    │   ├── PermissionDeniedError        403: valid key, but not allowed
    │   ├── NotFoundError                404: unknown id or path
    │   ├── ConflictError                409: exists already, or is being changed
    │   ├── InvalidRequestError          400, 413, 422 and other 4xx: a field, or the state of the object
    │   └── RateLimitedError          *  429: quota used up
    ├── no usable answer came
    │   ├── ServerError               *  5xx
    │   ├── UnreachableError          *  no connection, or it broke
    │   │   └── RequestTimeoutError   *  408, or no complete answer in time
    │   ├── UnreadableAnswerError     *  not what the API answers, or too large
    │   ├── InconsistentListError     *  a list contradicts its own paging
    │   └── OutcomeUnknownError       *  a change was sent, its effect is not known
    └── nothing was sent
        ├── InvalidPayloadError          a value that the API would refuse
        ├── TooLateError                 the request's ``not_after`` had passed
        └── ForbiddenByConnectionError   the connection allows no changes, or not this number

    * retryable: trying again later, unchanged, can help

Every error reads as one line for the person on call: what was being done, what the server answered, under which
request id, and what to do about it. People and keys are scrubbed from all of it when the error is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import unquote

from airflow_truedy.api.scrub import scrub, scrub_details, scrub_id
from airflow_truedy.formats import utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

_PROBLEMS_SHOWN = 5


def _first(problems: Sequence[str]) -> str:
    """Return the first few of a list, and how many there are beside them."""
    more = len(problems) - _PROBLEMS_SHOWN
    return "; ".join(problems[:_PROBLEMS_SHOWN]) + (f"; and {more} more" if more > 0 else "")


class TruedyError(Exception):
    """
    The root of the tree. Not an ``AirflowException``: this layer does not know Airflow.

    :param message: what the server answered, or what this client found. Default: nothing.
    :param operation: method and path, e.g. ``POST /batch-calls/batch_1/schedule``; never a query or a body.
    :param status: the HTTP status, or None when no answer came.
    :param code: the server's machine code, e.g. ``validation_error``.
    :param details: the server's details, whatever their shape.
    :param request_id: what Truedy's support asks for.
    """

    #: Whether trying again later, unchanged, can help.
    retryable: ClassVar[bool] = False
    #: What the person on call can do.
    advice: ClassVar[str] = ""
    #: How often it was tried before this error was raised.
    attempts: int = 1
    #: The connection whose client raised it; None for a client without a name.
    connection: str | None = None

    def __init__(
        self,
        message: str = "",
        *,
        operation: str = "",
        status: int | None = None,
        code: str | None = None,
        details: Any = None,
        request_id: str | None = None,
    ) -> None:
        self.message = scrub(message)
        # Positional arguments are what an exception is pickled with; everything else travels in __dict__.
        super().__init__(self.message)
        # An id is whatever the caller took for one, quoted.
        self.operation = scrub(unquote(operation))
        self.status = status
        self.code = scrub(code) if code else None
        self.details = scrub_details(details)
        self.request_id = scrub_id(request_id) if request_id else None

    def _summary(self) -> str:
        words = [str(word) for word in (self.status, self.code) if word is not None]
        return ": ".join(part for part in (self.operation, " ".join(words), self.message) if part)

    def __str__(self) -> str:
        summary = self._summary() or type(self).__name__
        circumstances = [
            f"connection {self.connection!r}" if self.connection else "",
            f"request id {self.request_id}" if self.request_id else "",
            f"tried {self.attempts} times" if self.attempts > 1 else "",
        ]
        listed = ", ".join(filter(None, circumstances))
        advice = f". {self.advice}" if self.advice else ""
        return f"{summary.rstrip('.')}{f' ({listed})' if listed else ''}{advice}"


class AuthenticationError(TruedyError):
    """401: the API key is missing, wrong or revoked."""

    advice = "Check the API key in the connection: it may be mistyped or revoked."


class PaymentRequiredError(TruedyError):
    """402: no credits, or no active trial or subscription."""

    advice = "Check credits and subscription in the Truedy dashboard."


class PermissionDeniedError(TruedyError):
    """403: the key is valid but may not do this, e.g. its IP allow-list does not hold this machine."""

    advice = "Check the key's IP allow-list and rights in the Truedy dashboard."


class NotFoundError(TruedyError):
    """404: no such object in this key's organization, or no such path."""

    advice = "Check the id and that it belongs to this key's organization; if every id fails, check the base URL."


class InvalidRequestError(TruedyError):
    """
    400, 413, 422 and other 4xx: the server refuses the request, for a field or for the state of the object.

    :param fields: the fields that the server names, each with its reason.
    """

    advice = "Correct the request; if the state of the object is in the way, change that first."

    def __init__(self, message: str = "", *, fields: Mapping[str, str] | None = None, **common: Any) -> None:
        super().__init__(message, **common)
        self.fields = {scrub(field): scrub(reason) for field, reason in (fields or {}).items()}

    def _summary(self) -> str:
        # A reason that the message already gives is not repeated, but its field is named.
        named = [field if reason in self.message else f"{field}: {reason}" for field, reason in self.fields.items()]
        return f"{super()._summary()} [{_first(named)}]" if named else super()._summary()


class ConflictError(TruedyError):
    """409: it exists already, or another request is changing it."""

    advice = "Read the object's state before sending this again."


class RateLimitedError(TruedyError):
    """
    429: the organization's quota is used up. The request was not carried out.

    :param retry_after: seconds from now until the quota is free again.
    :param resets_at: the same as a moment, in UTC.
    """

    retryable = True
    advice = "Wait that long, or lower requests_per_minute in the connection; the quota is the organization's."

    def __init__(
        self, message: str = "", *, retry_after: float = 0.0, resets_at: datetime | None = None, **common: Any
    ) -> None:
        super().__init__(message, **common)
        self.retry_after = retry_after
        self.resets_at = resets_at

    def _summary(self) -> str:
        moment = f", at {utc_text(self.resets_at)}" if self.resets_at else ""
        return f"{super()._summary()} [free again in {self.retry_after:.0f} s{moment}]"


class ServerError(TruedyError):
    """5xx: Truedy, a provider behind it, or a proxy before it failed."""

    retryable = True
    advice = "The fault is on Truedy's side or in a proxy: try again later."


class UnreachableError(TruedyError):
    """
    No connection, or it broke.

    :param sent: False when the request surely never left this machine.
    """

    retryable = True
    advice = "Check the host, DNS, proxy, certificates and firewall."

    def __init__(self, message: str = "", *, sent: bool = True, **common: Any) -> None:
        super().__init__(message, **common)
        self.sent = sent


class RequestTimeoutError(UnreachableError):
    """No complete answer in time."""

    advice = "Try again later, or raise timeout in the connection."


class UnreadableAnswerError(TruedyError):
    """An answer that is not the API's: not JSON, a redirect, or without what it must hold."""

    retryable = True
    advice = "Check that the base URL is that of a Truedy API and that no proxy answers in its place."


class InconsistentListError(TruedyError):
    """
    A list contradicts its own paging, so that objects may be missing from what was read.

    Raised for an empty page where more was promised, an offset that is ignored, fewer objects than the list counts,
    and rows that moved while the list was read.
    """

    retryable = True
    advice = "Read the list again later. If it stays like this, report it to Truedy's support with the request id."


class OutcomeUnknownError(TruedyError):
    """
    A request that changes something was sent, and it is unknown whether it was carried out.

    Retryable only in this sense: a later attempt reads the state first and continues from there. Sending the same
    request again without reading may do the same twice.

    :param cause: what happened to the last attempt.
    """

    retryable = True
    advice = "It may have been carried out: read the state before sending anything again."

    def __init__(self, message: str = "", *, cause: TruedyError | None = None, **common: Any) -> None:
        super().__init__(message, **common)
        self.cause = cause

    @classmethod
    def after(cls, cause: TruedyError) -> OutcomeUnknownError:
        """Return the error for a request whose last attempt ended in ``cause``, with all that it tells."""
        return cls(
            f"outcome unknown after {type(cause).__name__}: {cause.message}",
            cause=cause,
            operation=cause.operation,
            status=cause.status,
            code=cause.code,
            details=cause.details,
            request_id=cause.request_id,
        )


class Problem(NamedTuple):
    """One reason why a request was refused: the field's path, its value in a form safe to show, the rule."""

    field: str
    value: str
    rule: str


class InvalidPayloadError(TruedyError, ValueError):
    """
    Refused here, before any request was made.

    :param message: what was refused, e.g. ``invalid batch call``.
    :param problems: every (field, value as safe to show, rule).
    """

    advice = "Nothing was sent."

    def __init__(self, message: str = "", *, problems: Sequence[tuple[str, str, str]] = (), **common: Any) -> None:
        super().__init__(message, **common)
        self.problems = [Problem(*map(scrub, problem)) for problem in problems]

    def _summary(self) -> str:
        named = [f"{field} = {value}: {rule}" for field, value, rule in self.problems]
        return f"{super()._summary()}: {_first(named)}" if named else super()._summary()


class TooLateError(TruedyError):
    """
    The deadline for sending the request (``not_after``) had passed, by the server's clock if known.

    Earlier attempts of the same request, if there were any, did not reach the server either.
    """

    advice = "It was not sent."


class ForbiddenByConnectionError(TruedyError):
    """The connection forbids the request: ``dry_run`` is set, or the number is not among ``only_numbers``."""

    advice = "Nothing was sent. Use a connection without this restriction if people shall really be called."
