"""What answers look like under the default settings, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class Meta(BaseModel):
    """Accompanies every answer."""

    request_id: str
    ts: str


class Pagination(BaseModel):
    """Accompanies every list."""

    total: int
    limit: int
    offset: int
    has_more: bool


class ErrorBody(BaseModel):
    """``details`` has ``field`` and ``reason`` in a 422, ``limit`` and ``reset_at`` in a 429."""

    code: str
    message: str
    details: dict[str, Any]


class Error(BaseModel):
    """Answers a refused request."""

    error: ErrorBody
    meta: Meta


class BatchCall(BaseModel):
    """Tells neither hours, days nor numbers. ``called`` is ``completed`` plus ``failed``, ``pending`` the rest."""

    id: str
    name: str
    status: Literal["draft", "scheduled", "active", "running", "paused", "completed", "failed", "cancelled"]
    agent_id: str
    from_number: str | None
    schedule_type: Literal["immediate", "scheduled"]
    scheduled_at: str | None
    timezone: str
    concurrency: int
    retry_attempts: int
    total_contacts: int
    called: int
    completed: int
    failed: int
    pending: int
    created_at: str
    updated_at: str


class BatchCallScheduled(BaseModel):
    """Answers *schedule* with a part of the batch call."""

    id: str
    status: Literal["scheduled"]
    scheduled_at: str | None
    timezone: str


class BatchCallPaused(BaseModel):
    """Answers *pause* with a part of the batch call."""

    id: str
    status: Literal["paused"]


class BatchCallResumed(BaseModel):
    """Answers *resume* with a part of the batch call."""

    id: str
    status: Literal["scheduled", "active", "running"]
    resumed_at: str


class BatchCallContact(BaseModel):
    """``contact_id`` begins with ``ctc_``, while the contact book and calls say ``cnt_``."""

    contact_id: str
    phone_number: str
    first_name: str | None
    call_status: str
    call_id: str | None
    called_at: str | None


class ContactsAdded(BaseModel):
    """Counts what was added, without reasons."""

    added_count: int
    failed_count: int


class Deleted(BaseModel):
    """Answers the deletion of one object."""

    id: str
    deleted: bool


class SeveralDeleted(BaseModel):
    """Lists what was deleted and what may not be."""

    deleted_count: int
    failed_count: int
    deleted_ids: list[str]
    failed_ids: list[str]


class Contact(BaseModel):
    """Has ``phone`` and ``name``, where requests have ``phone_number``, ``first_name`` and ``last_name``."""

    id: str
    name: str | None
    phone: str
    email: str | None
    folder_id: str | None
    custom_fields: dict[str, Any]
    call_count: int
    last_called_at: str | None
    created_at: str
    updated_at: str


class Folder(BaseModel):
    """A folder of contacts."""

    id: str
    name: str
    description: str | None
    contact_count: int
    created_at: str


class ImportedRow(BaseModel):
    """A row that was refused."""

    row: int
    phone: str
    reason: str


class Imported(BaseModel):
    """Counts the rows of an import; ``errors`` is a count."""

    imported: int
    updated: int
    skipped: int
    errors: int
    folder_id: str | None
    error_details: list[ImportedRow]


class CallMetadata(BaseModel):
    """The only way from a call back to its batch call."""

    campaign_id: str | None = None
    contact_id: str | None = None


class Call(BaseModel):
    """What is known only after a call is null until then."""

    id: str
    status: str
    direction: Literal["outbound"]
    agent_id: str
    to: str
    from_: str | None = Field(serialization_alias="from")
    duration_seconds: int | None
    recording_url: str | None
    transcript_url: str | None
    summary: str | None
    cost_credits: int | None
    metadata: CallMetadata
    started_at: str | None
    ended_at: str | None
    created_at: str
    updated_at: str


class CallPlaced(BaseModel):
    """Answers the create of a call."""

    id: str
    agent_id: str
    phone_number: str
    direction: Literal["outbound"]
    status: str
    created_at: str


class SpokenLine(BaseModel):
    """A line of a transcript; ``timestamp`` counts seconds from the start."""

    speaker: Literal["agent", "contact"]
    text: str
    timestamp: float


class Transcript(BaseModel):
    """What was spoken in a call."""

    call_id: str
    transcript: list[SpokenLine]
    summary: str | None


class Recording(BaseModel):
    """Where a call can be listened to."""

    call_id: str
    recording_url: str
    format: str
    duration_seconds: int


class AgentNumber(BaseModel):
    """A number that an agent uses."""

    id: str
    phone_number: str


class Agent(BaseModel):
    """A voice agent; only an ``active`` one can call."""

    id: str
    name: str
    description: str | None
    voice_id: str
    system_prompt: str
    model: str
    status: Literal["active", "draft", "creating", "failed"]
    inbound_phone_numbers: list[AgentNumber]
    outbound_phone_numbers: list[AgentNumber]
    created_at: str
    updated_at: str


class PhoneNumber(BaseModel):
    """A number of the organisation."""

    id: str
    phone_number: str
    agent_id: str | None
    status: str
    is_trudy_managed: bool
    created_at: str
    updated_at: str
