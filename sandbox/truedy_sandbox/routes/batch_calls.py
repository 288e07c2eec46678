"""Batch calls."""

# ruff: noqa: TC001 - FastAPI reads these annotations when the app starts
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from truedy_sandbox.answers import answer, world_of
from truedy_sandbox.batches import BatchCall
from truedy_sandbox.problems import invalid
from truedy_sandbox.reading import page_answer, places_on_page, read_batch, state_for_list, state_for_one
from truedy_sandbox.routes.common import Limit, Offset, create_with_key, read_contacts
from truedy_sandbox.schemas import (
    AddContacts,
    BatchCallCreate,
    BatchCallUpdate,
    Ids,
    ScheduleRequest,
    check_window,
    plain,
)
from truedy_sandbox.settings import Settings
from truedy_sandbox.views import (
    batch_contact_views,
    batch_view,
    contact_places,
    pause_view,
    resume_view,
    schedule_view,
)

if TYPE_CHECKING:
    from collections.abc import Callable

router = APIRouter(prefix="/batch-calls", tags=["batch calls"])

Status = Literal["draft", "scheduled", "active", "paused", "completed", "failed", "cancelled"]


@router.get("")
async def list_batch_calls(
    request: Request,
    status: Annotated[Status | None, Query()] = None,
    agent_id: str | None = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """List batch calls, the newest first."""
    state = state_for_list(request)
    found = [
        each for each in state.all_batches() if status in (None, each.status) and agent_id in (None, each.agent_id)
    ]
    rows = [read_batch(request, found[at], state) for at in places_on_page(request, len(found), limit, offset)]
    return page_answer(request, rows, len(found), limit, offset)


@router.post("", status_code=201)
async def create_batch_call(request: Request, body: BatchCallCreate) -> Response:
    """Create a batch call."""
    arguments = plain(body)
    arguments["contacts"], _ = read_contacts(request, body.contacts or [])
    return await create_with_key(request, "create_batch", arguments)


@router.post("/bulk-delete")
async def delete_batch_calls(request: Request, body: Ids) -> Response:
    """Delete several batch calls; what may not be deleted is listed."""
    return answer(request, world_of(request).do("delete_batches", plain(body)))


@router.get("/{batch_call_id}")
async def get_batch_call(request: Request, batch_call_id: str) -> Response:
    """Read a batch call."""
    state = state_for_one(request)
    return answer(request, read_batch(request, state.batch(batch_call_id), state))


@router.patch("/{batch_call_id}")
async def update_batch_call(request: Request, batch_call_id: str, body: BatchCallUpdate) -> Response:
    """Edit a batch call."""
    world = world_of(request)
    changes = plain(body, only_set=True)
    hours = world.batch(batch_call_id).hours
    try:
        check_window(changes.get("start_time", hours.start_time), changes.get("end_time", hours.end_time))
    except ValueError as error:
        raise invalid("end_time", str(error)) from None
    return answer(request, world.do("update_batch", {"id": batch_call_id, "changes": changes}))


@router.delete("/{batch_call_id}")
async def delete_batch_call(request: Request, batch_call_id: str) -> Response:
    """Delete a batch call that is a draft, failed or cancelled."""
    world = world_of(request)
    batch = world.batch(batch_call_id)
    if not world.do("delete_batches", {"ids": [batch_call_id]})["deleted_ids"]:
        raise invalid("status", f"a batch call with status '{batch.status}' cannot be deleted")
    return answer(request, {"id": batch_call_id, "deleted": True})


@router.post("/{batch_call_id}/schedule")
async def schedule_batch_call(request: Request, batch_call_id: str, body: ScheduleRequest | None = None) -> Response:
    """Schedule a draft; without ``scheduled_at`` it starts at once."""
    arguments = plain(body) if body else {}
    return _act(request, "schedule_batch", batch_call_id, arguments, schedule_view)


@router.post("/{batch_call_id}/pause")
async def pause_batch_call(request: Request, batch_call_id: str) -> Response:
    """Hold all future calls."""
    return _act(request, "pause_batch", batch_call_id, {}, pause_view)


@router.post("/{batch_call_id}/resume", status_code=201)
async def resume_batch_call(request: Request, batch_call_id: str) -> Response:
    """Go on with a paused batch call."""
    return _act(request, "resume_batch", batch_call_id, {}, resume_view, status=201)


def _act(
    request: Request,
    command: str,
    batch_call_id: str,
    arguments: dict[str, Any],
    partial: Callable[[BatchCall, Settings], dict[str, Any]],
    status: int = 200,
) -> Response:
    world = world_of(request)
    world.do(command, {"id": batch_call_id, **arguments})
    form = world.settings.action_answers
    if form == "empty":
        return Response(status_code=204)
    view = partial if form == "partial" else batch_view
    return answer(request, view(world.batch(batch_call_id), world.settings), status)


@router.get("/{batch_call_id}/contacts")
async def list_batch_call_contacts(
    request: Request, batch_call_id: str, status: str | None = None, limit: Limit = 50, offset: Offset = 0
) -> Response:
    """List the contacts of a batch call in the order they were added."""
    state = state_for_list(request)
    batch = state.batch(batch_call_id)
    found = contact_places(batch, status)
    places = [found[at] for at in places_on_page(request, len(found), limit, offset, newest_first=False)]
    return page_answer(request, batch_contact_views(batch, places, state.settings), len(found), limit, offset)


@router.post("/{batch_call_id}/contacts")
async def add_contacts(request: Request, batch_call_id: str, body: AddContacts) -> Response:
    """Add contacts to a draft or paused batch call."""
    contacts, dropped = read_contacts(request, body.contacts)
    arguments = {"id": batch_call_id, "contacts": contacts, "dropped": dropped}
    return answer(request, world_of(request).do("add_contacts", arguments))
