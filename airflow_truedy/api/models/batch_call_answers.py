"""What the API answers about batch calls. API notes (b.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from airflow_truedy.api.models.answer import LENIENT, Answer, Id, Moment, State, Text, Whole


class _BatchCallFields(Answer):
    shown: ClassVar[tuple[str, ...]] = (
        "id",
        "status",
        "scheduled_at",
        "timezone",
        "total_contacts",
        "called",
    )

    name: Text = None
    status: State = ""
    agent_id: Text = None
    from_number: Text = None
    schedule_type: Text = None
    scheduled_at: Moment = None
    timezone: Text = None
    concurrency: Whole = None
    retry_attempts: Whole = None
    total_contacts: Whole = None
    called: Whole = None
    completed: Whole = None
    failed: Whole = None
    pending: Whole = None
    created_at: Moment = None
    updated_at: Moment = None

    @model_validator(mode="before")
    @classmethod
    def _counts_from_stats(cls, data: Any) -> Any:
        # The older object keeps its counters in ``stats``.
        stats = data.get("stats") if isinstance(data, Mapping) else None
        if not isinstance(stats, Mapping):
            return data
        counts = {
            "completed": "completed",
            "failed": "failed",
            "pending": "pending",
            "total_contacts": "total",
        }
        found = {field: stats[name] for field, name in counts.items() if stats.get(name) is not None}
        return {**found, **data}


class BatchCall(_BatchCallFields):
    """
    A batch call. ``status`` is as the server sent it; window, days and numbers are not in what it answers.
    """

    id: Id


class ScheduledBatchCall(_BatchCallFields):
    """
    What schedule, pause and resume answer: a part of a batch call, or nothing at all.

    Merge what is there and read the batch call again.
    """

    id: Text = None
    resumed_at: Moment = None


class BatchCallContact(Answer):
    """
    One person of a batch call and how far the call got. Unknown words in ``call_status`` must be expected.
    """

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
    called_at: Moment = None


class AddedContacts(Answer):
    """What adding contacts to a batch call did, in counts; the server names no contact and no reason."""

    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "added_count": ("contacts_added",),
        "failed_count": ("contacts_failed",),
    }
    shown: ClassVar[tuple[str, ...]] = ("added_count", "failed_count")

    added_count: Whole = None
    failed_count: Whole = None


class DeletedBatchCalls(Answer):
    """What a bulk delete did; a part may fail and the answer is still a success."""

    shown: ClassVar[tuple[str, ...]] = ("deleted_count", "failed_count", "deleted_ids", "failed_ids")

    deleted_count: Whole = None
    failed_count: Whole = None
    deleted_ids: Annotated[list[str] | None, LENIENT] = None
    failed_ids: Annotated[list[str] | None, LENIENT] = None
