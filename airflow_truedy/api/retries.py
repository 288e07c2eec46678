"""
Whether a request is sent again, after how long, and how it ends; the same for the blocking and the async client.

====================================  =======================  ======================
what happened                         a read, a keyed create   any other change
====================================  =======================  ======================
429, the quota is used up             again, when it is free   again, when it is free
no connection, it never left          again                    again
5xx, 408, lost or unreadable answer   again                    never: outcome unknown
any other answer                      never                    never
====================================  =======================  ======================

At most five attempts, and no more waiting than the client's ``max_wait``. One lost answer to a change makes the outcome
unknown, even if a later attempt fails in a harmless way.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import (
    OutcomeUnknownError,
    RateLimitedError,
    ServerError,
    TruedyError,
    UnreachableError,
    UnreadableAnswerError,
)

if TYPE_CHECKING:
    from airflow_truedy.api.request import Request

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
_FIRST_BACKOFF = 1.0
_LONGEST_BACKOFF = 30.0
_LONGEST_JITTER = 2.0
_SEE_OTHER = 303


def may_be_sent_again(request: Request[Any], error: TruedyError) -> bool:
    """Tell whether sending ``request`` again after ``error`` can help and is safe."""
    was_not_carried_out = isinstance(error, RateLimitedError) or was_never_sent(error)
    return was_not_carried_out or (request.repeatable and may_have_been_carried_out(error))


def was_never_sent(error: TruedyError) -> bool:
    """Tell whether the request surely never left this machine."""
    return isinstance(error, UnreachableError) and not error.sent


def may_have_been_carried_out(error: TruedyError) -> bool:
    """Tell whether the server may have carried out a request that ended in ``error``."""
    if isinstance(error, UnreadableAnswerError) and error.status is not None and 300 <= error.status < 400:
        return error.status == _SEE_OTHER
    return isinstance(error, (ServerError, UnreachableError, UnreadableAnswerError)) and not was_never_sent(error)


class Attempts:
    """
    The attempts of one send.

    :param request: what is being sent.
    :param max_wait: seconds to spend waiting in all; a longer rate limit is left to the caller.
    """

    def __init__(self, request: Request[Any], max_wait: float) -> None:
        self._request = request
        self._max_wait = max_wait
        self._waited = 0.0
        self._maybe_done = False
        self.count = 0

    def pause_after(self, error: TruedyError) -> float | None:
        """Count a failed attempt; return and log the seconds to wait before the next one, None if there is none."""
        self.count += 1
        self._maybe_done |= not self._request.reads_only and may_have_been_carried_out(error)
        if self.count >= MAX_ATTEMPTS or not may_be_sent_again(self._request, error):
            return None
        pause = self._pause(error)
        self._waited += pause
        if self._waited > self._max_wait:
            return None
        what = "rate limited" if isinstance(error, RateLimitedError) else type(error).__name__
        log.info("%s: %s, next try in %.0f s (%d of %d made).", error.operation, what, pause, self.count, MAX_ATTEMPTS)
        return pause

    def outcome(self, error: TruedyError) -> TruedyError:
        """Return what to tell the caller when the last attempt ended in ``error``."""
        told = OutcomeUnknownError.after(error) if self._maybe_done else error
        told.attempts = self.count
        return told

    def _pause(self, error: TruedyError) -> float:
        if isinstance(error, RateLimitedError):
            # Jitter, or everybody comes back in the same instant.
            return error.retry_after + random.uniform(0, _LONGEST_JITTER)  # noqa: S311
        ceiling = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** (self.count - 1))
        return random.uniform(0, ceiling)  # noqa: S311
