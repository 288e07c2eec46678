"""Every change of state, by name. Each either refuses before it changed anything, or is done whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from truedy_sandbox.agents import NUMBERS, find_agent, numbers_of
from truedy_sandbox.batches import DELETABLE, BatchCall
from truedy_sandbox.calling_hours import CallingHours
from truedy_sandbox.calls import Call
from truedy_sandbox.dialer import Dialer
from truedy_sandbox.ids import call_id, short_id, uuid_id
from truedy_sandbox.problems import Refusal, invalid, wrong_state
from truedy_sandbox.roster import Roster
from truedy_sandbox.settings import OUTCOMES
from truedy_sandbox.views import batch_view, call_receipt, contact_view, folder_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from truedy_sandbox.contact_book import Contact
    from truedy_sandbox.settings import Settings
    from truedy_sandbox.state import State

    Command = Callable[[State, float, dict[str, Any]], dict[str, Any]]

_NO_BRACKETS = str.maketrans("", "", "()[]{}<>")


def create_batch(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Make a batch call; a draft, or by dialect one that is scheduled at once."""
    if find_agent(asked["agent_id"]) is None:
        raise invalid("agent_id", "no such agent")
    sending = _sending_numbers(asked["agent_id"], asked.get("phone_number_ids"))
    copied = _copied_contacts(state, asked)
    settings = state.settings
    number = state.batches_made + 1
    batch = BatchCall(
        number=number,
        id=_batch_id(state, number),
        name=_stored_name(asked["name"], settings),
        agent_id=asked["agent_id"],
        sending_numbers=sending,
        rotation=asked["phone_rotation_strategy"],
        schedule_type=asked["schedule_type"],
        scheduled_at=asked.get("scheduled_at"),
        hours=_hours(asked),
        created_at=now,
        changed_at=now,
        roster=Roster(settings.allow_duplicates),
        dialer=Dialer(number, settings.concurrency, state.fate),
        complete_share=settings.complete_share,
    )
    for contact in copied:
        batch.copy_in(contact.id, contact.as_batch_contact())
    batch.roster.add(asked.get("contacts") or [])
    if settings.create_answer == "scheduled" and len(batch.roster):
        _check_ready(batch)
        batch.schedule(now, batch.scheduled_at, None)
    state.batches_made = number
    state.batches[batch.id] = state.by_number[number] = batch
    return batch_view(batch, settings)


def make_history(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Make ``count`` old batch calls without contacts at once, one for every ``every`` seconds up to now."""
    first = state.batches_made + 1
    roster, dialer = Roster(), Dialer(0, 1, state.fate)
    for number in range(first, first + asked["count"]):
        made = now - asked["every"] * (first + asked["count"] - number)
        batch = BatchCall(
            number=number,
            id=_batch_id(state, number),
            name=f"Old {number} [airflow {number:012x}-{number:08x}]",
            agent_id=asked["agent_id"],
            sending_numbers=[],
            rotation="random",
            schedule_type="immediate",
            scheduled_at=None,
            hours=_hours({"timezone": "UTC"}),
            created_at=made,
            changed_at=made,
            roster=roster,
            dialer=dialer,
            complete_share=1.0,
            status="completed",
        )
        state.batches[batch.id] = state.by_number[number] = batch
    state.batches_made += asked["count"]
    return {"made": asked["count"]}


def _batch_id(state: State, number: int) -> str:
    seed = state.settings.seed
    if state.settings.id_style == "uuid":
        return uuid_id("batch", seed, number)
    prefix = "batch" if state.settings.id_style == "batch" else "camp"
    batch_id = short_id(prefix, seed, number)
    return f"{batch_id}-{number % 16:x}" if prefix == "camp" else batch_id


def _stored_name(name: str, settings: Settings) -> str:
    if settings.name_filter == "strip_brackets":
        name = name.translate(_NO_BRACKETS)
    elif settings.name_filter == "upper":
        name = name.upper()
    return name[: settings.name_limit or None]


def _hours(asked: dict[str, Any]) -> CallingHours:
    return CallingHours(
        asked["timezone"],
        asked.get("start_time"),
        asked.get("end_time"),
        tuple(asked.get("working_days") or ()),
        asked.get("max_calls_per_day"),
    )


def _sending_numbers(agent_id: str, number_ids: list[str] | None) -> list[str]:
    if not number_ids:
        return [each.phone_number for each in numbers_of(agent_id)]
    known = {each.id: each.phone_number for each in NUMBERS}
    if any(each not in known for each in number_ids):
        raise invalid("phone_number_ids", "no such phone number")
    return [known[each] for each in number_ids]


def _copied_contacts(state: State, asked: dict[str, Any]) -> list[Contact]:
    contacts: list[Contact] = []
    folder_id = asked.get("contact_folder_id")
    if folder_id is not None:
        if folder_id not in state.book.folders:
            raise invalid("contact_folder_id", "no such folder")
        contacts += state.book.in_folder(folder_id)
    for contact_id in asked.get("contact_ids") or ():
        if contact_id not in state.book.contacts:
            raise invalid("contact_ids", "no such contact")
        contacts.append(state.book.contacts[contact_id])
    return contacts


def _check_ready(batch: BatchCall) -> None:
    agent = find_agent(batch.agent_id)
    if agent is None or agent.status != "active":
        raise invalid("agent_id", "the agent is not ready to call")
    if not batch.sending_numbers:
        raise invalid("phone_number_ids", "the agent has no outbound phone number")
    if not len(batch.roster):
        raise invalid("contacts", "a batch call needs at least one contact before it can be scheduled")


def update_batch(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Edit a batch call; contacts not called yet are spread over the new schedule."""
    batch = state.batch_at(asked["id"], now)
    batch.check_editable()
    changes = asked["changes"]
    if "phone_number_ids" in changes:
        batch.sending_numbers = _sending_numbers(batch.agent_id, changes["phone_number_ids"])
    if changes.get("name"):
        batch.name = _stored_name(changes["name"], state.settings)
    batch.rotation = changes.get("phone_rotation_strategy") or batch.rotation
    batch.schedule_type = changes.get("schedule_type") or batch.schedule_type
    if "scheduled_at" in changes:
        batch.scheduled_at = changes["scheduled_at"]
    hours = {k: changes[k] for k in ("start_time", "end_time", "max_calls_per_day") if k in changes}
    if "working_days" in changes:
        hours["working_days"] = tuple(changes["working_days"] or ())
    batch.hours = replace(batch.hours, **hours)
    batch.reschedule(now)
    return batch_view(batch, state.settings)


def schedule_batch(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Schedule a draft; without a moment it starts at once."""
    batch = state.batch_at(asked["id"], now)
    if batch.status != "draft":
        raise wrong_state("schedule", batch.status, "draft")
    _check_ready(batch)
    batch.schedule(now, asked.get("scheduled_at"), asked.get("timezone"))
    return {}


def pause_batch(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Hold future calls."""
    state.batch_at(asked["id"], now).pause(now)
    return {}


def resume_batch(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Go on with a paused batch call."""
    state.batch_at(asked["id"], now).resume(now)
    return {}


def add_contacts(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Add contacts to a draft or paused batch call; numbers that are in it already count as failed."""
    batch = state.batch_at(asked["id"], now)
    added = batch.add(now, asked["contacts"])
    return {"added_count": added, "failed_count": len(asked["contacts"]) - added + asked.get("dropped", 0)}


def delete_batches(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Delete what may be deleted, and say what was not."""
    deleted, failed = [], []
    for batch_id in asked["ids"]:
        batch = state.batches.get(batch_id)
        if batch is not None:
            batch.advance(now)
        if batch is None or (batch.status not in DELETABLE and not asked.get("by_force")):
            failed.append(batch_id)
            continue
        del state.batches[batch_id]
        deleted.append(batch_id)
    return {
        "deleted_count": len(deleted),
        "failed_count": len(failed),
        "deleted_ids": deleted,
        "failed_ids": failed,
    }


def force_batch(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """End a batch call by hand (no public endpoint does this)."""
    batch = state.batch_at(asked["id"], now)
    batch.force(now, asked["status"])
    return batch_view(batch, state.settings)


def create_call(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Place a single call."""
    agent = find_agent(asked["agent_id"])
    if agent is None or agent.status != "active":
        raise invalid("agent_id", "no such agent, or it is not active")
    numbers = [each.phone_number for each in numbers_of(agent.id)]
    if not numbers:
        raise Refusal(422, "no_phone_number_configured", "The agent has no phone number to call from")
    sender = asked.get("from_number") or numbers[0]
    if sender not in numbers:
        raise invalid("from_number", "not assigned to the agent")
    index = state.single_calls_made
    code, length = state.fate.of(0, index)
    call = Call(
        id=call_id(0, index, state.settings.seed),
        agent_id=agent.id,
        to=asked["phone_number"],
        sender=sender,
        started_at=now,
        length=length,
        outcome=OUTCOMES[code],
    )
    state.single_calls_made += 1
    state.single_calls[call.id] = call
    return call_receipt(call, state.settings)


def delete_calls(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Delete finished calls."""
    deleted: list[str] = []
    failed: list[str] = []
    for each in asked["ids"]:
        try:
            finished = state.call(each, now).ends_at <= now
        except Refusal:
            finished = False
        (deleted if finished else failed).append(each)
        if finished and state.single_calls.pop(each, None) is None:
            state.deleted_calls.add(each)
    return {
        "deleted_count": len(deleted),
        "failed_count": len(failed),
        "deleted_ids": deleted,
        "failed_ids": failed,
    }


def create_contact(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Add a contact."""
    return contact_view(state.book.create(now, asked, asked.get("folder_id")), state)


def update_contact(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Change a contact."""
    return contact_view(state.book.update(now, asked["id"], asked["changes"]), state)


def import_contacts(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Import the rows of a CSV file."""
    return state.book.import_rows(now, asked["rows"], asked.get("folder_id"), asked["overwrite"])


def create_folder(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Make a folder."""
    return folder_view(state.book.create_folder(now, asked["name"], asked.get("description")), state.settings)


def delete_folder(state: State, now: float, asked: dict[str, Any]) -> dict[str, Any]:
    """Delete a folder and its contacts."""
    state.book.delete_folder(asked["id"])
    return {"id": asked["id"], "deleted": True}


COMMANDS: dict[str, Command] = {
    each.__name__: each
    for each in (
        create_batch,
        make_history,
        update_batch,
        schedule_batch,
        pause_batch,
        resume_batch,
        add_contacts,
        delete_batches,
        force_batch,
        create_call,
        delete_calls,
        create_contact,
        update_contact,
        import_contacts,
        create_folder,
        delete_folder,
    )
}
