"""The sandbox as an ASGI app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from truedy_sandbox.answers import invalid_request_answer, refusal_answer
from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.connections import Connections
from truedy_sandbox.faults import Faults
from truedy_sandbox.gate import API, Gate
from truedy_sandbox.openapi import describe, operation_name
from truedy_sandbox.problems import REFUSALS, Refusal
from truedy_sandbox.rate_limit import RateLimit
from truedy_sandbox.request_log import RequestLog
from truedy_sandbox.routes import admin, agents, batch_calls, calls, contacts, page
from truedy_sandbox.settings import Settings
from truedy_sandbox.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.responses import Response

_CODES = {404: "not_found", 405: "method_not_allowed", 400: "bad_request", 413: "payload_too_large"}


def create_app(
    settings: Settings | None = None, *, clock: VirtualClock | None = None, state_file: Path | None = None
) -> FastAPI:
    """
    Build a sandbox.

    :param settings: how it behaves; default: as documented.
    :param clock: virtual time; default: made from the settings.
    :param state_file: keep the state in this file; default: in memory only.
    :raises ValueError: if the state file was made under other settings.
    """
    settings = settings or Settings()
    clock = clock or VirtualClock(settings.start, settings.speed)
    app = FastAPI(
        title="Truedy sandbox",
        version="1.0.0",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_name,
    )
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    app.state.world = World(settings, clock, state_file)
    app.state.faults = Faults()
    app.state.log = RequestLog()
    app.state.quota = RateLimit(settings.rate_limit, settings.rate_window, clock.wall)
    app.state.connections = Connections()
    for group in (batch_calls, contacts, calls, agents):
        app.include_router(group.router, prefix=API)
    app.include_router(admin.router, include_in_schema=False)
    app.include_router(page.router, include_in_schema=False)
    _answer_errors(app)
    parts = ("world", "faults", "quota", "log", "connections")
    app.add_middleware(Gate, **{name: getattr(app.state, name) for name in parts})
    return app


def _answer_errors(app: FastAPI) -> None:
    def render(refusal: Refusal, request: Request) -> Response:
        world: World = request.app.state.world
        return refusal_answer(refusal, request.scope, world.settings, world.clock)

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Response:
        return render(refusal, request)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return invalid_request_answer(error, request)

    @app.exception_handler(HTTPException)
    async def by_framework(request: Request, error: HTTPException) -> Response:
        code = _CODES.get(error.status_code, "error")
        return render(Refusal(error.status_code, code, str(error.detail)), request)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        return render(Refusal(500, *REFUSALS[500]), request)
