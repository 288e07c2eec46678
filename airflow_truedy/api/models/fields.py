"""The types of single fields: each with its rule where it is sent, lenient where it is answered."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    PlainSerializer,
    Strict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from airflow_truedy.formats import CLOCK_TIME_RULE, is_clock_time, is_e164, is_email, utc_text

_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}.*")
_SECONDS = re.compile(r"[1-9][0-9]*s")
# In a system's zone directory, but no place: the first is whatever this machine is set to.
_NOT_ZONES = frozenset({"localtime", "posixrules", "Factory"})


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


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _NOT_ZONES


def _real_zone(name: str) -> str:
    if name not in _zones():
        raise RuleBroken("must be an IANA time zone, e.g. America/New_York")
    return name


def _real_clock_time(text: str) -> str:
    if not is_clock_time(text):
        raise RuleBroken(CLOCK_TIME_RULE)
    return text


def _e164(number: str) -> str:
    if not is_e164(number):
        raise RuleBroken("must be an E.164 number: + and 2 to 15 digits, the first not 0")
    return number


def _like_an_email(address: str) -> str:
    if not is_email(address):
        raise RuleBroken("must look like an e-mail address")
    return address


def _seconds(text: str) -> str:
    if not _SECONDS.fullmatch(text):
        raise RuleBroken('must be whole seconds with the unit, e.g. "30s"')
    return text


def _no_repeats(days: list[int]) -> list[int]:
    if len(set(days)) != len(days):
        raise RuleBroken("must not repeat a day")
    return days


def _each_once(ids: list[str]) -> list[str]:
    if len(set(ids)) != len(ids):
        raise RuleBroken("must not repeat a contact: a server that keeps both would call this person twice")
    return ids


def _date_time_or_text(value: Any) -> Any:
    # pydantic would read any number as seconds since 1970: a start in the past, by surprise.
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE_TIME.fullmatch(value)):
        return value
    raise RuleBroken("must be a date and time with its offset from UTC, e.g. 2026-03-20T09:00:00Z")


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc).replace(microsecond=0)


#: A moment. Held and sent as UTC, to the second.
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_date_time_or_text),
    AfterValidator(_in_utc),
    PlainSerializer(utc_text, return_type=str),
]
#: An IANA zone that this machine knows.
Zone = Annotated[str, AfterValidator(_real_zone)]
#: A wall-clock time, HH:MM.
ClockTime = Annotated[str, AfterValidator(_real_clock_time)]
#: An E.164 phone number.
Number = Annotated[str, AfterValidator(_e164)]
#: An e-mail address, checked for its form only.
Email = Annotated[str, AfterValidator(_like_an_email)]
#: A duration as the call settings take it.
Seconds = Annotated[str, AfterValidator(_seconds)]
#: An opaque id: any text but none.
Id = Annotated[str, Field(min_length=1)]
#: Contacts of the server, none twice.
ContactIds = Annotated[list[Id], AfterValidator(_each_once)]
#: A person's first or last name.
PersonName = Annotated[str, Field(max_length=100)]
#: A campaign's name.
CampaignName = Annotated[str, Field(min_length=1, max_length=255)]
#: A count of at least one; text and true are not numbers here.
Count = Annotated[int, Strict(), Field(ge=1)]
#: 1 = Monday to 7 = Sunday, none twice. Empty says nothing, so it is refused.
WorkingDays = Annotated[
    list[Annotated[int, Strict(), Field(ge=1, le=7)]], Field(min_length=1), AfterValidator(_no_repeats)
]
RotationStrategy = Literal["random", "sequential", "round_robin"]
ContactSource = Literal["csv", "folder", "manual"]
ScheduleType = Literal["immediate", "scheduled"]


def check_window(start_time: str | None, end_time: str | None) -> None:
    """
    A daily window needs both ends, the end after the start.

    :param start_time: HH:MM or None.
    :param end_time: HH:MM or None.
    """
    if (start_time is None) != (end_time is None):
        missing = "start_time" if start_time is None else "end_time"
        raise RuleBroken("a window needs both start_time and end_time", field=missing)
    if start_time is not None and end_time is not None and end_time <= start_time:
        raise RuleBroken(f"must be after start_time ({start_time})", field="end_time", value=end_time)


# What the API answers is read leniently: a value that cannot be read is None instead of an error.


def _none_if_unreadable(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


def _utc_if_naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment


#: A moment; without an offset it is UTC.
UtcDatetime = Annotated[datetime, AfterValidator(_utc_if_naive)]
LENIENT = WrapValidator(_none_if_unreadable)
Text = Annotated[str | None, LENIENT]
Whole = Annotated[int | None, LENIENT]
Amount = Annotated[int | float | None, LENIENT]
AnsweredMoment = Annotated[UtcDatetime | None, LENIENT]
Fields = Annotated[dict[str, Any] | None, LENIENT]
#: A state that is missing or odd is the empty text, which no rule takes for a final one.
State = Annotated[str, BeforeValidator(lambda value: value if isinstance(value, str) else "")]
