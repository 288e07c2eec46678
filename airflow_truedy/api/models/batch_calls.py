"""Batch calls: what is sent about them, and what the API answers."""

from __future__ import annotations

# ruff: noqa: TC001 - pydantic evaluates the annotations at run time
import json
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, StrictBool, field_validator, model_validator

from airflow_truedy.api.models.base import (
    LENIENT,
    Answer,
    AnsweredMoment,
    CampaignName,
    ClockTime,
    ContactIds,
    ContactSource,
    Count,
    Id,
    Moment,
    Payload,
    RotationStrategy,
    RuleBroken,
    ScheduleType,
    State,
    Text,
    Whole,
    WorkingDays,
    Zone,
    check_window,
)
from airflow_truedy.api.models.contacts import ContactInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self


class BatchCallRequest(Payload):
    """
    ``POST /batch-calls``.

    :param phone_number_ids: numbers to call from; the agent's own when empty.
    :param contact_source: ``folder`` needs ``contact_folder_id``.
    :param contact_folder_id: a folder whose contacts are copied into the batch call.
    :param contact_ids: contacts that the server already has, none twice.
    :param contacts: people to call, inline. One of the three ways to name people must be used.
    :param schedule_type: ``scheduled`` and ``scheduled_at`` need each other.
    :param scheduled_at: an aware moment; sent as UTC.
    :param timezone: the IANA zone of window and days.
    :param start_time: the daily window's begin, HH:MM; needs ``end_time``, which is later.
    :param working_days: 1 = Monday to 7 = Sunday, none twice.
    :param extra_fields: fields that the API takes and this class does not know, sent as they are.
    """

    label: ClassVar[str] = "batch call"

    name: CampaignName
    agent_id: Id
    phone_number_ids: list[Id] | None = None
    phone_rotation_strategy: RotationStrategy | None = None
    contact_source: ContactSource | None = None
    contact_folder_id: Id | None = None
    contact_ids: ContactIds | None = None
    contacts: list[ContactInput] | None = None
    schedule_type: ScheduleType | None = None
    scheduled_at: Moment | None = None
    max_calls_per_day: Count | None = None
    timezone: Zone | None = None
    start_time: ClockTime | None = None
    end_time: ClockTime | None = None
    working_days: WorkingDays | None = None
    extra_fields: dict[str, Any] | None = Field(default=None, exclude=True)

    @field_validator("extra_fields")
    @classmethod
    def _only_unknown_fields(cls, extra: dict[str, Any] | None) -> dict[str, Any] | None:
        known = sorted(set(extra or {}) & set(cls.model_fields))
        if known:
            raise RuleBroken(f"must not hold fields that have their own parameter: {', '.join(known)}")
        try:
            json.dumps(extra, allow_nan=False)
        except (TypeError, ValueError):
            raise RuleBroken("must hold plain JSON values only") from None
        return extra

    @model_validator(mode="after")
    def _rules_across_fields(self) -> Self:
        if self.schedule_type == "scheduled" and self.scheduled_at is None:
            raise RuleBroken("is required when schedule_type is scheduled", field="scheduled_at")
        if self.scheduled_at is not None and self.schedule_type != "scheduled":
            # The server's default is immediate: the moment would be dropped and people rung at once.
            raise RuleBroken("must be scheduled when scheduled_at is given", field="schedule_type")
        if self.contact_source == "folder" and self.contact_folder_id is None:
            raise RuleBroken("is required when contact_source is folder", field="contact_folder_id")
        if not (self.contact_folder_id or self.contact_ids or self.contacts):
            people = "someone to call must be given: contacts, contact_ids or contact_folder_id"
            raise RuleBroken(people, field="contacts")
        check_window(self.start_time, self.end_time)
        return self


class BatchCallUpdate(Payload):
    """
    ``PATCH /batch-calls/{batch_call_id}``: at least one field, as in :class:`BatchCallRequest`.

    Which fields a server takes differs by its version: read the batch call back. ``timezone`` cannot be changed.

    :param retry_failed: whether failed calls are tried again; only in the older page.
    """

    label: ClassVar[str] = "batch call update"

    name: CampaignName | None = None
    phone_number_ids: list[Id] | None = None
    phone_rotation_strategy: RotationStrategy | None = None
    schedule_type: ScheduleType | None = None
    scheduled_at: Moment | None = None
    max_calls_per_day: Count | None = None
    start_time: ClockTime | None = None
    end_time: ClockTime | None = None
    working_days: WorkingDays | None = None
    retry_failed: StrictBool | None = None

    @model_validator(mode="after")
    def _rules_across_fields(self) -> Self:
        if not self.body():
            raise RuleBroken("at least one field must be given")
        if self.scheduled_at is not None and self.schedule_type == "immediate":
            raise RuleBroken("must be scheduled when scheduled_at is given", field="schedule_type")
        check_window(self.start_time, self.end_time)
        return self


class ScheduleRequest(Payload):
    """
    ``POST /batch-calls/{batch_call_id}/schedule``.

    :param scheduled_at: when to start, aware. Without it the calls start **at once**, whatever the create stated.
    :param timezone: IANA zone.
    """

    label: ClassVar[str] = "schedule"

    scheduled_at: Moment | None = None
    timezone: Zone | None = None


class AddContactsRequest(Payload):
    """``POST /batch-calls/{batch_call_id}/contacts``: at least one contact."""

    label: ClassVar[str] = "contacts to add"

    contacts: list[ContactInput] = Field(min_length=1)


class DeleteRequest(Payload):
    """``POST /batch-calls/bulk-delete``: at least one id."""

    label: ClassVar[str] = "bulk delete"

    ids: list[Id] = Field(min_length=1)


class BatchCall(Answer):
    """A batch call. ``status`` is as the server sent it; window, days and numbers are not in what it answers."""

    # The older object keeps its counters in ``stats``.
    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "total_contacts": ("stats.total",),
        "completed": ("stats.completed",),
        "failed": ("stats.failed",),
        "pending": ("stats.pending",),
    }
    shown: ClassVar[tuple[str, ...]] = ("id", "status", "scheduled_at", "timezone", "total_contacts", "called")

    id: Id
    name: Text = None
    status: State = ""
    agent_id: Text = None
    schedule_type: Text = None
    scheduled_at: AnsweredMoment = None
    timezone: Text = None
    total_contacts: Whole = None
    called: Whole = None
    completed: Whole = None
    failed: Whole = None
    pending: Whole = None
    created_at: AnsweredMoment = None
    updated_at: AnsweredMoment = None


class ScheduledBatchCall(Answer):
    """What schedule, pause and resume answer: a part of a batch call, or nothing at all. Read the batch call again."""

    id: Text = None
    status: State = ""


class BatchCallContact(Answer):
    """One person of a batch call and how far the call got. Unknown words in ``call_status`` must be expected."""

    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "contact_id": ("id",),
        "phone_number": ("phone",),
        "call_status": ("status",),
    }
    shown: ClassVar[tuple[str, ...]] = ("contact_id", "call_status", "call_id")

    contact_id: Text = None
    phone_number: Text = None
    first_name: Text = None
    call_status: State = ""
    call_id: Text = None
    called_at: AnsweredMoment = None


class AddedContacts(Answer):
    """How many contacts were added to a batch call; the server names neither contacts nor reasons."""

    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "added_count": ("contacts_added",),
        "failed_count": ("contacts_failed",),
    }
    shown: ClassVar[tuple[str, ...]] = ("added_count", "failed_count")

    added_count: Whole = None
    failed_count: Whole = None


class DeletedBatchCalls(Answer):
    """What a bulk delete did; a part may fail and the answer is still a success."""

    shown: ClassVar[tuple[str, ...]] = ("deleted_ids", "failed_ids")

    deleted_ids: Annotated[list[str] | None, LENIENT] = None
    failed_ids: Annotated[list[str] | None, LENIENT] = None
