"""What the API answers about contacts, folders, calls, agents and numbers. API notes (b.2) to (b.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from airflow_truedy.api.models.answer import LENIENT, Amount, Answer, Fields, Id, Moment, State, Text, Whole


class Contact(Answer):
    """A person in the server's address book."""

    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "phone": ("phone_number",),
        "custom_fields": ("metadata",),
    }
    shown: ClassVar[tuple[str, ...]] = ("id", "folder_id", "call_count")

    id: Id
    name: Text = None
    phone: Text = None
    email: Text = None
    folder_id: Text = None
    custom_fields: Fields = None
    call_count: Whole = None
    last_called_at: Moment = None
    created_at: Moment = None
    updated_at: Moment = None

    @model_validator(mode="before")
    @classmethod
    def _name_from_parts(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or data.get("name") is not None:
            return data
        parts = [str(data[part]) for part in ("first_name", "last_name") if data.get(part)]
        return {**data, "name": " ".join(parts) or None}


class Folder(Answer):
    """A folder of contacts."""

    shown: ClassVar[tuple[str, ...]] = ("id", "name", "contact_count")

    id: Id
    name: Text = None
    description: Text = None
    contact_count: Whole = None
    created_at: Moment = None
    updated_at: Moment = None


class ImportProblem(Answer):
    """One row that an import refused. ``row`` as the server counts, with or without the header."""

    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {"reason": ("error",), "phone": ("phone_number",)}
    shown: ClassVar[tuple[str, ...]] = ("row",)

    row: Whole = None
    phone: Text = None
    reason: Text = None


class ImportResult(Answer):
    """What a CSV import did, in either of its two shapes."""

    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {"imported": ("successful",)}
    shown: ClassVar[tuple[str, ...]] = ("imported", "updated", "skipped", "errors", "folder_id")

    imported: Whole = None
    updated: Whole = None
    skipped: Whole = None
    #: How many rows were refused.
    errors: Whole = None
    folder_id: Text = None
    error_details: Annotated[list[ImportProblem] | None, LENIENT] = None

    @model_validator(mode="before")
    @classmethod
    def _errors_as_count(cls, data: Any) -> Any:
        # ``errors`` is a count on the newest page; before, it was the list, and ``failed`` the count.
        if not isinstance(data, Mapping):
            return data
        values = dict(data)
        listed = values.get("errors")
        if isinstance(listed, list):
            values["error_details"] = values.get("error_details") or listed
            values["errors"] = len(listed)
        if values.get("failed") is not None:
            values["errors"] = values["failed"]
        return values


class Call(Answer):
    """One phone call. ``status`` is as the server sent it."""

    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "to_number": ("to", "phone_number"),
        "from_number": ("from",),
    }
    shown: ClassVar[tuple[str, ...]] = ("id", "status", "direction", "agent_id", "duration_seconds")

    id: Id
    status: State = ""
    direction: Text = None
    agent_id: Text = None
    to_number: Text = None
    from_number: Text = None
    duration_seconds: Amount = None
    recording_url: Text = None
    transcript_url: Text = None
    summary: Text = None
    cost_credits: Amount = None
    metadata: Fields = None
    started_at: Moment = None
    ended_at: Moment = None
    created_at: Moment = None
    updated_at: Moment = None

    @property
    def batch_call_id(self) -> str | None:
        """The batch call it belongs to; the server calls it ``metadata.campaign_id``."""
        found = (self.metadata or {}).get("campaign_id")
        return str(found) if found is not None else None

    @property
    def contact_id(self) -> str | None:
        """The contact it went to, from ``metadata``; its prefix may differ from the batch call's rows."""
        found = (self.metadata or {}).get("contact_id")
        return str(found) if found is not None else None


class Transcript(Answer):
    """What was said in a call: each line a mapping with ``speaker``, ``text`` and seconds from the start."""

    shown: ClassVar[tuple[str, ...]] = ("call_id",)

    call_id: Text = None
    transcript: Annotated[list[dict[str, Any]] | None, LENIENT] = None
    summary: Text = None

    @model_validator(mode="before")
    @classmethod
    def _lines_alone(cls, data: Any) -> Any:
        return {"transcript": data} if isinstance(data, list) else data


class PhoneNumber(Answer):
    """
    A number of the organization, or of an agent. Not a person's, so its repr shows only the id all the same.
    """

    shown: ClassVar[tuple[str, ...]] = ("id", "agent_id", "status")

    id: Id
    phone_number: Text = None
    agent_id: Text = None
    status: State = ""
    created_at: Moment = None
    updated_at: Moment = None


class Agent(Answer):
    """A voice agent. It must be ``active`` to call."""

    shown: ClassVar[tuple[str, ...]] = ("id", "name", "status")

    id: Id
    name: Text = None
    description: Text = None
    voice_id: Text = None
    model: Text = None
    status: State = ""
    inbound_phone_numbers: Annotated[list[PhoneNumber] | None, LENIENT] = None
    outbound_phone_numbers: Annotated[list[PhoneNumber] | None, LENIENT] = None
    created_at: Moment = None
    updated_at: Moment = None
