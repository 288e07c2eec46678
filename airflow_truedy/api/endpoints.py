"""
Every endpoint of the Truedy API that this project uses: method, path, body, how to read the answer, and whether it may
be repeated. Both clients send these values.

Only reads, and ``POST /batch-calls`` with an idempotency key, are repeatable. Ids are opaque, stated as the server gave
them, and quoted; a bad value raises :class:`~airflow_truedy.api.errors.InvalidPayloadError` here, before there is
anything to send.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_truedy.api import models
from airflow_truedy.api.request import (
    FormFile,
    ListRequest,
    Request,
    change,
    given_id,
    maybe,
    one,
    quoted,
    read_all,
    read_one,
)
from airflow_truedy.api.sent_people import SentPeople

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

# --- Batch calls


def create_batch_call(
    request: models.BatchCallRequest, *, idempotency_key: str | None = None
) -> Request[models.BatchCall]:
    """
    ``POST /batch-calls``. Whether anybody is called at once depends on the server: read ``status``.

    :param idempotency_key: makes the request repeatable: the server answers a repeat of the same bytes from memory.
        Best effort on the server's side, kept for minutes to hours.
    """
    return change("POST", "/batch-calls", request, one(models.BatchCall), idempotency_key=idempotency_key, slow=True)


def get_batch_call(batch_call_id: str) -> Request[models.BatchCall]:
    """``GET /batch-calls/{batch_call_id}``."""
    return read_one(f"/batch-calls/{quoted(batch_call_id)}", models.BatchCall)


def list_batch_calls(status: str | None = None, agent_id: str | None = None) -> ListRequest[models.BatchCall]:
    """
    ``GET /batch-calls``.

    :param status: only those in this state; ``running`` is sent as ``active``, the only name that the filter knows.
    """
    wanted = "active" if status == "running" else status
    return read_all("/batch-calls", models.BatchCall, status=wanted, agent_id=agent_id)


def update_batch_call(batch_call_id: str, update: models.BatchCallUpdate) -> Request[models.BatchCall]:
    """``PATCH /batch-calls/{batch_call_id}``. Read it back: servers differ in what they take, and in which state."""
    return change("PATCH", f"/batch-calls/{quoted(batch_call_id)}", update, one(models.BatchCall))


def schedule_batch_call(
    batch_call_id: str, *, scheduled_at: datetime | str | None = None, timezone: str | None = None
) -> Request[models.ScheduledBatchCall]:
    """
    ``POST /batch-calls/{batch_call_id}/schedule``: the one step that makes a draft ring people.

    :param scheduled_at: when to start, with its offset. Without it the calls start **at once**.
    :param timezone: IANA zone.
    """
    request = models.ScheduleRequest.checked(scheduled_at=scheduled_at, timezone=timezone)
    path = f"/batch-calls/{quoted(batch_call_id)}/schedule"
    return change("POST", path, request, maybe(models.ScheduledBatchCall))


def pause_batch_call(batch_call_id: str) -> Request[models.ScheduledBatchCall]:
    """``POST /batch-calls/{batch_call_id}/pause``. Calls already placed run to their end."""
    return Request("POST", f"/batch-calls/{quoted(batch_call_id)}/pause", maybe(models.ScheduledBatchCall))


def resume_batch_call(batch_call_id: str) -> Request[models.ScheduledBatchCall]:
    """``POST /batch-calls/{batch_call_id}/resume``."""
    return Request("POST", f"/batch-calls/{quoted(batch_call_id)}/resume", maybe(models.ScheduledBatchCall))


def list_batch_call_contacts(batch_call_id: str, status: str | None = None) -> ListRequest[models.BatchCallContact]:
    """``GET /batch-calls/{batch_call_id}/contacts``. Which words of ``status`` it knows the API does not say."""
    path = f"/batch-calls/{quoted(batch_call_id)}/contacts"
    return read_all(path, models.BatchCallContact, key=_listed_contact, status=status)


def _listed_contact(row: models.BatchCallContact) -> str | None:
    # Both: servers list several people under one contact id.
    return f"{row.contact_id or ''} {row.phone_number or ''}".strip() or None


def add_contacts(
    batch_call_id: str, contacts: Iterable[models.ContactInput | Mapping[str, Any]]
) -> Request[models.AddedContacts]:
    """``POST /batch-calls/{batch_call_id}/contacts``, at least one."""
    request = models.AddContactsRequest.checked(contacts=list(contacts))
    path = f"/batch-calls/{quoted(batch_call_id)}/contacts"
    return change("POST", path, request, maybe(models.AddedContacts), slow=True)


def delete_batch_calls(ids: Iterable[str]) -> Request[models.DeletedBatchCalls]:
    """``POST /batch-calls/bulk-delete``. Drafts, failed and perhaps cancelled ones only; look at ``failed_ids``."""
    request = models.DeleteRequest.checked(ids=list(ids))
    return change("POST", "/batch-calls/bulk-delete", request, maybe(models.DeletedBatchCalls))


# --- Folders and contacts


def list_folders() -> ListRequest[models.Folder]:
    """``GET /contacts/folders``."""
    return read_all("/contacts/folders", models.Folder, may_be_unpaged=True)


def create_folder(name: str, description: str | None = None) -> Request[models.Folder]:
    """``POST /contacts/folders``."""
    request = models.FolderRequest.checked(name=name, description=description)
    return change("POST", "/contacts/folders", request, one(models.Folder))


def list_contacts(folder_id: str | None = None, search: str | None = None) -> ListRequest[models.Contact]:
    """
    ``GET /contacts``.

    :param search: in name, phone number and e-mail address.
    """
    return read_all("/contacts", models.Contact, folder_id=folder_id, search=search)


def create_contact(request: models.ContactRequest) -> Request[models.Contact]:
    """``POST /contacts``."""
    return change("POST", "/contacts", request, one(models.Contact))


def update_contact(contact_id: str, update: models.ContactUpdate) -> Request[models.Contact]:
    """``PATCH /contacts/{contact_id}``. Whether custom fields are merged or replaced is not documented."""
    return change("PATCH", f"/contacts/{quoted(contact_id)}", update, one(models.Contact))


def import_contacts(
    content: bytes,
    file_name: str = "contacts.csv",
    folder_id: str | None = None,
    overwrite_existing: bool = False,
) -> Request[models.ImportResult]:
    """
    ``POST /contacts/import``.

    :param content: a CSV file's bytes with a column ``phone`` (an older server wants ``phone_number``);
        ``name`` and ``email`` are known, other columns become custom fields. Best under 5 MB.
    :param file_name: the file's name as the server shall see it.
    :param folder_id: where to. Default: the server's default folder.
    :param overwrite_existing: whether contacts with the same number are updated. Default: no.
    """
    fields: tuple[tuple[str, str], ...] = (("overwrite_existing", "true" if overwrite_existing else "false"),)
    if folder_id is not None:
        fields = (("folder_id", given_id(folder_id, "folder_id")), *fields)
    file = FormFile(file_name, content, fields)
    read = maybe(models.ImportResult)
    request = Request("POST", "/contacts/import", read, file=file, slow=True)
    people = SentPeople(request)
    return replace(request, parse=lambda envelope: read(envelope).with_reasons(people.hide))


# --- Calls


def create_call(request: models.CallRequest, *, idempotency_key: str | None = None) -> Request[models.Call]:
    """
    ``POST /calls``: rings one person at once. Never repeated while it is unknown whether the phone rang.

    :param idempotency_key: sent along. It does not make the call repeatable: a server that forgets keys would ring
        with every repeat.
    """
    return change("POST", "/calls", request, one(models.Call), idempotency_key=idempotency_key).once()


def get_call(call_id: str) -> Request[models.Call]:
    """``GET /calls/{call_id}``."""
    return read_one(f"/calls/{quoted(call_id)}", models.Call)


def list_calls(
    agent_id: str | None = None, status: str | None = None, direction: str | None = None
) -> ListRequest[models.Call]:
    """
    ``GET /calls``. To find the calls of a batch call, go through :func:`list_batch_call_contacts`.

    :param direction: ``inbound`` or ``outbound``.
    """
    return read_all("/calls", models.Call, may_be_unpaged=True, agent_id=agent_id, status=status, direction=direction)


def get_transcript(call_id: str) -> Request[models.Transcript]:
    """``GET /calls/{call_id}/transcript``. 404 while there is none (yet), or on a server without this path."""
    return read_one(f"/calls/{quoted(call_id)}/transcript", models.Transcript)


# --- Agents and numbers


def list_agents(status: str | None = None, name: str | None = None) -> ListRequest[models.Agent]:
    """
    ``GET /agents``.

    :param status: ``active``, ``draft``, ``creating`` or ``failed``.
    :param name: a part of the name, in any case.
    """
    return read_all("/agents", models.Agent, status=status, name=name)


def get_agent(agent_id: str) -> Request[models.Agent]:
    """``GET /agents/{agent_id}``."""
    return read_one(f"/agents/{quoted(agent_id)}", models.Agent)


def list_numbers() -> ListRequest[models.PhoneNumber]:
    """``GET /telephony/numbers``: the organization's numbers, bought and imported."""
    return read_all("/telephony/numbers", models.PhoneNumber)
