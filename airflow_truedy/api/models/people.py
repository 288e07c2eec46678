"""
Requests about single people: contacts, folders of contacts, single calls. API notes (b.2), (b.3), (b.4).
"""

from __future__ import annotations

# ruff: noqa: TC001 - pydantic evaluates the annotations at run time
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, StrictBool, model_validator

from airflow_truedy.api.models.base import Payload, RuleBroken
from airflow_truedy.api.models.fields import Email, Id, Number, PersonName, Seconds

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
    """
    ``PATCH /contacts/{contact_id}``: at least one field. Neither phone number nor folder can be changed.
    """

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
    """
    ``POST /contacts/folders``.

    :param name: the folder's name.
    :param description: free text.
    """

    label: ClassVar[str] = "contact folder"

    name: str = Field(min_length=1)
    description: str | None = None


class CallSettings(Payload):
    """
    How a single call is made.

    :param recording_enabled: the server's default is true.
    :param transcription_enabled: the server's default is true.
    :param greeting: what the agent says first.
    :param max_duration: seconds with the unit, e.g. ``"3600s"``.
    :param join_timeout: seconds with the unit, e.g. ``"30s"``.
    """

    label: ClassVar[str] = "call settings"

    recording_enabled: StrictBool | None = None
    transcription_enabled: StrictBool | None = None
    greeting: str | None = None
    max_duration: Seconds | None = None
    join_timeout: Seconds | None = None


class CallRequest(Payload):
    """
    ``POST /calls``: one outbound call, at once.

    :param agent_id: the agent that calls; must be active.
    :param phone_number: whom to call, E.164.
    :param from_number: a number assigned to the agent, E.164. Default: the server chooses.
    :param call_settings: recording, transcription, greeting, durations.
    :param variables: values for the agent's prompt, text to text.
    """

    label: ClassVar[str] = "call"

    agent_id: Id
    phone_number: Number
    from_number: Number | None = None
    call_settings: CallSettings | None = None
    variables: dict[str, str] | None = None
