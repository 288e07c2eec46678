"""After the schedule step: what the server stored must be what was asked for, else the campaign is paused."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_truedy.campaigns.errors import CountMismatchError, ReadBackError
from airflow_truedy.campaigns.schedule import in_words
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.stopping import pause_and_raise
from airflow_truedy.campaigns.upload import check_count

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.plan import CampaignPlan

log = logging.getLogger(__name__)

# How far the server's clock and ours may be apart.
_CLOCK_SKEW = timedelta(minutes=2)


def verify_start(
    client: TruedyClient, plan: CampaignPlan, batch: BatchCall, at: datetime | None, now: datetime
) -> None:
    """
    Compare start, zone and contacts of a started campaign with the plan; pause it if they differ.

    :param batch: the batch call, read after the schedule step.
    :param at: the instant that was sent; ``None`` for an immediate start.
    :param now: the present instant.
    :raises ReadBackError: if start or zone differ, or it calls before its start.
    :raises CountMismatchError: if contacts came in between the comparison and the schedule step.
    """
    compare_start(client, batch, at, plan.timezone, now)
    try:
        check_count(client, plan, batch)
    except CountMismatchError as mismatch:
        pause_and_raise(client, batch, mismatch)


def compare_start(client: TruedyClient, batch: BatchCall, at: datetime | None, timezone: str, now: datetime) -> None:
    """
    Compare start and zone of a started campaign with what was sent; pause it if they differ.

    :param batch: the batch call, read after the schedule step.
    :param at: the instant that was sent; ``None`` for an immediate start.
    :param now: the present instant.
    :raises ReadBackError: if start or zone differ, or it calls before its start.
    """
    differences = start_differences(batch, at, timezone)
    # By the server's own clock where it tells it: that is what it goes by.
    now = batch.answered_at or now
    if at is not None and at - now > _CLOCK_SKEW and State.of(batch.status) in (State.ACTIVE, State.COMPLETED):
        differences.append(f"start sent {in_words(at, timezone)}, but it is {batch.status!r} now")
    if differences:
        story = f"The server has another start for batch call {batch.id} ({batch.name!r}) than was sent"
        pause_and_raise(client, batch, ReadBackError(f"{story}: {'; '.join(differences)}."))


def start_differences(batch: BatchCall, at: datetime | None, timezone: str) -> list[str]:
    """Return in words how the stored start and zone differ from what was sent; nothing if they do not."""
    differences = []
    if at is not None and batch.scheduled_at is None:
        log.warning("Batch call %s does not tell its start; it could not be compared.", batch.id)
    elif at is not None and batch.scheduled_at is not None and not _same_second(at, batch.scheduled_at):
        sent, stored = in_words(at, timezone), in_words(batch.scheduled_at, timezone)
        differences.append(f"start sent {sent}, stored {stored}")
    if batch.timezone is not None and batch.timezone != timezone:
        differences.append(f"timezone sent {timezone}, stored {batch.timezone}")
    return differences


def _same_second(one: datetime, other: datetime) -> bool:
    return one.replace(microsecond=0) == other.replace(microsecond=0)
