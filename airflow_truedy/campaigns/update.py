"""Change fields of a batch call that exists, and verify what the server made of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import ConflictError, InvalidRequestError, OutcomeUnknownError
from airflow_truedy.api.models import BatchCallUpdate
from airflow_truedy.campaigns import steps
from airflow_truedy.campaigns.control import check_same_zone
from airflow_truedy.campaigns.errors import (
    PastStartError,
    ReadBackError,
    TagLostError,
    TimingError,
    UnsettledError,
    WrongStateError,
)
from airflow_truedy.campaigns.identity import cut_at, has_same_tag, renamed
from airflow_truedy.campaigns.pausing import pause_and_raise
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.timing import UTC, in_words, instant_of, zone_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall

log = logging.getLogger(__name__)

_TRIES = 3
_READABLE = ("name", "scheduled_at")
_MOVABLE = (State.DRAFT, State.SCHEDULED, State.PAUSED)
_NEEDS_ZONE = ("scheduled_at", "start_time", "end_time", "working_days")


@dataclass(frozen=True)
class Updated:
    """
    A batch call after a change.

    :param batch: as read back.
    :param sent: fields that were sent.
    :param not_taken: of them, those that the server holds otherwise; never the start, which is an error.
    :param unreadable: of them, those that the API does not show, so that nobody knows.
    """

    batch: BatchCall
    sent: list[str]
    not_taken: list[str]
    unreadable: list[str]


def update(
    client: TruedyClient,
    batch_call_id: str,
    fields: Mapping[str, Any],
    timezone: str | None = None,
    now: datetime | None = None,
) -> Updated:
    """
    Change fields of a batch call.

    :param fields: fields of ``PATCH /batch-calls/{id}``; ``None`` leaves a field as it is.
    :param timezone: zone of a naive ``scheduled_at``, of window and days; the API cannot change a batch call's zone,
        so for window and days it must be the one that the batch call has.
    :raises TimingError: if a zone is missing, or another than the batch call's, or for window and days if the server
        does not tell the batch call's.
    :raises PastStartError: if ``scheduled_at`` has passed: that would start it at once.
    :raises ReadBackError: if the server did not take ``scheduled_at``. If it holds neither the old nor the new start,
        the batch call is paused.
    :raises WrongStateError: if the server does not change a batch call in this state, or it has begun and
        ``scheduled_at`` is given.
    :raises TagLostError: if the server does not keep the tag in the new name; the old one is given back.
    :raises InvalidPayloadError: if a value breaks a rule of the API.
    """
    asked = {name: value for name, value in fields.items() if value is not None}
    timed = [name for name in _NEEDS_ZONE if name in asked]
    if timed and not timezone:
        raise TimingError(f"{', '.join(timed)} need timezone: the IANA zone on whose wall clock they are read.")
    if timezone:
        zone_of(timezone)
    if "scheduled_at" in asked:
        asked["scheduled_at"] = _ahead(asked["scheduled_at"], timezone, now or datetime.now(UTC))
    BatchCallUpdate.checked(**asked)
    batch = steps.read(client, batch_call_id)
    _same_zone(batch, asked, timezone)
    if "scheduled_at" in asked and State.of(batch.status) not in _MOVABLE:
        raise WrongStateError(
            f"Batch call {batch.id} ({batch.name!r}) is {batch.status!r}: another start would not hold it. Nothing was "
            "changed. PauseBatchCallOperator stops one that calls."
        )
    if "name" in asked:
        asked["name"] = renamed(batch.name, asked["name"])
    changes = {name: value for name, value in asked.items() if name not in _READABLE or _differs(batch, name, value)}
    if "scheduled_at" in changes and batch.schedule_type != "scheduled":
        # An immediate one would stay immediate, and start at once in spite of its date.
        changes["schedule_type"] = "scheduled"
    if not changes:
        log.info("Batch call %s is as asked for already; nothing was sent.", batch.id)
        return Updated(batch, [], [], [])
    updated = _send(client, batch, BatchCallUpdate.checked(**changes))
    if "name" in changes and updated.name is not None and not has_same_tag(batch.name, updated.name):
        updated = _put_tag_back(client, batch, updated, fields["name"], changes["name"])
        changes["name"] = updated.name
    done = _compared(updated, changes)
    if "scheduled_at" in changes:
        _check_start(client, batch, updated, changes["scheduled_at"], timezone)
    return done


def _put_tag_back(client: TruedyClient, before: BatchCall, cut: BatchCall, name: str, sent: str) -> BatchCall:
    """
    Give a batch call whose new name lost the tag a shorter one, else its old name.

    :raises TagLostError: if the server keeps the tag in no new name.
    """
    limit = cut_at(sent, cut.name or "")
    if limit is not None:
        shorter = _send(client, cut, BatchCallUpdate(name=renamed(before.name, name, limit)))
        if has_same_tag(before.name, shorter.name):
            log.warning("The server cuts names; batch call %s is named %r now.", before.id, shorter.name)
            return shorter
    _send(client, cut, BatchCallUpdate(name=before.name))
    raise TagLostError(
        f"The server made {cut.name!r} of the name {sent!r}, without the tag by which the campaign is found again. "
        f"Batch call {before.id} has its old name again. Give it a shorter or plainer one."
    )


def _ahead(moment: str | datetime, timezone: str | None, now: datetime) -> datetime:
    instant = instant_of(moment, timezone)
    if instant <= now:
        raise PastStartError(
            f"The new start, {in_words(instant, timezone)}, has passed: calls would begin at once. Nothing was changed."
        )
    return instant


def _same_zone(batch: BatchCall, asked: Mapping[str, Any], timezone: str | None) -> None:
    clocked = [name for name in ("start_time", "end_time", "working_days") if name in asked]
    if not clocked:
        return
    if not batch.timezone:
        raise TimingError(
            f"The server does not tell the zone of batch call {batch.id} ({batch.name!r}), in which it would read "
            f"{', '.join(clocked)}. Nothing was changed. Change them in the Truedy dashboard."
        )
    check_same_zone(batch, timezone)


def _differs(batch: BatchCall, name: str, value: Any) -> bool:
    if name == "scheduled_at":
        return not _starts_at(batch, value)
    return bool(getattr(batch, name) != value)


def _starts_at(batch: BatchCall, moment: datetime) -> bool:
    """Whether the batch call has this start, as far as the server tells."""
    stored = batch.scheduled_at
    same = stored is not None and stored.replace(microsecond=0) == moment.replace(microsecond=0)
    return same and batch.schedule_type in (None, "scheduled")


def _send(client: TruedyClient, batch: BatchCall, request: BatchCallUpdate) -> BatchCall:
    """Send the change and read back. Setting the same values twice does no harm, so a lost answer is sent again."""
    for _ in range(_TRIES):
        try:
            client.send(endpoints.update_batch_call(batch.id, request))
        except OutcomeUnknownError as lost:
            log.warning("%s Sending the same values again.", lost)
            continue
        except (InvalidRequestError, ConflictError) as refused:
            state = State.of(steps.read(client, batch.id).status)
            if state in _MOVABLE:
                raise
            way = "A finished campaign never changes."
            if not state.is_terminal:
                way = "PauseBatchCallOperator, then this update, then ResumeBatchCallOperator."
            raise WrongStateError(
                f"Batch call {batch.id} is {state.value!r} and was not changed: {refused} {way}"
            ) from (refused)
        return steps.read(client, batch.id)
    raise UnsettledError(f"The answer to changing batch call {batch.id} was lost {_TRIES} times. Try again later.")


def _compared(batch: BatchCall, changes: Mapping[str, Any]) -> Updated:
    not_taken = [name for name, value in changes.items() if name in _READABLE and _differs(batch, name, value)]
    unreadable = [name for name in changes if name not in (*_READABLE, "schedule_type")]
    if not_taken:
        log.warning("Batch call %s did not take: %s. The server holds another value.", batch.id, ", ".join(not_taken))
    if unreadable:
        log.warning(
            "Batch call %s: %s cannot be read back, so nobody knows whether it took. Look at the Truedy dashboard.",
            batch.id,
            ", ".join(unreadable),
        )
    return Updated(batch, list(changes), not_taken, unreadable)


def _check_start(
    client: TruedyClient, before: BatchCall, batch: BatchCall, moment: datetime, timezone: str | None
) -> None:
    """Fail unless the new start was taken. Nobody has asked for a third one, so it is not left to call."""
    if _starts_at(batch, moment):
        return
    error = ReadBackError(
        f"Batch call {batch.id} ({batch.name!r}, {batch.status!r}) did not take the new start. Asked for: "
        f"{in_words(moment, timezone)}; before: {_start_in_words(before, timezone)}; now: "
        f"{_start_in_words(batch, timezone)}. Set it in the Truedy dashboard."
    )
    if (batch.scheduled_at, batch.schedule_type) == (before.scheduled_at, before.schedule_type):
        raise error
    pause_and_raise(client, batch, error)


def _start_in_words(batch: BatchCall, timezone: str | None) -> str:
    date = in_words(batch.scheduled_at, timezone) if batch.scheduled_at else "no date"
    return f"{date} (immediate)" if batch.schedule_type == "immediate" else date
