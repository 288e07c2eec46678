"""The types of single fields: each with its rule where it is sent, lenient where it is answered."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    PlainSerializer,
    StrictInt,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

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
