"""Which errors a retry can help: every task tells Airflow, and from 3.3 on a retry policy does."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_truedy.campaigns.errors import EverybodyLaunchedSkip, PastStartSkip
from airflow_truedy.compat import RetryDecision, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context


@contextmanager
def failing_fast() -> Iterator[None]:
    """
    Fail the task at once for an error that no retry can help, and skip it for a wish to skip.

    Errors say so themselves (``retryable``); all others are left to Airflow. The task's log then shows one traceback,
    the one of the error.
    """
    try:
        yield
    except (EverybodyLaunchedSkip, PastStartSkip) as skip:
        raise AirflowSkipException(str(skip)) from None
    except Exception as error:
        if getattr(error, "retryable", True) is False:
            failed = AirflowFailException(f"{type(error).__name__}: {error}")
            raise failed.with_traceback(error.__traceback__) from None
        raise


class TruedyRetryPolicy(RetryPolicy):
    """
    Retry what can succeed later, when it can, and nothing else.

    Errors that no retry helps (key, permission, payment, refused values, a changed payload) fail at once. A rate limit
    waits as long as the server asks. Everything else keeps the task's own ``retry_delay``. Never exceeds ``retries``.

    Use it as ``default_args={"retries": 5, "retry_policy": TruedyRetryPolicy()}``.
    """

    def __repr__(self) -> str:
        """Return the same text in every process: Airflow keeps it in the Dag, and would see a new Dag version."""
        return "TruedyRetryPolicy()"

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide by what the error states: ``retryable``, and ``retry_after`` in seconds."""
        if getattr(exception, "retryable", True) is False:
            return RetryDecision.fail(reason=str(exception))
        retry_after = getattr(exception, "retry_after", None)
        if retry_after is not None:
            return RetryDecision.retry(delay=timedelta(seconds=retry_after), reason=str(exception))
        return RetryDecision.default()
