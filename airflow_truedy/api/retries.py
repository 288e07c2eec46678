"""
Whether a request is sent again, after how long, and how it ends; the same for the sync and the async client.

A request that may have been carried out is only sent again when its call says that this is safe. One that
surely was not (429, no connection) may always be.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import (
    OutcomeUnknownError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    TruedyError,
    UnreachableError,
    UnreadableAnswerError,
)

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from airflow_truedy.api.request import Request

MAX_ATTEMPTS = 5
_FIRST_BACKOFF = 1.0
_LONGEST_BACKOFF = 30.0
_LONGEST_JITTER = 2.0
_SEE_OTHER = 303


class Repeats:
    """
    The memory of one send.

    :param request: what is being sent.
    :param max_wait: the most seconds to spend waiting in all; a longer rate limit is left to the caller.
    """

    def __init__(self, request: Request[Any], max_wait: float) -> None:
        self._request = request
        self._max_wait = max_wait
        self._attempts = 0
        self._waited = 0.0
        self._pause = 0.0
        self._maybe_done = False

    def again(self, error: BaseException) -> bool:
        """
        Whether to send again after this error; fixes the pause. To be asked once per failed attempt.

        :param error: what the attempt ended in.
        """
        if not isinstance(error, TruedyError):
            return False
        self._attempts += 1
        unsure = _unsure(error)
        if unsure and not self._request.reads_only:
            self._maybe_done = True
        can_help = isinstance(error, RateLimitedError) or _never_sent(error) or (unsure and self._request.repeatable)
        if not can_help or self._attempts >= MAX_ATTEMPTS:
            return False
        self._pause = self._pause_after(error)
        self._waited += self._pause
        return self._waited <= self._max_wait

    def pause(self, _: RetryCallState) -> float:
        """Seconds until the next attempt, as tenacity asks for them."""
        return self._pause

    def final(self, error: TruedyError) -> TruedyError:
        """
        What to tell the caller when no attempt succeeded.

        :param error: what the last attempt ended in.
        """
        # One lost answer is enough, even if a later attempt failed in a harmless way.
        return OutcomeUnknownError.after(error) if self._maybe_done else error

    def _pause_after(self, error: TruedyError) -> float:
        if isinstance(error, RateLimitedError):
            # Jitter, or everybody comes back in the same instant.
            return error.retry_after + random.uniform(0, _LONGEST_JITTER)  # noqa: S311
        ceiling = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** (self._attempts - 1))
        return random.uniform(0, ceiling)  # noqa: S311


def _never_sent(error: TruedyError) -> bool:
    return isinstance(error, (UnreachableError, RequestTimeoutError)) and not error.sent


def _unsure(error: TruedyError) -> bool:
    if isinstance(error, UnreadableAnswerError) and error.status is not None and 300 <= error.status < 400:
        return error.status == _SEE_OTHER
    ambiguous = (ServerError, UnreachableError, RequestTimeoutError, UnreadableAnswerError)
    return isinstance(error, ambiguous) and not _never_sent(error)
