"""Contacts as CSV files for Truedy's import into a folder (``POST /contacts/import``), each below a size."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

from airflow_truedy.contacts.errors import ContactsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_truedy.contacts.contacts_file import Contact
    from airflow_truedy.contacts.lists import ContactList

#: Truedy's own dashboard takes files of up to 5 MB.
MAX_BYTES = 4_500_000
_CHUNK = 1_000
_KNOWN = ("phone", "name", "email")


class CsvFile(NamedTuple):
    """
    One file to import: its bytes, how many contacts it holds, and how many are in the files before it.
    """

    content: bytes
    contacts: int
    start: int


def csv_files(
    contacts: ContactList, *, phone_column: str = "phone", max_bytes: int = MAX_BYTES, start: int = 0
) -> Iterator[CsvFile]:
    """
    Write contacts as CSV files with the columns ``phone``, ``name``, ``email`` and one for each custom field.

    First and last name are joined, as the import knows one ``name`` only. All files have the same columns,
    so the contacts are gone through once more to learn them.

    :param contacts: the contacts.
    :param phone_column: name of the first column; an older server wants ``phone_number``.
    :param max_bytes: how large a file may be. Default 4,500,000.
    :param start: how many contacts to pass over.
    :raises ContactsError: a single contact is larger than that, or a custom field is named like another
        column.
    """
    custom = _custom_fields(contacts)
    clash = sorted({phone_column, *_KNOWN} & set(custom))
    if clash:
        raise ContactsError(f"The custom fields {clash} are named like columns of the import; rename them")
    header = _line([phone_column, *_KNOWN[1:], *custom])
    rows = (_line(_cells(contact, custom)) for chunk in contacts.chunks(_CHUNK, start) for contact in chunk)
    return _in_files(header, rows, max_bytes, start)


def _in_files(header: bytes, rows: Iterable[bytes], max_bytes: int, start: int) -> Iterator[CsvFile]:
    lines, size = [header], len(header)
    for row in rows:
        if size + len(row) > max_bytes and len(lines) > 1:
            yield CsvFile(b"".join(lines), len(lines) - 1, start)
            start += len(lines) - 1
            lines, size = [header], len(header)
        if size + len(row) > max_bytes:
            raise ContactsError(f"Contact {start + 1} alone is larger than a file of {max_bytes} bytes")
        lines.append(row)
        size += len(row)
    if len(lines) > 1:
        yield CsvFile(b"".join(lines), len(lines) - 1, start)


def _custom_fields(contacts: ContactList) -> list[str]:
    names: set[str] = set()
    for chunk in contacts.chunks(_CHUNK):
        for contact in chunk:
            names.update(contact.get("custom_fields", ()))
    return sorted(names)


def _cells(contact: Contact, custom: list[str]) -> list[str]:
    name = " ".join(filter(None, (contact.get("first_name"), contact.get("last_name"))))
    values = contact.get("custom_fields", {})
    return [contact["phone_number"], name, contact.get("email", ""), *(values.get(field, "") for field in custom)]


def _line(cells: list[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode("utf-8")
