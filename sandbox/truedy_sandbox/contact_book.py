"""Contacts and folders of the organisation, apart from any batch call."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from truedy_sandbox.ids import short_id
from truedy_sandbox.problems import invalid, not_found

E164 = re.compile(r"\+[1-9]\d{1,14}", re.ASCII)
_DEFAULT_FOLDER = "Default"


@dataclass
class Folder:
    """A folder of contacts."""

    id: str
    name: str
    description: str | None
    created_at: float
    contacts: dict[str, None] = field(default_factory=dict)


@dataclass
class Contact:
    """A contact of the organisation. In: first and last name; out: one name."""

    id: str
    phone_number: str
    first_name: str | None
    last_name: str | None
    email: str | None
    custom_fields: dict[str, Any]
    folder_id: str
    created_at: float
    updated_at: float

    @property
    def name(self) -> str | None:
        """The name as answers show it."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or None

    def as_batch_contact(self) -> dict[str, Any]:
        """Return the copy that goes into a batch call."""
        return {
            "phone_number": self.phone_number,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "email": self.email,
            "custom_fields": self.custom_fields or None,
        }


class ContactBook:
    """All contacts and folders, in the order they were made."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0
        self.folders: dict[str, Folder] = {}
        self.contacts: dict[str, Contact] = {}

    def folder(self, folder_id: str) -> Folder:
        """Return a folder or refuse with 404."""
        try:
            return self.folders[folder_id]
        except KeyError:
            raise not_found("Folder") from None

    def contact(self, contact_id: str) -> Contact:
        """Return a contact or refuse with 404."""
        try:
            return self.contacts[contact_id]
        except KeyError:
            raise not_found("Contact") from None

    def in_folder(self, folder_id: str) -> list[Contact]:
        """Return the contacts of a folder."""
        return [self.contacts[each] for each in self.folder(folder_id).contacts]

    def create_folder(self, now: float, name: str, description: str | None = None) -> Folder:
        """Make a folder."""
        self._made += 1
        folder = Folder(short_id("folder", self._seed, self._made), name, description, now)
        self.folders[folder.id] = folder
        return folder

    def delete_folder(self, folder_id: str) -> None:
        """Delete a folder and all contacts in it."""
        for contact_id in self.folder(folder_id).contacts:
            del self.contacts[contact_id]
        del self.folders[folder_id]

    def default_folder(self, now: float) -> Folder:
        """Return the folder of contacts that name none."""
        named = (each for each in self.folders.values() if each.name == _DEFAULT_FOLDER)
        return next(named, None) or self.create_folder(now, _DEFAULT_FOLDER)

    def create(self, now: float, fields: dict[str, Any], folder_id: str | None) -> Contact:
        """Add one contact; nothing says that a number is unique in a folder."""
        if folder_id is not None and folder_id not in self.folders:
            raise invalid("folder_id", "no such folder")
        folder = self.folders[folder_id] if folder_id else self.default_folder(now)
        self._made += 1
        contact = Contact(
            id=short_id("cnt", self._seed, self._made),
            phone_number=fields["phone_number"],
            first_name=fields.get("first_name"),
            last_name=fields.get("last_name"),
            email=fields.get("email"),
            custom_fields=fields.get("custom_fields") or {},
            folder_id=folder.id,
            created_at=now,
            updated_at=now,
        )
        self.contacts[contact.id] = contact
        folder.contacts[contact.id] = None
        return contact

    def update(self, now: float, contact_id: str, fields: dict[str, Any]) -> Contact:
        """Change what is given; custom fields are replaced as a whole."""
        contact = self.contact(contact_id)
        for name, value in fields.items():
            setattr(contact, name, {} if name == "custom_fields" and value is None else value)
        contact.updated_at = now
        return contact

    def import_rows(
        self, now: float, rows: list[dict[str, Any]], folder_id: str | None, overwrite: bool
    ) -> dict[str, Any]:
        """
        Import parsed CSV rows; a number that is in the folder already is updated or skipped.

        :return: the counts and the rows in error, numbered from 1 without the header.
        """
        folder = self.folder(folder_id) if folder_id else self.default_folder(now)
        known = {self.contacts[each].phone_number: each for each in folder.contacts}
        imported = updated = skipped = 0
        errors = []
        for number, row in enumerate(rows, start=1):
            phone = row["phone_number"]
            if not E164.fullmatch(phone):
                errors.append({"row": number, "phone": phone, "reason": "Invalid phone number format"})
            elif phone not in known:
                known[phone] = self.create(now, row, folder.id).id
                imported += 1
            elif overwrite:
                self.update(now, known[phone], {k: v for k, v in row.items() if k != "phone_number"})
                updated += 1
            else:
                skipped += 1
        return {
            "imported": imported,
            "updated": updated,
            "skipped": skipped,
            "errors": len(errors),
            "folder_id": folder.id,
            "error_details": errors,
        }
