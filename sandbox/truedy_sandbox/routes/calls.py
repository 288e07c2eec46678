"""Calls."""

# ruff: noqa: TC001, TC002 - FastAPI reads these annotations when the app starts
from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from truedy_sandbox.answers import answer, world_of
from truedy_sandbox.calls import Call, newest_first
from truedy_sandbox.problems import not_found
from truedy_sandbox.reading import page_answer, places_on_page, state_for_list, state_for_one
from truedy_sandbox.routes.common import Limit, Offset, create_with_key
from truedy_sandbox.schemas import CallCreate, Ids, plain
from truedy_sandbox.state import State
from truedy_sandbox.views import call_view

if TYPE_CHECKING:
    from collections.abc import Iterable

router = APIRouter(prefix="/calls", tags=["calls"])

Status = Literal["queued", "ringing", "in_progress", "completed", "failed"]


@router.get("")
async def list_calls(
    request: Request,
    agent_id: str | None = None,
    status: Annotated[Status | None, Query()] = None,
    direction: Literal["inbound", "outbound"] | None = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """List calls, the newest first; the sandbox has outbound ones only."""
    state = state_for_list(request)
    now = state.clock.now()
    batches = [] if direction == "inbound" else [b for b in state.all_batches() if agent_id in (None, b.agent_id)]
    singles = (
        [] if direction == "inbound" else [c for c in state.single_calls.values() if agent_id in (None, c.agent_id)]
    )
    found: Iterable[Call] = newest_first(batches, singles, state.settings.seed)
    total = sum(each.dialer.placed for each in batches) + len(singles)
    if status is not None or state.deleted_calls:
        found = [each for each in found if each.id not in state.deleted_calls and status in (None, each.status(now))]
        total = len(found)
    places = places_on_page(request, total, limit, offset)
    calls = list(islice(found, max(places, default=-1) + 1))
    rows = [call_view(calls[at], now, state.settings) for at in places]
    return page_answer(request, rows, total, limit, offset)


@router.post("", status_code=201)
async def create_call(request: Request, body: CallCreate) -> Response:
    """Place a single call."""
    arguments = {
        "agent_id": body.agent_id,
        "phone_number": body.phone_number,
        "from_number": body.from_number,
    }
    request.state.contacts = 1
    return await create_with_key(request, "create_call", arguments)


@router.post("/bulk-delete")
async def delete_calls(request: Request, body: Ids) -> Response:
    """Delete calls that have ended."""
    return answer(request, world_of(request).do("delete_calls", plain(body)))


@router.get("/{call_id}")
async def get_call(request: Request, call_id: str) -> Response:
    """Read a call."""
    state = state_for_one(request)
    now = state.clock.now()
    return answer(request, call_view(state.call(call_id, now), now, state.settings))


@router.get("/{call_id}/transcript")
async def get_transcript(request: Request, call_id: str) -> Response:
    """Read the transcript; 404 while it is not there yet, and for calls that nobody answered."""
    call = _with_details(state_for_one(request), call_id)
    transcript = call.transcript()
    if transcript is None:
        raise not_found("Transcript")
    return answer(request, {"call_id": call.id, "transcript": transcript, "summary": call.summary})


@router.get("/{call_id}/recording")
async def get_recording(request: Request, call_id: str) -> Response:
    """Read where the recording is; 404 while there is none."""
    state = state_for_one(request)
    call = _with_details(state, call_id)
    shown: dict[str, Any] = call_view(call, state.clock.now(), state.settings)
    if shown["recording_url"] is None:
        raise not_found("Recording")
    data = {
        "call_id": call.id,
        "recording_url": shown["recording_url"],
        "format": "mp3",
        "duration_seconds": call.length,
    }
    return answer(request, data)


def _with_details(state: State, call_id: str) -> Call:
    now = state.clock.now()
    call = state.call(call_id, now)
    if not call.has_details(now, state.settings):
        raise not_found("Call details")
    return call
