"""Envelopes of answers and errors, in each of the forms that clients may meet."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from truedy_sandbox.problems import Refusal
from truedy_sandbox.views import moment

if TYPE_CHECKING:
    from fastapi import Request
    from fastapi.exceptions import RequestValidationError
    from starlette.types import Scope

    from truedy_sandbox.clock import VirtualClock
    from truedy_sandbox.settings import Settings
    from truedy_sandbox.world import World


class JsonAnswer(Response):
    """JSON in plain ASCII, so that any text a request held can be shown again."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write the body."""
        return json.dumps(content, separators=(",", ":")).encode()


def world_of(request: Request) -> World:
    """Return the state behind an app, as it is now."""
    world: World = request.app.state.world
    world.catch_up()
    return world


def new_request_id() -> str:
    """Return an id for ``meta.request_id``."""
    return f"req_{uuid.uuid4().hex[:8]}"


def meta_of(scope: Scope, settings: Settings, now: float) -> dict[str, Any]:
    """Return the meta object of an answer."""
    return {"request_id": scope["state"]["request_id"], settings.meta_time: moment(now, settings)}


def answer(request: Request, data: Any, status: int = 200) -> JsonAnswer:
    """Answer one resource or the result of an action."""
    world = world_of(request)
    return JsonAnswer({"data": data, "meta": meta_of(request.scope, world.settings, world.clock.now())}, status)


def refusal_answer(refusal: Refusal, scope: Scope, settings: Settings, clock: VirtualClock) -> JsonAnswer:
    """Answer an error in the chosen shape."""
    # The moment in a 429 is real time, like its reset_at: a client waits in real time.
    now = clock.wall() if refusal.status == 429 else clock.now()
    meta = meta_of(scope, settings, now)
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message, "details": refusal.details}
    if settings.error_shape == "documented":
        body: dict[str, Any] = {"error": error, "meta": meta}
    elif settings.error_shape == "snapshot":
        body = {"error": {**error, **meta}}
    else:
        body = {"detail": {"error": error}}
    return JsonAnswer(body, refusal.status, refusal.headers)


def invalid_request_answer(error: RequestValidationError, request: Request) -> JsonAnswer:
    """Answer a request that the schema refuses: 400 if it is not JSON at all, else 422."""
    world = world_of(request)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        refusal = Refusal(400, "bad_request", "The request body is not valid JSON")
        return refusal_answer(refusal, request.scope, world.settings, world.clock)
    if world.settings.error_shape == "framework":
        return JsonAnswer({"detail": json.loads(json.dumps(error.errors(), default=str))}, 422)
    field = ".".join(str(part) for part in first["loc"][1:]) or "body"
    reason = str(first["msg"]).removeprefix("Value error, ")
    details = {"field": field, "reason": reason}
    refusal = Refusal(422, "validation_error", f"{field}: {reason}", details)
    return refusal_answer(refusal, request.scope, world.settings, world.clock)
