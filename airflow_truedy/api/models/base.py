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

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, model_validator

from airflow_truedy.api.errors import InvalidPayloadError, Problem
from airflow_truedy.api.models.fields import RuleBroken
from airflow_truedy.api.scrub import scrub, shown_value

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from typing_extensions import Self

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
    "datetime_parsing": "must be a real date and time",
    "datetime_from_date_parsing": "must be a real date and time",
    "datetime_object_invalid": "must be a real date and time",
    "timezone_aware": "must say its offset from UTC, e.g. 2026-03-20T09:00:00Z",
}

A = TypeVar("A", bound="Answer")


class Payload(BaseModel):
    """A body to send. What is not set, or None, is not sent."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    #: What it is called in an error message.
    label: ClassVar[str] = "request"

    @classmethod
    def checked(cls, /, **values: Any) -> Self:
        """
        Make one, refusing bad values with a readable error; pydantic's own text, which repeats the input, never shows.

        :param values: the fields under their API names.
        :raises InvalidPayloadError: naming every bad field, its value as far as it may be shown, and the rule.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as refused:
            problems = [_problem(error) for error in refused.errors(include_url=False)]
        # Raised out here, so that pydantic's error is not even this one's context.
        raise InvalidPayloadError(f"invalid {cls.label}", problems=problems)

    def body(self) -> dict[str, Any]:
        """Return what is sent, as plain JSON values, with the ``extra_fields`` of a request that has them."""
        return {**(getattr(self, "extra_fields", None) or {}), **self.model_dump(mode="json", exclude_none=True)}

    def to_json(self) -> bytes:
        """Return what is sent, as bytes: equal requests give equal bytes, whatever the order of their fields."""
        return json.dumps(self.body(), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        # A repr ends in logs and tracebacks.
        for name in self.model_fields_set:
            yield name, shown_value([name], getattr(self, name))


def _problem(error: ErrorDetails) -> Problem:
    context = error.get("ctx", {})
    path = [str(step) for step in error["loc"]]
    value = error["input"]
    broken = context.get("error")
    if isinstance(broken, RuleBroken):
        rule = broken.rule
        if broken.field is not None:
            path.append(broken.field)
            value = value.get(broken.field)
    else:
        rule = _RULES.get(error["type"], "is not valid").format(**context)
    field = scrub(".".join(path)) or "(all)"
    return Problem(field, "(not given)" if error["type"] == "missing" else shown_value(path, value), rule)


@dataclass(frozen=True)
class Envelope:
    """
    A successful answer, taken apart.

    :param data: the object or the list; the whole body where a server sends no envelope; None for an empty body.
    :param pagination: how far a list goes, in whatever style; empty if the server does not say.
    :param request_id: for Truedy's support.
    :param server_time: when it was given, by the server's own clock; None if it does not say.
    """

    data: Any = field(default=None, repr=False)
    pagination: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    server_time: datetime | None = None


def _value_at(data: Any, name: str) -> Any:
    for step in name.split("."):
        data = data.get(step) if isinstance(data, Mapping) else None
    return data


class Answer(BaseModel):
    """
    One object of the API. Its repr shows ids, states and counts, never a person.

    Fields without an attribute of their own stay in ``model_extra``, as the server wrote them.
    """

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )

    #: Field -> the other names under which it comes, ``outer.inner`` for one inside another; the first that holds
    #: something is taken.
    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    #: What a repr may show.
    shown: ClassVar[tuple[str, ...]] = ("id", "status")

    _request_id: str | None = PrivateAttr(default=None)
    _server_time: datetime | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _read_other_names(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        values = dict(data)
        for field_name, names in cls.other_names.items():
            if values.get(field_name) is None:
                found = (_value_at(data, name) for name in names)
                values[field_name] = next((value for value in found if value is not None), None)
        return values

    @property
    def request_id(self) -> str | None:
        """The id of the request that brought this answer, for Truedy's support; None if the server gave none."""
        return self._request_id

    @property
    def answered_at(self) -> datetime | None:
        """When this was true by the server's own clock, which may differ from ours; None if it did not say."""
        return self._server_time

    def brought_by(self: A, envelope: Envelope) -> A:
        """Note which request brought this answer and when, and return it."""
        self._request_id, self._server_time = envelope.request_id, envelope.server_time
        return self

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [(name, getattr(self, name)) for name in self.shown if hasattr(self, name)]
