"""Every change of state, by name; those of contacts and single calls, and the table of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truedy_sandbox import batch_commands
from truedy_sandbox.agents import find_agent, numbers_of
from truedy_sandbox.calls import Call
from truedy_sandbox.ids import call_id
from truedy_sandbox.problems import Refusal, invalid
from truedy_sandbox.settings import OUTCOMES
from truedy_sandbox.views import call_receipt, contact_view, folder_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from truedy_sandbox.state import State

    Command = Callable[[State, float, dict[str, Any]], dict[str, Any]]


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
        batch_commands.create_batch,
        batch_commands.update_batch,
        batch_commands.schedule_batch,
        batch_commands.pause_batch,
        batch_commands.resume_batch,
        batch_commands.add_contacts,
        batch_commands.delete_batches,
        batch_commands.force_batch,
        create_call,
        delete_calls,
        create_contact,
        update_contact,
        import_contacts,
        create_folder,
        delete_folder,
    )
}
