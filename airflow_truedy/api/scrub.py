"""Take people and keys out of text that somebody else wrote, before it can reach a log or an exception."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_truedy.masking import mask_number

HIDDEN = "(hidden)"
_LONGEST = 300
_FEWEST_DIGITS_IN_GROUPS = 9

# Fields that describe a person, under every name that one of the API's pages gives them. ``input`` is what a
# FastAPI server echoes of a refused body, ``ctx`` may repeat it.
PERSONAL_FIELDS = frozenset(
    {
        *("phone", "phone_number", "phone_numbers", "to", "from", "to_number", "from_number"),
        *("first_name", "last_name", "full_name", "contact_name", "email", "email_address"),
        *(
            "custom_fields",
            "metadata",
            "variables",
            "contacts",
            "contact",
            "row",
            "input",
            "ctx",
            "value",
            "body",
        ),
    }
)

_KEY = re.compile(r"\btruedy_[A-Za-z0-9]+|(?<=Bearer )[^\s\"',]+", re.IGNORECASE)
# The left side must be short: an unbounded one is quadratic on a long text without an @.
_EMAIL = re.compile(r"[^\s@\"'<>(),;:/]{1,64}@[^\s@\"'<>(),;/]+")
_UUID = r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
_NUMBER = re.compile(
    # Ids are what the person on call needs, and they are full of digits: keep them.
    rf"(?P<id>\b[a-z]{{2,8}}_(?:[0-9a-f]{{8}}(?:-[0-9a-f]{{1,2}})?\b(?!-)|{_UUID[2:]})|{_UUID}"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b(?!\.\d))"  # the address of a machine
    r"|\+\(?\d[\d\s().\-]{4,}\d"  # international, with any separators
    r"|\(?\d{3}\)?[\s.\-]{1,2}\d{3}[\s.\-]\d{4}"  # national, as North America writes it
    r"|(?P<groups>\b\d{2,5}(?P<sep>[ ./\-])\d{2,4}(?:(?P=sep)\d{2,4})+\b)"  # national, as others do
    r"|\d{7,}",
    re.IGNORECASE,
)


def scrub(text: str) -> str:
    """
    One line of at most 300 characters, with phone numbers, e-mail addresses and API keys masked.

    :param text: any text, such as a server's error message.
    """
    line = " ".join(text.split())
    line = _KEY.sub("***", line)
    line = _EMAIL.sub("***@***", line)
    line = _NUMBER.sub(_masked, line)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _masked(found: re.Match[str]) -> str:
    # In groups of one kind, but too short for a number: a date.
    is_date = found["groups"] and sum(map(str.isdigit, found["groups"])) < _FEWEST_DIGITS_IN_GROUPS
    return found[0] if found["id"] or is_date else mask_number(found[0])


def scrub_details(value: Any) -> Any:
    """
    The same for a decoded JSON value: fields that describe a person are hidden, other text is scrubbed.

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
