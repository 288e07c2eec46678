"""How things look in answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truedy_sandbox.calls import Call, batch_call_to
from truedy_sandbox.clock import iso
from truedy_sandbox.ids import uuid_id
from truedy_sandbox.settings import OUTCOMES, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from truedy_sandbox.batches import BatchCall
    from truedy_sandbox.contact_book import Contact, Folder
    from truedy_sandbox.state import State


def moment(seconds: float | None, settings: Settings, *, micro: bool = False) -> str | None:
    """Write a moment in the chosen form."""
    return iso(seconds, naive=settings.times == "naive", micro=micro)


def status_word(batch: BatchCall, settings: Settings) -> str:
    """Return the state in the chosen words."""
    return settings.live_state if batch.status == "active" else batch.status


def batch_counts(batch: BatchCall | None) -> dict[str, int]:
    """Return the counters: called = completed + failed; who is on the phone counts as pending."""
    if batch is None:
        return dict.fromkeys(("total_contacts", "called", "completed", "failed", "pending"), 0)
    return {
        "total_contacts": len(batch.roster),
        "called": batch.called,
        "completed": batch.dialer.completed,
        "failed": batch.dialer.failed,
        "pending": len(batch.roster) - batch.called,
    }


def batch_view(batch: BatchCall, settings: Settings) -> dict[str, Any]:
    """Return the batch call object."""
    return {
        "id": batch.id,
        "name": batch.name,
        "status": status_word(batch, settings),
        "agent_id": batch.agent_id,
        "from_number": batch.sending_numbers[0] if batch.sending_numbers else None,
        "schedule_type": batch.schedule_type,
        "scheduled_at": moment(batch.scheduled_at, settings),
        "timezone": batch.hours.zone,
        "concurrency": settings.concurrency,
        # As in the documented samples; no rule of retrying is documented, so none is simulated.
        "retry_attempts": 2,
        **batch_counts(batch),
        "created_at": moment(batch.created_at, settings),
        "updated_at": moment(batch.updated_at, settings),
    }


def schedule_view(batch: BatchCall, settings: Settings) -> dict[str, Any]:
    """Return the partial object that scheduling answers."""
    return {
        "id": batch.id,
        "status": "scheduled",
        "scheduled_at": moment(batch.scheduled_at, settings),
        "timezone": batch.hours.zone,
    }


def pause_view(batch: BatchCall, settings: Settings) -> dict[str, Any]:
    """Return the partial object that pausing answers."""
    return {"id": batch.id, "status": "paused"}


def resume_view(batch: BatchCall, settings: Settings) -> dict[str, Any]:
    """Return the partial object that resuming answers."""
    return {
        "id": batch.id,
        "status": status_word(batch, settings),
        "resumed_at": moment(batch.resumed_at, settings),
    }


def batch_contact_id(batch: BatchCall, index: int) -> str:
    """Return a contact's id inside a batch: ``ctc_``, while calls and the contact book say ``cnt_``."""
    return f"ctc_{uuid_id('contact', batch.id, index)}"


def batch_contact_views(batch: BatchCall, indexes: Iterable[int], settings: Settings) -> list[dict[str, Any]]:
    """Return rows of the contacts of a batch: a first name only, and nulls where no call was placed yet."""
    flying = batch.flying()
    rows = []
    for index, contact in batch.roster.rows(indexes):
        called = index < batch.dialer.placed
        rows.append(
            {
                "contact_id": batch_contact_id(batch, index),
                "phone_number": contact["phone_number"],
                "first_name": contact.get("first_name"),
                "call_status": batch.contact_status(index, flying),
                "call_id": batch_call_to(batch, index, settings.seed).id if called else None,
                "called_at": moment(batch.dialer.starts[index], settings, micro=True) if called else None,
            }
        )
    return rows


def contact_places(batch: BatchCall, status: str | None = None) -> Sequence[int]:
    """Return the places of the contacts with a status; default: of all."""
    total, placed = len(batch.roster), batch.dialer.placed
    if status is None:
        return range(total)
    flying = batch.flying()
    if status == ("pending" if batch.status == "draft" else "scheduled"):
        return range(placed, total)
    if status == "calling":
        return sorted(flying)
    if status in OUTCOMES:
        code = OUTCOMES.index(status)
        return [at for at, each in enumerate(batch.dialer.outcomes) if each == code and at not in flying]
    return []


def call_receipt(call: Call, settings: Settings) -> dict[str, Any]:
    """Return what creating a call answers."""
    return {
        "id": call.id,
        "agent_id": call.agent_id,
        "phone_number": call.to,
        "direction": "outbound",
        "status": "queued",
        "created_at": moment(call.started_at, settings),
    }


def call_view(call: Call, now: float, settings: Settings) -> dict[str, Any]:
    """Return the call object; what is known only after the call is null for a moment longer."""
    ended = now >= call.ends_at
    details = call.has_details(now, settings)
    spoken = details and call.outcome in ("completed", "voicemail")
    of_batch = {"campaign_id": call.batch_id, "contact_id": call.contact_id} if call.batch_id else {}
    return {
        "id": call.id,
        "status": call.status(now, settings.call_words),
        "direction": "outbound",
        "agent_id": call.agent_id,
        "to": call.to,
        "from": call.sender,
        "duration_seconds": (call.length if spoken else 0) if details else None,
        "recording_url": f"https://recordings.invalid/{call.id}.mp3" if spoken else None,
        # As in the documented sample: without the public prefix.
        "transcript_url": f"https://api.truedy.ai/calls/{call.id}/transcript" if spoken else None,
        "summary": call.summary if details else None,
        "cost_credits": (1 + call.length // 6 if spoken else 0) if details else None,
        "metadata": of_batch,
        "started_at": moment(call.started_at, settings),
        "ended_at": moment(call.ends_at, settings) if ended else None,
        "created_at": moment(call.started_at, settings),
        "updated_at": moment(call.ends_at if ended else call.started_at, settings),
    }


def contact_view(contact: Contact, state: State) -> dict[str, Any]:
    """Return the contact object: ``phone`` and ``name``, unlike in requests."""
    called = sorted(_calls_of(contact, state))
    return {
        "id": contact.id,
        "name": contact.name,
        "phone": contact.phone_number,
        "email": contact.email,
        "folder_id": contact.folder_id,
        "custom_fields": contact.custom_fields,
        "call_count": len(called),
        "last_called_at": moment(called[-1], state.settings) if called else None,
        "created_at": moment(contact.created_at, state.settings),
        "updated_at": moment(contact.updated_at, state.settings),
    }


def _calls_of(contact: Contact, state: State) -> Iterator[float]:
    """Return when batch calls that copied this contact called it."""
    now = state.clock.now()
    for batch in state.by_number.values():
        place = batch.places.get(contact.id)
        if place is not None:
            batch.advance(now)
            if place < batch.dialer.placed:
                yield batch.dialer.starts[place]


def folder_view(folder: Folder, settings: Settings) -> dict[str, Any]:
    """Return the folder object."""
    return {
        "id": folder.id,
        "name": folder.name,
        "description": folder.description,
        "contact_count": len(folder.contacts),
        "created_at": moment(folder.created_at, settings),
    }
