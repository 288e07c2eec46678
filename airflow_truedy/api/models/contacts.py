"""Contacts, folders of contacts and imports: what is sent about them, and what the API answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from airflow_truedy.api.models.base import (
    LENIENT,
    Answer,
    AnsweredMoment,
    Email,
    Fields,
    Id,
    Number,
    Payload,
    PersonName,
    RuleBroken,
    Text,
    Whole,
)

if TYPE_CHECKING:
    from typing_extensions import Self


class ContactInput(Payload):
    """
    One person to call, inline in a batch call.

    :param phone_number: E.164.
    :param first_name: at most 100 characters.
    :param last_name: at most 100 characters.
    :param email: an address.
    :param custom_fields: anything else about the person, text to text.
    """

    label: ClassVar[str] = "contact"

    phone_number: Number
    first_name: PersonName | None = None
    last_name: PersonName | None = None
    email: Email | None = None
    custom_fields: dict[str, str] | None = None


class ContactRequest(ContactInput):
    """
    ``POST /contacts``: a contact of its own.

    :param folder_id: the folder to put it in. The newest page does not list it, an older one demands it:
        compare with the answer.
    """

    folder_id: Id | None = None


class ContactUpdate(Payload):
    """``PATCH /contacts/{contact_id}``: at least one field. Neither phone number nor folder can be changed."""

    label: ClassVar[str] = "contact update"

    first_name: PersonName | None = None
    last_name: PersonName | None = None
    email: Email | None = None
    custom_fields: dict[str, str] | None = None

    @model_validator(mode="after")
    def _something_to_change(self) -> Self:
        if not self.body():
            raise RuleBroken("at least one field must be given")
        return self


class FolderRequest(Payload):
    """``POST /contacts/folders``."""

    label: ClassVar[str] = "contact folder"

    name: str = Field(min_length=1)
    description: str | None = None


class Contact(Answer):
    """A person in the server's address book."""

    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "phone": ("phone_number",),
        "custom_fields": ("metadata",),
    }
    shown: ClassVar[tuple[str, ...]] = ("id", "folder_id")

    id: Id
    name: Text = None
    phone: Text = None
    email: Text = None
    folder_id: Text = None
    custom_fields: Fields = None

    @model_validator(mode="before")
    @classmethod
    def _name_from_parts(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or data.get("name") is not None:
            return data
        parts = [str(data[part]) for part in ("first_name", "last_name") if data.get(part)]
        return {**data, "name": " ".join(parts) or None}


class Folder(Answer):
    """A folder of contacts."""

    shown: ClassVar[tuple[str, ...]] = ("id", "name", "contact_count")

    id: Id
    name: Text = None
    contact_count: Whole = None
    created_at: AnsweredMoment = None


class ImportProblem(Answer):
    """One row that an import refused. ``row`` as the server counts, with or without the header."""

    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {"reason": ("error",)}
    shown: ClassVar[tuple[str, ...]] = ("row",)

    row: Whole = None
    reason: Text = None


class ImportResult(Answer):
    """What a CSV import did, in either of its two shapes."""

    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {"imported": ("successful",)}
    shown: ClassVar[tuple[str, ...]] = ("imported", "updated", "skipped", "errors", "folder_id")

    imported: Whole = None
    updated: Whole = None
    skipped: Whole = None
    #: How many rows were refused.
    errors: Whole = None
    folder_id: Text = None
    error_details: Annotated[list[ImportProblem] | None, LENIENT] = None

    def with_reasons(self, shown: Callable[[str], str]) -> ImportResult:
        """Return the same result with each reason as it may be shown; a server likes to repeat the row."""
        problems = [
            each.model_copy(update={"reason": each.reason and shown(each.reason)}) for each in self.error_details or ()
        ]
        return self.model_copy(update={"error_details": problems}) if problems else self

    @model_validator(mode="before")
    @classmethod
    def _errors_as_count(cls, data: Any) -> Any:
        # ``errors`` is a count on the newest page; before, it was the list, and ``failed`` the count.
        if not isinstance(data, Mapping):
            return data
        values = dict(data)
        listed = values.get("errors")
        if isinstance(listed, list):
            values["error_details"] = values.get("error_details") or listed
            values["errors"] = len(listed)
        if values.get("failed") is not None:
            values["errors"] = values["failed"]
        return values
