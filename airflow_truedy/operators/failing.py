"""Errors that no retry can help fail the task at once, wishes to skip skip it; all others are left to Airflow."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_truedy.campaigns.errors import PastStartSkip

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def failing_fast() -> Iterator[None]:
    """Turn an error that calls itself not retryable into ``AirflowFailException``, and a wish to skip into a skip."""
    try:
        yield
    except PastStartSkip as skip:
        raise AirflowSkipException(str(skip)) from None
    except Exception as error:
        if getattr(error, "retryable", True) is False:
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error
        raise
