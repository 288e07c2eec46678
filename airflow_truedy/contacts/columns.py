"""Which columns of a row become which fields of a contact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.values import UnreadableTextError, text_of
from airflow_truedy.formats import is_email

#: ``custom_fields=OTHERS``: every column that is not mapped becomes a custom field of the same name.
OTHERS = "*"

#: A contact without its number, as it goes over the wire; or why the row is refused.
Fields = dict[str, Any] | Reason

_NAME_MAX_LENGTH = 100  # Truedy's limit for first and last name
_EMAIL_MAX_LENGTH = 254
_SINGLE = ("phone_number", "first_name", "last_name", "full_name", "email", "contact_key")


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
    :param contact_key: column of your own key of a person, such as a customer number. It is kept in the contacts file,
        the rejects file and the results, so that they can be joined to your tables, and is never sent, logged or in
        XCom. Default: none is kept.
    :param custom_fields: columns that become custom fields: names, or a mapping from field to column, or
        :data:`OTHERS` (``"*"``) for every column not mapped. Values become text; empty ones are left out.
        Default: none.
    :param required: columns that must not be empty, else the row is refused. Default: none.
    :raises ValueError: a column that is not text, or ``full_name`` together with ``first_name`` or ``last_name``.
    """

    phone_number: str = "phone_number"
    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    email: str | None = None
    contact_key: str | None = None
    custom_fields: Mapping[str, str] | Iterable[str] | str = ()
    required: Iterable[str] = ()

    def __post_init__(self) -> None:
        for field in _SINGLE:
            column = getattr(self, field)
            is_left_out = column is None and field != "phone_number"
            if not is_left_out and (not isinstance(column, str) or not column):
                raise ValueError(f"columns: {field} must be the name of one column; it is {column!r}")
        if self.full_name and (self.first_name or self.last_name):
            raise ValueError("full_name is passed on whole; it cannot be mapped together with first_name or last_name")
        object.__setattr__(self, "custom_fields", _as_pairs(self.custom_fields))
        object.__setattr__(
            self, "required", (self.required,) if isinstance(self.required, str) else tuple(self.required)
        )

    @property
    def takes_others(self) -> bool:
        """Tell whether every column that is not mapped becomes a custom field."""
        return self.custom_fields == OTHERS

    def named(self) -> set[str]:
        """Every column that this mapping names."""
        custom = () if self.takes_others else (column for _, column in self._pairs())
        return {*self.personal(), *self.required, *custom}

    def renamed(self, names: Mapping[str, Any]) -> Columns:
        """Return the same mapping for rows with other column names, by old and new name."""

        def new(name: Any) -> Any:
            return names.get(name, name)

        single = {field: new(getattr(self, field)) for field in _SINGLE}
        custom = self.custom_fields if self.takes_others else {field: new(column) for field, column in self._pairs()}
        return replace(self, **single, custom_fields=custom, required=[new(name) for name in self.required])

    def reader(self) -> Callable[[Mapping[str, Any]], Fields]:
        """Return the function that makes the fields of a contact, but for its number, from a row."""
        named = (("first_name", self.first_name or self.full_name), ("last_name", self.last_name))
        names = [(field, column) for field, column in named if column]
        email, required, mapped = self.email, tuple(self.required), self.personal()
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

    def personal(self) -> set[str]:
        """Return the columns that identify a person; each becomes a field of its own."""
        return {column for field in _SINGLE if (column := getattr(self, field))}

    def _pairs(self) -> tuple[tuple[str, str], ...]:
        return self.custom_fields  # type: ignore[return-value]  # made so in __post_init__


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
