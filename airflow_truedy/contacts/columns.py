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
        required = _each(self.required)
        if required is None or not _are_names(required):
            raise ValueError(f"columns: required must be names of columns; it is {self.required!r}")
        object.__setattr__(self, "required", required)

    def named(self) -> set[str]:
        """Return every column that this mapping names."""
        return {*self.personal(), *self.required, *(column for _, column in self._pairs() or ())}

    def renamed(self, names: Mapping[str, Any]) -> Columns:
        """Return the same mapping for rows with other column names, by old and new name."""

        def new(name: Any) -> Any:
            return names.get(name, name)

        single = {field: new(getattr(self, field)) for field in _SINGLE}
        pairs = self._pairs()
        custom = OTHERS if pairs is None else {field: new(column) for field, column in pairs}
        return replace(self, **single, custom_fields=custom, required=[new(name) for name in self.required])

    def reader(self) -> Callable[[Mapping[str, Any]], Fields]:
        """Return the function that makes the fields of a contact, but for its number, from a row."""
        named = (("first_name", self.first_name or self.full_name), ("last_name", self.last_name))
        names = [(field, column) for field, column in named if column]
        email, required, mapped = self.email, self.required, self.personal()
        pairs = self._pairs()

        def read(row: Mapping[str, Any]) -> Fields:
            if required and not all(text_of(row.get(column)) for column in required):
                return Reason.MISSING_VALUE
            fields: dict[str, Any] = {}
            for field, column in names:
                if name := text_of(row.get(column)):
                    if len(name) > _NAME_MAX_LENGTH:
                        return Reason.NAME_TOO_LONG
                    fields[field] = name
            if email and (address := text_of(row.get(email))):
                if len(address) > _EMAIL_MAX_LENGTH or not is_email(address):
                    return Reason.BAD_EMAIL
                fields["email"] = address
            found = ((name, name) for name in sorted(row) if name not in mapped) if pairs is None else pairs
            if custom := {field: text for field, column in found if (text := text_of(row.get(column)))}:
                fields["custom_fields"] = custom
            return fields

        return lambda row: _read_or_refuse(read, row)

    def personal(self) -> set[str]:
        """Return the columns that identify a person; each becomes a field of its own."""
        return {column for field in _SINGLE if (column := getattr(self, field))}

    def _pairs(self) -> tuple[tuple[str, str], ...] | None:
        """Return custom fields and their columns, sorted; ``None``: every column that is not mapped is one."""
        return None if self.custom_fields == OTHERS else self.custom_fields  # type: ignore[return-value]


def _read_or_refuse(read: Callable[[Mapping[str, Any]], Fields], row: Mapping[str, Any]) -> Fields:
    try:
        return read(row)
    except UnreadableTextError:
        return Reason.UNREADABLE_TEXT


def _as_pairs(custom: Any) -> tuple[tuple[str, str], ...] | str:
    """One form for all ways to say it."""
    if custom == OTHERS:
        return OTHERS
    several = tuple(custom.items()) if isinstance(custom, Mapping) else _each(custom)
    pairs = [item if isinstance(item, tuple) else (item, item) for item in several or ()]
    if several is None or not all(len(pair) == len(("field", "column")) and _are_names(pair) for pair in pairs):
        raise ValueError(
            'columns: custom_fields must be names of columns, a mapping such as {"plan": "plan_name"}, or "*" for all '
            f"others; it is {custom!r}"
        )
    return tuple(sorted(pairs))


def _each(stated: Any) -> tuple[Any, ...] | None:
    """Return one name or several as a tuple; ``None`` if they are neither."""
    if isinstance(stated, str):
        return (stated,)
    return tuple(stated) if isinstance(stated, Iterable) else None


def _are_names(names: Iterable[Any]) -> bool:
    return all(isinstance(name, str) and name for name in names)
