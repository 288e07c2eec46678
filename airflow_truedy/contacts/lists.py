"""A list of contacts that can be read again and again, whatever it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from pydantic_core import from_json

from airflow_truedy.contacts.contacts_file import Contact, Manifest, line_of, read_lines, split_line
from airflow_truedy.contacts.errors import ContactsFileError, DuplicateContactError
from airflow_truedy.contacts.number_set import NumberSet, writings_of
from airflow_truedy.contacts.values import UnreadableTextError, key_of, text_of
from airflow_truedy.files.errors import FileError
from airflow_truedy.files.paths import Opener, open_local
from airflow_truedy.files.reader import read_rows
from airflow_truedy.files.rows import BrokenRow, ReadOptions, Row
from airflow_truedy.formats import is_e164
from airflow_truedy.masking import mask_number

_TEXT_FIELDS = ("first_name", "last_name", "email")
_FIELDS = frozenset({"phone_number", *_TEXT_FIELDS, "custom_fields", "contact_key"})
_NAME_MAX_LENGTH = 100


class Entry(NamedTuple):
    """
    A contact, and what only this side knows about it. Its repr shows no personal data.

    :ivar contact: as the API takes it.
    :ivar contact_key: the customer's own key; empty if there is none.
    """

    contact: Contact
    contact_key: str

    def __repr__(self) -> str:
        return "<Entry>"


class LeftOut(NamedTuple):
    """How many people of a part are in the campaign of another part, and the file that tells who."""

    people: int
    uri: str


class ContactList:
    """
    Contacts in a fixed order. Made by :meth:`of`, :meth:`from_manifest` or :meth:`from_file`.

    Each number is E.164 and occurs once. Only a part is in memory at a time (except for
    :meth:`of`, which is given a whole list). Each complete pass checks that the contacts are still the same.

    :ivar count: how many contacts there are.
    :ivar fingerprint: sha256 in hex of the contacts in their order; the same contacts have the same one,
        whatever they come from.
    :ivar manifest: of the contacts file that they come from, and ``path``, where it is; ``None`` if they come from
        elsewhere.
    :ivar left_out: of the list that they come from; ``None``: nobody.
    """

    left_out: LeftOut | None = None
    manifest: Manifest | None = None
    path: Any = None

    def __init__(self, lines: Callable[[], Iterator[bytes]], count: int, fingerprint: str, name: str) -> None:
        self._lines = lines
        self.count = count
        self.fingerprint = fingerprint
        self._name = name

    def __repr__(self) -> str:
        return f"<ContactList of {self.count} contacts>"

    def __iter__(self) -> Iterator[Contact]:
        return (from_json(line) for line, _ in self._checked_lines())

    def entries(self) -> Iterator[Entry]:
        """Yield the contacts with the customer's own keys, in order; see :meth:`chunks` for what is raised."""
        return (Entry(from_json(line), key) for line, key in self._checked_lines())

    def __len__(self) -> int:
        return self.count

    def without(self, is_out: Callable[[int], bool]) -> ContactList:
        """
        Return the contacts but for some.

        :param is_out: whether the number with these digits is left out.
        """

        def lines() -> Iterator[bytes]:
            both = zip(self._lines(), self, strict=True)
            return (line for line, person in both if not is_out(int(person["phone_number"][1:])))

        left = ContactList._counted(lines, self._name)
        left.manifest, left.path = self.manifest, self.path
        return left

    @classmethod
    def of(cls, contacts: Iterable[Mapping[str, Any]]) -> ContactList:
        """
        A small list that is already in memory.

        :param contacts: wire contacts: ``phone_number`` in E.164, ``first_name``, ``last_name``, ``email``,
            ``custom_fields``, and ``contact_key``, which is not sent. Values become text, empty ones are left out.
        :raises ContactsFileError: a contact that the API would not take; its position is named, the first is
            1.
        :raises DuplicateContactError: a number occurs twice.
        """
        lines = [_checked_line(contact, position) for position, contact in enumerate(contacts, 1)]
        return cls._counted(lambda: iter(lines), "this list")

    @classmethod
    def from_manifest(cls, manifest: Manifest | Mapping[str, Any], opener: Opener = open_local) -> ContactList:
        """
        The contacts of a contacts file.

        :param manifest: a manifest, or its ``dict`` as it comes out of XCom.
        :param opener: makes something to open from the manifest's address: ``ObjectStoragePath`` for object
            stores. Default: files on this machine.
        :raises ManifestError: this is not a manifest.
        :raises ContactsFileError: the file is not the one that was written.
        """
        known = manifest if isinstance(manifest, Manifest) else Manifest.from_dict(manifest)
        path = opener(known.uri)
        try:
            known.check(path)
        except (ContactsFileError, FileError) as error:
            raise type(error)(f"{str(error).rstrip('.')}. {known.how_to_make_again}") from None
        contacts = cls(lambda: read_lines(path), known.contacts, known.fingerprint, str(path))
        contacts.manifest, contacts.path = known, path
        return contacts

    @classmethod
    def from_file(cls, path: Any, options: ReadOptions | None = None) -> ContactList:
        """
        The contacts of a file that somebody made: CSV, JSON Lines or Parquet with ``phone_number`` in E.164,
        ``first_name``, ``last_name``, ``email`` and ``contact_key``; every other column is a custom field. It is read
        once here to be checked. Numbers in other forms go through
        :func:`~airflow_truedy.contacts.prepare.prepare_contacts`.

        :param path: a path, an address of this machine, or ``ObjectStoragePath``.
        :param options: how the file is read.
        :raises RowsFileError: the file cannot be read.
        :raises ContactsFileError: a contact that the API would not take; its row is named, the first is 1.
        :raises DuplicateContactError: a number occurs twice.
        """

        def lines() -> Iterator[bytes]:
            for position, row in enumerate(read_rows(path, options), 1):
                yield _checked_line(_nested(row, position), position)

        return cls._counted(lines, str(path))

    def chunks(self, size: int, start: int = 0) -> Iterator[list[Contact]]:
        """
        The contacts in lists of ``size``, from the beginning each time it is called.

        :param size: contacts a chunk; the last one may be smaller.
        :param start: how many contacts to pass over. Default 0.
        :raises ContactsFileError: the file has changed since this list was made.
        """
        if size < 1 or start < 0:
            raise ValueError(f"size={size} must be 1 or more and start={start} 0 or more")
        lines = islice(self._checked_lines(), start, None)
        while chunk := [from_json(line) for line, _ in islice(lines, size)]:
            yield chunk

    def _checked_lines(self) -> Iterator[tuple[bytes, str]]:
        digest, count = hashlib.sha256(), 0
        for line in self._lines():
            sent, key = split_line(line)
            digest.update(sent + b"\n")
            count += 1
            yield sent, key
        if (count, digest.hexdigest()) != (self.count, self.fingerprint):
            raise ContactsFileError(f"The contacts of {self._name} have changed since they were checked")

    @classmethod
    def _counted(cls, lines: Callable[[], Iterator[bytes]], name: str) -> ContactList:
        digest, seen, count = hashlib.sha256(), NumberSet(), 0
        for line in lines():
            count += 1
            digest.update(split_line(line)[0] + b"\n")
            number = from_json(line)["phone_number"]
            if not seen.add(int(number[1:])):
                earlier = _position_of(number, lines())
                raise DuplicateContactError(
                    f"The number {mask_number(number)} is at {earlier} and at {count} of {name}"
                )
        return cls(lines, count, digest.hexdigest(), name)


def _position_of(number: str, lines: Iterator[bytes]) -> int:
    alike = writings_of(int(number[1:]))
    return next(at for at, line in enumerate(lines, 1) if int(from_json(line)["phone_number"][1:]) in alike)


def _nested(row: Row, position: int) -> dict[str, Any]:
    """Return a flat row as a contact; columns that are not fields of the API become custom fields."""
    if isinstance(row, BrokenRow):
        raise ContactsFileError(f"Row {position} has more or fewer cells than the header, or is not a JSON object")
    others = {name: value for name, value in row.items() if name not in _FIELDS}
    contact = {name: value for name, value in row.items() if name in _FIELDS}
    nested = contact.get("custom_fields") or {}
    return {**contact, "custom_fields": {**nested, **others}} if isinstance(nested, Mapping) else contact


def _checked_line(contact: Mapping[str, Any], position: int) -> bytes:
    """Return the line of a contacts file for a contact that somebody made. Errors show nothing of the person."""
    who = f"Contact {position}"
    if not isinstance(contact, Mapping):
        raise ContactsFileError(f"{who} is {type(contact).__name__}, not a mapping with phone_number")
    number = contact.get("phone_number")
    if not isinstance(number, str) or not is_e164(number):
        is_there = "phone_number" in contact
        what = "phone_number is not an E.164 number (+ and digits)" if is_there else "there is no phone_number"
        raise ContactsFileError(
            f"{who}: {what}. Make contacts of such rows first: SqlToContactsOperator, FileToContactsOperator and "
            "contacts_from_rows take the region and the names of your columns"
        )
    # After the number: in a mapping from number to name the keys are people, not names of fields.
    unknown = sorted(set(contact) - _FIELDS)
    if unknown:
        raise ContactsFileError(f"{who}: {unknown} are not fields of a contact; put them into custom_fields")
    custom = contact.get("custom_fields") or {}
    if not isinstance(custom, Mapping):
        raise ContactsFileError(f"{who}: custom_fields is not a mapping")
    try:
        wire: Contact = {field: text for field in _TEXT_FIELDS if (text := text_of(contact.get(field)))}
        texts = {name: text for name in sorted(custom) if (text := text_of(custom[name]))}
        key = key_of(contact.get("contact_key"))
    except UnreadableTextError:
        raise ContactsFileError(f"{who} holds a value that is not text") from None
    for field in ("first_name", "last_name"):
        if len(wire.get(field, "")) > _NAME_MAX_LENGTH:
            raise ContactsFileError(f"{who}: {field} has more than {_NAME_MAX_LENGTH} characters")
    try:
        return line_of({"phone_number": number, **wire, **({"custom_fields": texts} if texts else {})}, key)
    except ValueError:
        raise ContactsFileError(f"{who} holds broken characters") from None
