"""
What all models share: the types of single fields, and the two bases.

What is sent is strict: one encoding to bytes, and refusals that show no person and no key. What is answered is read
leniently: servers disagree on names and shapes, so every spelling is read, and unknown fields are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    StrictInt,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from airflow_truedy.api.errors import InvalidPayloadError, Problem
from airflow_truedy.api.scrub import scrub, shown_value
from airflow_truedy.formats import (
    CLOCK_TIME_RULE,
    WEEKDAYS_RULE,
    are_weekdays,
    broken_window_rule,
    is_clock_time,
    is_e164,
    is_email,
    utc_text,
)
from airflow_truedy.zone_data import region_zone

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_core import ErrorDetails
    from typing_extensions import Self

_is_date_time = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}.*").fullmatch
_is_seconds = re.compile(r"[1-9][0-9]*s").fullmatch


class RuleBroken(ValueError):  # noqa: N818 - a broken rule, never seen outside this package
    """
    A rule of ours, raised inside a pydantic validator; the words are ours, so they are safe to show.

    :param rule: the rule in words, e.g. ``must be after start_time``.
    :param field: the field to name when the rule spans several; default: the one being validated.
    """

    def __init__(self, rule: str, *, field: str | None = None) -> None:
        super().__init__(rule)
        self.rule = rule
        self.field = field


def _must(be: Callable[[Any], object], rule: str) -> AfterValidator:
    """Return a validator that refuses what ``be`` does not accept."""

    def checked(value: Any) -> Any:
        if not be(value):
            raise RuleBroken(rule)
        return value

    return AfterValidator(checked)


def _zone_of_a_region(name: str) -> str:
    try:
        region_zone(name)
    except ValueError as problem:
        raise RuleBroken(str(problem)) from None
    return name


def _moment_in_utc(value: Any, read: ValidatorFunctionWrapHandler) -> datetime:
    # pydantic would read any number as seconds since 1970: a start in the past, by surprise.
    if not (isinstance(value, datetime) or (isinstance(value, str) and _is_date_time(value))):
        raise RuleBroken("must be a date and time with its offset from UTC, e.g. 2026-03-20T09:00:00Z")
    moment: datetime = read(value)
    try:
        return moment.astimezone(timezone.utc).replace(microsecond=0)
    except OverflowError:
        # Near year 1 or 9999 an offset leads out of what Python can hold.
        raise RuleBroken("must be a real date and time") from None


#: A moment. Held and sent as UTC, to the second.
Moment = Annotated[AwareDatetime, WrapValidator(_moment_in_utc), PlainSerializer(utc_text, return_type=str)]
#: The IANA zone of a region.
Zone = Annotated[str, AfterValidator(_zone_of_a_region)]
#: A wall-clock time, HH:MM.
ClockTime = Annotated[str, _must(is_clock_time, CLOCK_TIME_RULE)]
#: An E.164 phone number.
Number = Annotated[str, _must(is_e164, "must be an E.164 number: + and 2 to 15 digits, the first not 0")]
#: An e-mail address, checked for its form only.
Email = Annotated[str, _must(is_email, "must look like an e-mail address")]
#: A duration as the call settings take it.
Seconds = Annotated[str, _must(_is_seconds, 'must be whole seconds with the unit, e.g. "30s"')]
#: An opaque id: any text but none.
Id = Annotated[str, Field(min_length=1)]
#: Contacts of the server, none twice.
ContactIds = Annotated[
    list[Id],
    _must(
        lambda ids: len(set(ids)) == len(ids),
        "must not repeat a contact: a server that keeps both would call this person twice",
    ),
]
#: A person's first or last name.
PersonName = Annotated[str, Field(max_length=100)]
#: A campaign's name.
CampaignName = Annotated[str, Field(min_length=1, max_length=255)]
#: A count of at least one; text and true are not numbers here.
Count = Annotated[StrictInt, Field(ge=1)]
#: 1 = Monday to 7 = Sunday, none twice. Empty says nothing, so it is refused.
WorkingDays = Annotated[list[StrictInt], _must(are_weekdays, WEEKDAYS_RULE)]
RotationStrategy = Literal["random", "sequential", "round_robin"]
ContactSource = Literal["csv", "folder", "manual"]
ScheduleType = Literal["immediate", "scheduled"]


def check_window(start_time: str | None, end_time: str | None) -> None:
    """Refuse a daily window without both ends, or with an end that is not after the start."""
    if (start_time is None) != (end_time is None):
        missing = "start_time" if start_time is None else "end_time"
        raise RuleBroken("a window needs both start_time and end_time", field=missing)
    if rule := broken_window_rule(start_time, end_time):
        raise RuleBroken(rule, field="end_time")


# What the API answers is read leniently: a value that cannot be read is None instead of an error.


def _read_leniently(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        found = read(value)
    except ValidationError:
        return None
    is_naive = isinstance(found, datetime) and found.tzinfo is None
    return found.replace(tzinfo=timezone.utc) if is_naive else found


LENIENT = WrapValidator(_read_leniently)
Text = Annotated[str | None, LENIENT]
Whole = Annotated[int | None, LENIENT]
Amount = Annotated[int | float | None, LENIENT]
#: A moment; without an offset it is UTC.
AnsweredMoment = Annotated[datetime | None, LENIENT]
Fields = Annotated[dict[str, Any] | None, LENIENT]
#: A state that is missing or odd is the empty text, which no rule takes for a final one.
State = Annotated[str, BeforeValidator(lambda value: value if isinstance(value, str) else "")]


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
