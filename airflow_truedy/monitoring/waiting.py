"""What every wait in a worker has in common: until when it lasts, and one look at the batch call."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import NotFoundError, TruedyError

if TYPE_CHECKING:
    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.monitoring.monitor import CampaignMonitor, Poll

# Airflow's own timeouts come after ours, which end cleanly and can pause the campaign.
BACKSTOP = timedelta(minutes=15)
_MOST_MARGIN = 10.0
_MARGIN = 0.05


def deadline_of(since: float, timeout: float | None, execution_timeout: timedelta | None, now: float) -> float | None:
    """
    Return the instant at which the waiting ends, ``None`` for never.

    Airflow does not enforce ``execution_timeout`` while a task is deferred; here it counts from this try on, and ends
    a little before Airflow would end it.

    :param since: when the waiting for this campaign began, in whichever try.
    :param timeout: seconds from then on.
    """
    ends = [] if timeout is None else [since + timeout]
    if execution_timeout is not None:
        most = execution_timeout.total_seconds()
        ends.append(now + most - min(_MOST_MARGIN, most * _MARGIN))
    return min(ends, default=None)


def backstop(deadline: float | None, now: float) -> timedelta | None:
    """Return Airflow's own limit for a deferred task: later than ours, for a trigger that never comes back."""
    return None if deadline is None else timedelta(seconds=max(0.0, deadline - now)) + BACKSTOP


def poll_once(client: TruedyClient, monitor: CampaignMonitor, log: Any, *, patient: bool = True) -> Poll:
    """
    Read the batch call, let the monitor take it in, and log what that brought.

    :param log: the task's own.
    :param patient: whether a refusal that no retry can help, such as of the key, is borne for a while.
    """
    from airflow_truedy.api import endpoints

    try:
        batch = client.send(endpoints.get_batch_call(monitor.settings.batch_call_id))
    except TruedyError as problem:
        if not (patient or problem.retryable or isinstance(problem, NotFoundError)):
            raise
        poll = monitor.trouble(problem, time.time())
    else:
        poll = monitor.take(batch, time.time())
    log_notes(log, poll)
    return poll


def log_notes(log: Any, poll: Poll) -> None:
    """Write what a poll brought into the task's log."""
    for note in poll.notes:
        log.log(note.level, "%s", note.text)
