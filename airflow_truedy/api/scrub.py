"""
What may reach a log or an exception: text that somebody else wrote, without people and keys, and values of requests.

What a server writes about one request also loses the people in it; see :mod:`airflow_truedy.api.sent_people`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from airflow_truedy.masking import mask_number

HIDDEN = "(hidden)"
_LONGEST = 300
# Read of a longer text: enough to fill the line after masking, and no server can make the patterns slow.
_LONGEST_READ = 4 * _LONGEST
_LONGEST_ID = 100

# Fields that describe a person, under every name that one of the API's pages gives them. ``input`` is what a
# FastAPI server echoes of a refused body, ``ctx`` may repeat it.
PERSONAL_FIELDS = frozenset(
    {
        *("phone", "phone_number", "phone_numbers", "to", "from", "to_number", "from_number"),
        *("name", "first_name", "last_name", "full_name", "contact_name", "email", "email_address"),
        *("custom_fields", "metadata", "variables", "contacts", "contact", "row", "input", "ctx", "value", "body"),
    }
)
# Fields of requests whose values describe no person. Whatever is not here is not shown, also what is added later.
_SHOWN_FIELDS = frozenset(
    {
        *("name", "agent_id", "phone_number_ids", "phone_rotation_strategy", "folder_id", "description", "ids"),
        *("contact_source", "contact_folder_id", "contact_ids", "schedule_type", "scheduled_at", "timezone"),
        *("start_time", "end_time", "working_days", "max_calls_per_day", "retry_failed"),
        *("recording_enabled", "transcription_enabled", "max_duration", "join_timeout"),
    }
)
_GROUPS = ("custom_fields", "variables", "extra_fields")
_LONGEST_VALUE = 60

_KEY = re.compile(r"\btruedy_[A-Za-z0-9]+|(?<=Bearer )[^\s\"',]+", re.IGNORECASE)
# The left side must be short: an unbounded one is quadratic on a long text without an @.
_EMAIL = re.compile(r"[^\s@\"'<>(),;:/]{1,64}(?:@|%40|&#64;|\\u0040)[^\s@\"'<>(),;/]+", re.IGNORECASE)

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_DATE = rf"(?:{_YEAR}-{_MONTH}-{_DAY}|{_DAY}\.{_MONTH}\.{_YEAR})"
_TIME = r"[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?"
# What the person on call needs and what is full of digits: ids, moments, the address of a machine.
_ID_OR_DATE = (
    rf"\b(?:[a-z]{{2,8}}_(?:[0-9a-f]{{8}}(?:-[0-9a-f]{{1,2}})?\b(?!-)|{_UUID})|{_UUID}|{_DATE}(?:{_TIME})?(?![\d-]))"
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
# 34.41.23.45 is also a number in Denmark, so an address must show that it is one: private, in a URL, or with a port.
_IP_ADDRESS = (
    rf"\b(?:(?:10|127|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.{_OCTET}){{2,3}}\b(?!\.\d)(?<=\d)"
    rf"|(?<=//){_OCTET}(?:\.{_OCTET}){{3}}\b|{_OCTET}(?:\.{_OCTET}){{3}}(?=:\d{{2,5}}\b))"
)
# Whatever may stand between two digits of a phone number, as people and programs write it.
_BETWEEN = r"[\s().\-/\u00b7\u2010-\u2015\u2212\u2060\u200b\u00ad]"
_FEWEST_DIGITS = 7
_NUMBER = re.compile(
    rf"(?P<kept>{_ID_OR_DATE}|{_IP_ADDRESS})"
    rf"|[+(]{{0,2}}\d(?:{_BETWEEN}{{0,4}}(?!(?<=\D){_ID_OR_DATE})\d){{{_FEWEST_DIGITS - 1},}}",
    re.IGNORECASE,
)


def scrub(text: str) -> str:
    """
    Return one line of at most 300 characters, with phone numbers, e-mail addresses and API keys masked.

    Every run of seven or more digits counts as a number, whatever separates them, unless it is an id of the API, a
    date, a time or an IP address.

    :param text: any text, e.g. a server's error message.
    """
    line = " ".join(text[:_LONGEST_READ].split())
    line = _KEY.sub("***", line)
    line = _EMAIL.sub("***@***", line)
    line = _NUMBER.sub(lambda found: found[0] if found["kept"] else mask_number(found[0]), line)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def scrub_id(text: str) -> str:
    """
    Return a server's request id: kept as it is where it looks like an id, else masked like any other text.

    :param text: what the server calls its request id.
    """
    if not _is_hexadecimal_id(text):
        text = scrub(text)
    return " ".join(text.split())[:_LONGEST_ID]


def _is_hexadecimal_id(text: str) -> bool:
    # Letters among the digits make an id of it; digits alone may be a number.
    words = re.split(r"[^0-9A-Za-z]+", text)
    mixed = any(re.search("[A-Za-z]", word) and re.search("[0-9]", word) for word in words)
    long_numbers = any(word.isdigit() and len(word) >= _FEWEST_DIGITS for word in words)
    return re.fullmatch(r"[\w.:=~\-]+", text, re.ASCII) is not None and mixed and not long_numbers


def scrub_details(value: Any) -> Any:
    """
    Return a decoded JSON value in which fields that describe a person are hidden and other text is scrubbed.

    :param value: what ``json.loads`` gave.
    """
    if isinstance(value, Mapping):
        return {
            scrub(str(key)): HIDDEN if str(key).lower() in PERSONAL_FIELDS else scrub_details(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [scrub_details(item) for item in value]
    if isinstance(value, (bool, float)) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 1_000_000 else scrub(str(value))
    return scrub(str(value))


def shown_value(path: Sequence[str], value: Any) -> str:
    """
    Return a value of a request as it may be shown.

    :param path: where it is; the names on it decide what is shown.
    :param value: of any type, also one that was refused.
    """
    name = next((step for step in reversed(path) if not step.isdigit()), "")
    if any(step in _GROUPS for step in path):
        return HIDDEN
    if value is None:
        return "(not given)"
    if name in ("phone_number", "from_number"):
        return mask_number(str(value)[:_LONGEST_VALUE])
    plain = (str, int, float, date)
    if isinstance(value, (list, tuple)):
        if name not in _SHOWN_FIELDS or not all(isinstance(item, plain) for item in value):
            return f"({len(value)} items)"
    elif name not in _SHOWN_FIELDS or not isinstance(value, plain):
        return HIDDEN
    shown = scrub(value.isoformat() if isinstance(value, date) else repr(value))
    return shown if len(shown) <= _LONGEST_VALUE else f"{shown[: _LONGEST_VALUE - 1]}…"
