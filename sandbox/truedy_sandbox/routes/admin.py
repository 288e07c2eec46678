"""Endpoints to steer and inspect the sandbox itself; no key, not part of the API."""

# ruff: noqa: TC001, TC002 - FastAPI reads these annotations when the app starts
from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from truedy_sandbox.answers import JsonAnswer, world_of
from truedy_sandbox.clock import END, iso
from truedy_sandbox.faults import FaultRequest
from truedy_sandbox.problems import invalid
from truedy_sandbox.routes.common import Limit, Offset
from truedy_sandbox.views import (
    batch_contact_views,
    batch_view,
    contact_places,
    contact_view,
    folder_view,
)
from truedy_sandbox.world import World

router = APIRouter(prefix="/_sandbox")


class ClockChange(BaseModel):
    """Move the clock forward, by or to, and set its speed."""

    advance_seconds: float = Field(default=0, ge=0)
    set: datetime | None = None
    speed: float | None = Field(default=None, ge=0, le=1e9)


class ForcedState(BaseModel):
    """End a batch call by hand."""

    status: Literal["completed", "failed", "cancelled", "deleted"]


def _clock(world: World) -> dict[str, Any]:
    return {"now": iso(world.clock.now(), micro=True), "epoch": world.clock.now(), "speed": world.clock.speed}


@router.get("/clock")
async def read_clock(request: Request) -> Response:
    """Read virtual time."""
    return JsonAnswer(_clock(world_of(request)))


@router.post("/clock")
async def change_clock(request: Request, body: ClockChange) -> Response:
    """Move virtual time; it never goes back."""
    world = world_of(request)
    target: float | None = None
    if body.set is not None:
        target = (body.set if body.set.tzinfo else body.set.replace(tzinfo=timezone.utc)).timestamp()
    elif body.advance_seconds:
        target = world.clock.now() + body.advance_seconds
    if target is not None and target > END:
        raise invalid("set", "beyond what the sandbox simulates")
    try:
        world.move_clock(to=target, speed=body.speed)
    except ValueError as error:
        raise invalid("set", str(error)) from None
    return JsonAnswer(_clock(world))


@router.get("/faults")
async def list_faults(request: Request) -> Response:
    """List the faults that were set, and how often each struck."""
    return JsonAnswer({"faults": [each.as_json() for each in request.app.state.faults.all]})


@router.post("/faults", status_code=201)
async def set_fault(request: Request, body: FaultRequest) -> Response:
    """Set a fault."""
    return JsonAnswer(request.app.state.faults.add(body).as_json(), 201)


@router.delete("/faults")
async def clear_faults(request: Request) -> Response:
    """Take all faults away."""
    request.app.state.faults.clear()
    return JsonAnswer({"faults": []})


@router.get("/requests")
async def list_requests(request: Request, since: int = 0) -> Response:
    """List the API requests that came in after a number, with counts per real minute."""
    quota = request.app.state.quota
    limits = {"limit": quota.limit, "used": quota.used, "refused": quota.refused}
    return JsonAnswer({**request.app.state.log.as_json(since), "rate_limit": limits})


@router.post("/reset")
async def reset(request: Request) -> Response:
    """Forget everything but settings and time."""
    world_of(request).reset()
    request.app.state.faults.clear()
    request.app.state.log.clear()
    return JsonAnswer({"reset": True})


@router.post("/batch-calls/{batch_call_id}/state")
async def force_state(request: Request, batch_call_id: str, body: ForcedState) -> Response:
    """End a batch call in a way that no public endpoint offers, as a person in the dashboard would."""
    world = world_of(request)
    world.batch(batch_call_id)
    if body.status == "deleted":
        return JsonAnswer(world.do("delete_batches", {"ids": [batch_call_id], "by_force": True}))
    return JsonAnswer(world.do("force_batch", {"id": batch_call_id, "status": body.status}))


@router.get("/state")
async def state(request: Request, numbers: bool = True) -> Response:
    """Return everything, for assertions; without the contacts' numbers if ``numbers`` is false."""
    world = world_of(request)
    batches = []
    for batch in reversed(world.all_batches()):
        shown = {
            **batch_view(batch, world.settings),
            "hours": asdict(batch.hours),
            "rotation": batch.rotation,
            "placed": batch.dialer.placed,
            "first_due": iso(batch.first_due),
        }
        batches.append({**shown, "numbers": list(batch.roster.numbers())} if numbers else shown)
    return JsonAnswer(
        {
            "clock": _clock(world),
            "batch_calls": batches,
            "contacts": [contact_view(each, world) for each in world.book.contacts.values()],
            "folders": [folder_view(each, world.settings) for each in world.book.folders.values()],
            "calls": [each.id for each in world.single_calls.values()],
            "kept_answers": len(world.kept_answers),
        }
    )


@router.get("/view")
async def view(request: Request, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Return what the page shows."""
    world = world_of(request)
    batches = world.all_batches()
    shown = []
    for batch in batches[offset : offset + limit]:
        hours = asdict(batch.hours)
        shown.append({**batch_view(batch, world.settings), "hours": hours, "on_the_phone": len(batch.flying())})
    return JsonAnswer(
        {
            "clock": _clock(world),
            "unusual": {name: str(value) for name, value in world.settings.unusual().items()},
            "settings": {**asdict(world.settings), "start": None, "api_key": None},
            "total": len(batches),
            "requests": request.app.state.log.made,
            "batch_calls": shown,
        }
    )


@router.get("/view/{batch_call_id}")
async def view_contacts(
    request: Request,
    batch_call_id: str,
    status: str | None = Query(default=None),
    limit: Limit = 25,
    offset: Offset = 0,
) -> Response:
    """Return a page of the contacts of one batch call."""
    world = world_of(request)
    batch = world.batch(batch_call_id)
    found = contact_places(batch, status)
    rows = batch_contact_views(batch, found[offset : offset + limit], world.settings)
    return JsonAnswer({"total": len(found), "contacts": rows})
