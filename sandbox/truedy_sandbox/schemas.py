"""What requests may say, read off the documentation; unknown fields are ignored, as the real service did."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, Field, FiniteFloat, StringConstraints, model_validator

_ZONES = available_timezones()
_EARLIEST = datetime(2000, 1, 1, tzinfo=timezone.utc)
_LATEST = datetime(2100, 1, 1, tzinfo=timezone.utc)


def _known_zone(name: str) -> str:
    if name not in _ZONES:
        raise ValueError("not an IANA time zone")
    return name


def _real_time(text: str) -> str:
    if text[:2] > "23" or text[3:] > "59":
        raise ValueError("not a time of day")
    return text


def _utc(moment: datetime) -> datetime:
    # A value without an offset is read as UTC: the documentation does not say, the older code meant it so.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    try:
        reasonable = _EARLIEST <= aware <= _LATEST
    except OverflowError:
        reasonable = False
    if not reasonable:
        raise ValueError("not a reasonable moment")
    return aware


Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{1,14}$")]
Zone = Annotated[str, AfterValidator(_known_zone)]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}:[0-9]{2}$"), AfterValidator(_real_time)]
Moment = Annotated[datetime, AfterValidator(_utc)]
PersonName = Annotated[str, StringConstraints(max_length=100)]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]
Weekday = Annotated[int, Field(ge=1, le=7)]
CustomFields = dict[str, str | bool | int | FiniteFloat | None]
BatchName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Rotation = Literal["random", "sequential", "round_robin"]
ScheduleType = Literal["immediate", "scheduled"]


class InlineContact(BaseModel):
    """A contact inside a create or add request."""

    phone_number: Phone
    first_name: PersonName | None = None
    last_name: PersonName | None = None
    email: Email | None = None
    custom_fields: CustomFields | None = None


_CONTACTS: dict[str, Any] = {"items": InlineContact.model_json_schema()}


class BatchCallCreate(BaseModel):
    """Body of POST /batch-calls. ``contacts`` is checked apart, because a setting may drop invalid ones."""

    name: BatchName
    agent_id: str
    phone_number_ids: list[str] | None = None
    phone_rotation_strategy: Rotation = "random"
    contact_source: Literal["csv", "folder", "manual"] = "csv"
    contact_folder_id: str | None = None
    contact_ids: list[str] | None = None
    contacts: list[Any] | None = Field(default=None, json_schema_extra=_CONTACTS)
    schedule_type: ScheduleType = "immediate"
    scheduled_at: Moment | None = None
    max_calls_per_day: int | None = Field(default=None, ge=1, le=1_000_000_000)
    timezone: Zone = "UTC"
    start_time: TimeOfDay | None = None
    end_time: TimeOfDay | None = None
    working_days: list[Weekday] = []

    @model_validator(mode="after")
    def _rules(self) -> BatchCallCreate:
        if self.schedule_type == "scheduled" and self.scheduled_at is None:
            raise ValueError("scheduled_at is required if schedule_type is 'scheduled'")
        if self.contact_source == "folder" and self.contact_folder_id is None:
            raise ValueError("contact_folder_id is required if contact_source is 'folder'")
        check_window(self.start_time, self.end_time)
        return self


def check_window(start: str | None, end: str | None) -> None:
    """
    Refuse a window that ends before it starts; what an overnight window would mean is documented nowhere.

    :raises ValueError: if it does.
    """
    if (start or "00:00") >= (end or "24:00"):
        raise ValueError("end_time must be after start_time")


class BatchCallUpdate(BaseModel):
    """Body of PATCH /batch-calls/{id}: the newer page's fields and the older page's."""

    name: BatchName | None = None
    phone_number_ids: list[str] | None = None
    phone_rotation_strategy: Rotation | None = None
    schedule_type: ScheduleType | None = None
    scheduled_at: Moment | None = None
    max_calls_per_day: int | None = Field(default=None, ge=1, le=1_000_000_000)
    start_time: TimeOfDay | None = None
    end_time: TimeOfDay | None = None
    working_days: list[Weekday] | None = None


class ScheduleRequest(BaseModel):
    """Body of POST /batch-calls/{id}/schedule."""

    scheduled_at: Moment | None = None
    timezone: Zone | None = None


class AddContacts(BaseModel):
    """Body of POST /batch-calls/{id}/contacts."""

    contacts: list[Any] = Field(min_length=1, json_schema_extra=_CONTACTS)


class Ids(BaseModel):
    """Body of the bulk deletes."""

    ids: list[str] = Field(min_length=1)


class FolderCreate(BaseModel):
    """Body of POST /contacts/folders."""

    name: str = Field(min_length=1, max_length=100)
    description: str | None = Field(default=None, max_length=500)


class ContactCreate(InlineContact):
    """Body of POST /contacts."""

    folder_id: str | None = None


class ContactUpdate(BaseModel):
    """Body of PATCH /contacts/{id}."""

    first_name: PersonName | None = None
    last_name: PersonName | None = None
    email: Email | None = None
    custom_fields: CustomFields | None = None


class CallCreate(BaseModel):
    """Body of POST /calls."""

    agent_id: str
    phone_number: Phone
    from_number: Phone | None = None
    call_settings: dict[str, Any] | None = None
    variables: dict[str, Any] | None = None


def plain(model: BaseModel, *, only_set: bool = False) -> dict[str, Any]:
    """Return a request as plain JSON, moments as seconds since the epoch."""
    values = model.model_dump(exclude_unset=only_set)
    return {k: v.timestamp() if isinstance(v, datetime) else v for k, v in values.items()}
