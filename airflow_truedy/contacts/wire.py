"""A contact on one line: the one form in which contacts files keep it and fingerprints are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

Contact = dict[str, Any]


def line_of(contact: Mapping[str, Any]) -> bytes:
    """
    A wire contact as JSON in UTF-8 without line end.

    :param contact: see the keys in :mod:`airflow_truedy.contacts`.
    :raises ValueError: a text that cannot be written as UTF-8, or holds a NUL character, which no database
        keeps.
    """
    line = to_json(contact)
    if b"\\u0000" in line and _holds_nul(contact):
        raise ValueError("a text holds a NUL character")
    return line


def _holds_nul(contact: Mapping[str, Any]) -> bool:
    custom = contact.get("custom_fields", {})
    return any("\0" in str(text) for text in (*contact.values(), *custom, *custom.values()))


def contact_of(line: bytes) -> Contact:
    """
    The wire contact on a line.

    :param line: JSON in UTF-8.
    :raises ValueError: the line is no JSON.
    """
    contact: Contact = from_json(line)
    return contact
