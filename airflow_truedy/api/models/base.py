"""
What all models share.

What is sent is strict: one encoding to bytes, and refusals that show no person and no key. What is answered is read
leniently: servers disagree on names and shapes, so every spelling is read, and unknown fields are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr, TypeAdapter, ValidationError, model_validator

from airflow_truedy.api.errors import InvalidPayloadError, Problem
from airflow_truedy.api.models.fields import AnsweredMoment, RuleBroken
from airflow_truedy.api.scrub import HIDDEN, scrub
from airflow_truedy.masking import mask_number

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from typing_extensions import Self

_NUMBERS = frozenset({"phone_number", "from_number"})
_SHOWN_LENGTH = 60
# Fields whose values describe no person. Whatever is not here is not shown, also what is added later.
_SHOWN = frozenset(
    [
        "name",
        "agent_id",
        "phone_number_ids",
        "phone_rotation_strategy",
        "contact_source",
        "contact_folder_id",
        "contact_ids",
        "schedule_type",
        "scheduled_at",
        "max_calls_per_day",
        "timezone",
        "start_time",
        "end_time",
        "working_days",
        "retry_failed",
        "ids",
        "folder_id",
        "description",
        "recording_enabled",
        "transcription_enabled",
        "max_duration",
        "join_timeout",
    ]
)
# pydantic's error types in our words; braces are filled from the error's context.
_RULES = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request",
    "literal_error": "must be one of {expected}",
    "string_type": "must be text",
    "string_unicode": "must be valid Unicode text",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must hold at least {min_length} item(s)",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "datetime_parsing": "must be a real date and time",
    "datetime_from_date_parsing": "must be a real date and time",
    "timezone_aware": "must say its offset from UTC, e.g. 2026-03-20T09:00:00Z",
}

A = TypeVar("A", bound="Answer")
M = TypeVar("M", bound="Payload")
_MOMENT: TypeAdapter[datetime | None] = TypeAdapter(AnsweredMoment)


class Payload(BaseModel):
    """A body to send. What is not set, or None, is not sent."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    #: What it is called in an error message.
    label: ClassVar[str] = "request"

    @classmethod
    def checked(cls, **values: Any) -> Self:
        """
        Make one, refusing a bad value with a readable error.

        :param values: the fields under their API names.
        :raises InvalidPayloadError: naming every bad field, its value as far as it may be shown, and the
            rule.
        """
        return checked(cls, values)

    def body(self) -> dict[str, Any]:
        """What is sent, as plain JSON values."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_json(self) -> bytes:
        """
        What is sent, as bytes: equal requests give equal bytes, whatever order their fields were given in.
        """
        return json.dumps(self.body(), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        # A repr ends in logs and tracebacks: show which fields are set and only such values as describe no
        # person.
        for name in self.model_fields_set:
            yield name, safe_value(name, getattr(self, name))


def checked(model: type[M], values: Mapping[str, Any]) -> M:
    """
    Validate ``values`` as a ``model``; pydantic's own text, which repeats the input, never shows.

    :param model: the request's class.
    :param values: the fields under their API names.
    :raises InvalidPayloadError: naming every bad field, its value as far as it may be shown, and the rule.
    """
    problems: list[Problem]
    try:
        return model.model_validate(dict(values))
    except ValidationError as refused:
        problems = [_problem(error) for error in refused.errors(include_url=False)]
    # Raised out here, so that pydantic's error is not even this one's context.
    raise InvalidPayloadError(f"invalid {model.label}", problems=problems)


def _problem(error: ErrorDetails) -> Problem:
    context = error.get("ctx", {})
    path = [str(step) for step in error["loc"]]
    value = error["input"]
    broken = context.get("error")
    if isinstance(broken, RuleBroken):
        rule = broken.rule
        if broken.field is not None:
            path.append(broken.field)
            value = broken.value
    else:
        rule = _RULES.get(error["type"], "is not valid").format(**context)
    field = scrub(".".join(path)) or "(all)"
    if error["type"] == "missing":
        return Problem(field, "(not given)", rule)
    named = next((step for step in reversed(path) if not step.isdigit()), "")
    inside_hidden = any(step in ("custom_fields", "variables", "extra_fields") for step in path)
    return Problem(field, HIDDEN if inside_hidden else safe_value(named, value), rule)


def safe_value(field: str, value: Any) -> str:
    """
    A value as it may be shown to whoever reads logs.

    :param field: the field's name, which decides what may be shown.
    :param value: its value, of any type.
    """
    if value is None:
        return "(not given)"
    if field in _NUMBERS:
        return mask_number(str(value)[:_SHOWN_LENGTH])
    if field not in _SHOWN:
        return f"({len(value)} items)" if isinstance(value, (list, tuple)) else HIDDEN
    if isinstance(value, (list, tuple)) and any(isinstance(item, (list, tuple, Mapping, BaseModel)) for item in value):
        return f"({len(value)} items)"
    if isinstance(value, (Mapping, BaseModel)):
        return HIDDEN
    shown = scrub(value.isoformat() if isinstance(value, datetime) else repr(value))
    return shown if len(shown) <= _SHOWN_LENGTH else f"{shown[: _SHOWN_LENGTH - 1]}…"


@dataclass(frozen=True)
class Envelope:
    """
    A successful answer, taken apart.

    :param data: the object or the list; the whole body where a server sends no envelope; None for an empty body.
    :param pagination: how far a list goes, in whatever style; empty if the server does not say.
    :param request_id: for Truedy's support.
    :param server_time: when it was given by the server's own clock, as it writes it; None if it does not say.
    """

    data: Any = field(default=None, repr=False)
    pagination: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    server_time: Any = None


class Answer(BaseModel):
    """One object of the API. Its repr shows ids, states and counts, never a person."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )

    #: Field -> the other names under which it comes; the first that holds something is taken.
    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    #: What a repr may show.
    shown: ClassVar[tuple[str, ...]] = ("id", "status")

    _request_id: str | None = PrivateAttr(default=None)
    _server_time: Any = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _read_other_names(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        values = dict(data)
        for name_of_ours, names in cls.other_names.items():
            if values.get(name_of_ours) is None:
                values[name_of_ours] = next((data[name] for name in names if data.get(name) is not None), None)
        return values

    @property
    def request_id(self) -> str | None:
        """
        The id of the request that brought this answer, for Truedy's support; None if the server gave none.
        """
        return self._request_id

    @property
    def answered_at(self) -> datetime | None:
        """
        When this was true by the server's own clock, which may differ from ours; None if the server did not say.
        """
        return _MOMENT.validate_python(self._server_time)

    def brought_by(self: A, envelope: Envelope) -> A:
        """
        The same answer, saying which request brought it and when.

        :param envelope: what it came in.
        """
        self._request_id, self._server_time = envelope.request_id, envelope.server_time
        return self

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [(name, getattr(self, name)) for name in self.shown if hasattr(self, name)]
