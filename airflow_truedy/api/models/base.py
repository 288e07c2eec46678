"""What all requests share: strictness, one encoding to bytes, and refusals that show no person and no key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from airflow_truedy.api.errors import InvalidPayloadError, Problem
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

M = TypeVar("M", bound="Payload")


class RuleBroken(ValueError):  # noqa: N818 - a broken rule, never seen outside this package
    """
    A rule of ours, raised inside a pydantic validator; the words are ours, so they are safe to show.

    :param rule: the rule in words, e.g. ``must be after start_time``.
    :param field: the field to name when the rule spans several; default: the one being validated.
    :param value: that field's value.
    """

    def __init__(self, rule: str, *, field: str | None = None, value: Any = None) -> None:
        super().__init__(rule)
        self.rule = rule
        self.field = field
        self.value = value


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
        for field in self.model_fields_set:
            yield field, safe_value(field, getattr(self, field))


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
