"""Which columns of a row become which fields of a contact."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any

from airflow_truedy.contacts.errors import MissingColumnError
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.formats import is_email

#: ``custom_fields=OTHERS``: every column that is not mapped becomes a custom field of the same name.
OTHERS = "*"

#: A contact without its number, as it goes over the wire; or why the row is refused.
Fields = dict[str, Any] | Reason

_NAME_MAX_LENGTH = 100  # (g): first and last name of a contact
_EMAIL_MAX_LENGTH = 254
_MOST_DIGITS = 30  # a number that would be longer stays as 1E+40


@dataclass(frozen=True)
class Columns:
    """
    Which columns of a row become which fields of a contact. What is not mapped is not sent.

    :param phone_number: column of the number. Default ``phone_number``.
    :param first_name: column of the first name, at most 100 characters. Default: none is sent.
    :param last_name: column of the last name, at most 100 characters. Default: none is sent.
    :param full_name: column of a whole name. It is passed on whole as ``first_name`` (Truedy shows first and
        last name joined), never split by guess; cannot be used together with the other two.
    :param email: column of the e-mail address. Default: none is sent.
    :param custom_fields: columns that become custom fields: names, or a mapping from field to column, or
        :data:`OTHERS` (``"*"``) for every column not mapped. Values become text; empty ones are left out.
        Default: none.
    :param required: columns that must not be empty, else the row is refused. Default: none.
    :raises ValueError: ``full_name`` together with ``first_name`` or ``last_name``.
    """

    phone_number: str = "phone_number"
    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    email: str | None = None
    custom_fields: Mapping[str, str] | Iterable[str] | str = ()
    required: Iterable[str] = ()

    def __post_init__(self) -> None:
        if self.full_name and (self.first_name or self.last_name):
            raise ValueError("full_name is passed on whole; it cannot be mapped together with first_name or last_name")
        object.__setattr__(self, "custom_fields", _as_pairs(self.custom_fields))
        object.__setattr__(
            self, "required", (self.required,) if isinstance(self.required, str) else tuple(self.required)
        )

    @classmethod
    def by_name(cls, present: Iterable[str], **stated: Any) -> Columns:
        """
        The mapping for rows whose columns are named as the API's fields; every other column is a custom
        field.

        :param present: the columns there are.
        :param stated: fields of this class that are stated anyway; they win.
        """
        found: dict[str, Any] = {name: name for name in ("first_name", "last_name", "email") if name in set(present)}
        fields: dict[str, Any] = {"custom_fields": OTHERS, **found, **stated}
        return cls(**fields)

    @property
    def takes_others(self) -> bool:
        """Whether every column that is not mapped becomes a custom field."""
        return self.custom_fields == OTHERS

    def check(self, present: Iterable[str]) -> None:
        """
        Check that every column that is named exists.

        :param present: the columns there are.
        :raises MissingColumnError: some do not exist.
        """
        there = set(present)
        missing = sorted(self.named() - there)
        if missing:
            raise MissingColumnError(f"No column {missing} in the rows; there are {sorted(map(str, there))}")

    def named(self) -> set[str]:
        """Every column that this mapping names."""
        custom = () if self.takes_others else (column for _, column in self._pairs())
        return {*self._single(), *self.required, *custom}

    def reader(self) -> Callable[[Mapping[str, Any]], Fields]:
        """The function that makes the fields of a contact, but for its number, from a row."""
        named = (("first_name", self.first_name or self.full_name), ("last_name", self.last_name))
        names = [(field, column) for field, column in named if column]
        email, required, mapped = self.email, tuple(self.required), self._single()
        pairs = None if self.takes_others else sorted(self._pairs())

        def read(row: Mapping[str, Any]) -> dict[str, Any]:
            if required and not all(text_of(row.get(column)) for column in required):
                raise _RefusedError(Reason.MISSING_VALUE)
            fields: dict[str, Any] = {}
            for field, column in names:
                if name := text_of(row.get(column)):
                    fields[field] = _checked_name(name)
            if email and (address := text_of(row.get(email))):
                fields["email"] = _checked_email(address)
            if pairs is None:
                custom = _texts((name, row[name]) for name in sorted(row) if name not in mapped)
            else:
                custom = _texts((field, row.get(column)) for field, column in pairs)
            if custom:
                fields["custom_fields"] = custom
            return fields

        return lambda row: _read_or_refuse(read, row)

    def _single(self) -> set[str]:
        """The columns that become a field of their own."""
        fields = (self.phone_number, self.first_name, self.last_name, self.full_name, self.email)
        return {column for column in fields if column}

    def _pairs(self) -> tuple[tuple[str, str], ...]:
        return self.custom_fields  # type: ignore[return-value]  # made so in __post_init__


class UnreadableTextError(ValueError):
    """A value that cannot be sent as text."""


def is_nothing(value: Any) -> bool:
    """
    Whether a value stands for no value: ``None``, NaN, and the NaT and NA of pandas.

    :param value: what a database or a file gives.
    """
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, Decimal):
        return value.is_nan()
    return value is None or type(value).__name__ in ("NaTType", "NAType")


def text_of(value: Any) -> str:
    """
    A value as the text that is sent: no blanks around it, ``true``/``false``, ISO dates, numbers without exponent,
    JSON for lists and objects; nothing for what stands for no value.

    :param value: what a database or a file gives.
    :raises UnreadableTextError: bytes, or what cannot be written down: keys that are no text, thousands of digits,
        lists in lists a thousand deep.
    """
    if type(value) is str:
        return value.strip()
    if value is None or is_nothing(value):
        return ""
    try:
        return _written(value)
    except (TypeError, ValueError, RecursionError):
        raise UnreadableTextError from None


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise UnreadableTextError
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(_for_json(value), ensure_ascii=False, allow_nan=False)
    if isinstance(value, (float, Decimal)):
        return _without_exponent(str(value))
    return str(value).strip()


def _for_json(value: Any) -> Any:
    """A value in a list or object as JSON has it."""
    if isinstance(value, dict):
        return {name: _for_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_for_json(item) for item in value]
    if is_nothing(value):
        return None
    return value if isinstance(value, (str, int, float)) else _written(value)


def _without_exponent(number: str) -> str:
    """``1e-05`` as ``0.00001``: whoever reads it aloud knows no exponents."""
    if "e" not in number.lower() or abs(Decimal(number).adjusted()) > _MOST_DIGITS:
        return number
    return format(Decimal(number), "f")


class _RefusedError(Exception):
    def __init__(self, reason: Reason) -> None:
        self.reason = reason


def _read_or_refuse(read: Callable[[Mapping[str, Any]], dict[str, Any]], row: Mapping[str, Any]) -> Fields:
    try:
        return read(row)
    except _RefusedError as refused:
        return refused.reason
    except UnreadableTextError:
        return Reason.UNREADABLE_TEXT


def _checked_name(name: str) -> str:
    if len(name) > _NAME_MAX_LENGTH:
        raise _RefusedError(Reason.NAME_TOO_LONG)
    return name


def _checked_email(address: str) -> str:
    if len(address) > _EMAIL_MAX_LENGTH or not is_email(address):
        raise _RefusedError(Reason.BAD_EMAIL)
    return address


def _texts(pairs: Iterable[tuple[str, Any]]) -> dict[str, str]:
    return {field: text for field, value in pairs if (text := text_of(value))}


def _as_pairs(custom: Mapping[str, str] | Iterable[str] | str) -> tuple[tuple[str, str], ...] | str:
    """One form for all ways to say it."""
    if custom == OTHERS:
        return OTHERS
    if isinstance(custom, str):
        return ((custom, custom),)
    if isinstance(custom, Mapping):
        return tuple(custom.items())
    return tuple(item if isinstance(item, tuple) else (item, item) for item in custom)
