"""A retry policy for tasks that talk to Truedy. Airflow asks it from 3.3 on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryDecision, RetryPolicy
else:
    try:
        from airflow.sdk import RetryDecision, RetryPolicy
    except ImportError:  # Before 3.3, which asks no policy: among default_args it is passed over.
        RetryDecision, RetryPolicy = None, object


class TruedyRetryPolicy(RetryPolicy):
    """
    Retry what can succeed later, when it can, and nothing else.

    Errors that no retry helps (key, permission, payment, refused values, a changed payload) fail at once. A rate limit
    waits as long as the server said. Everything else keeps the task's own ``retry_delay``. Never exceeds ``retries``.

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
        """Decide by the error's own word: ``retryable``, and ``retry_after`` in seconds."""
        if getattr(exception, "retryable", True) is False:
            return RetryDecision.fail(reason=str(exception))
        retry_after = getattr(exception, "retry_after", None)
        if retry_after is not None:
            return RetryDecision.retry(delay=timedelta(seconds=retry_after), reason=str(exception))
        return RetryDecision.default()
