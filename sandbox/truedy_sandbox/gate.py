"""What every API request passes before and after its endpoint: journal, faults, key, quota."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import math
import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from truedy_sandbox.answers import new_request_id, refusal_answer
from truedy_sandbox.clock import iso
from truedy_sandbox.problems import REFUSALS, Refusal
from truedy_sandbox.request_log import LoggedRequest, RequestLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from truedy_sandbox.connections import Connections
    from truedy_sandbox.faults import Fault, Faults
    from truedy_sandbox.rate_limit import RateLimit
    from truedy_sandbox.world import World

API = "/api/public/v1"
_HTML_502 = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1>nginx</body></html>"
_BEFORE = ("drop", "error_500", "rate_limited", "html_502", "status")


class Gate:
    """ASGI middleware around the whole app; pages and admin endpoints go through untouched."""

    def __init__(
        self,
        app: ASGIApp,
        world: World,
        faults: Faults,
        quota: RateLimit,
        log: RequestLog,
        connections: Connections,
    ) -> None:
        self._app = app
        self._world = world
        self._faults = faults
        self._quota = quota
        self._log = log
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["request_id"] = new_request_id()
        if not scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        await _Passage(scope, receive, send).run(self)

    def open_to(self, headers: dict[bytes, bytes], path: str) -> Refusal | None:
        """Return why a request may not go in: its key, then the quota."""
        if path == f"{API}/openapi.json":
            return None
        kind, _, key = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer" or not secrets.compare_digest(key.strip(), self._world.settings.api_key.encode()):
            return Refusal(401, *REFUSALS[401])
        return None if self._quota.take() else self.over_quota(self._quota.resets_at())

    def over_quota(self, resets_at: float) -> Refusal:
        """Return the 429 refusal."""
        details = {"limit": self._quota.limit, "reset_at": iso(resets_at, micro=True)}
        refusal = Refusal(429, "rate_limit_exceeded", "Rate limit exceeded. Please try again later.", details)
        if self._world.settings.retry_after_header:
            refusal.headers["Retry-After"] = str(max(1, math.ceil(resets_at - self._world.clock.wall())))
        return refusal

    def refuse(self, refusal: Refusal, scope: Scope) -> Response:
        """Return the answer to a refused request."""
        return refusal_answer(refusal, scope, self._world.settings, self._world.clock)

    def strike(self, scope: Scope) -> Fault | None:
        """Return the fault that strikes a request."""
        return self._faults.strike(scope["method"], scope["path"])

    def instead(self, fault: Fault, scope: Scope) -> Response:
        """Return what a struck request is answered instead."""
        if fault.asked.kind == "html_502":
            return Response(_HTML_502, 502, media_type="text/html")
        if fault.asked.kind == "rate_limited":
            return self.refuse(self.over_quota(self._world.clock.wall() + fault.asked.seconds), scope)
        status = fault.asked.status or 500
        return self.refuse(Refusal(status, *REFUSALS[status]), scope)

    def note(self, passage: _Passage, fault: Fault | None, number: int) -> None:
        """Write the request into the journal."""
        scope = passage.scope
        key = passage.headers.get(b"x-idempotency-key")
        self._log.add(
            LoggedRequest(
                number=number,
                at=self._world.clock.wall(),
                method=scope["method"],
                path=scope["path"],
                status=passage.status,
                request_id=scope["state"]["request_id"],
                idempotency_key=key.decode("latin-1") if key else None,
                body_digest=passage.body_digest(),
                contacts=scope["state"].get("contacts", 0),
                fault=fault.asked.kind if fault else None,
                replayed=scope["state"].get("replayed", False),
            )
        )

    async def inner(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the endpoint answer."""
        await self._app(scope, receive, send)

    def hang_up(self, scope: Scope) -> bool:
        """Break a request's connection; return whether there was one."""
        return self._connections.drop(scope.get("client"))

    def next_number(self) -> int:
        """Return the number of the next request."""
        return self._log.next_number()


class _Passage:
    """One request on its way."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.status: int | None = None
        self._receive = receive
        self._send = send
        self._digest = hashlib.sha256()
        self._body_length = 0
        self._muted = False
        self._delay = 0.0
        self._note: Callable[[], None]

    async def run(self, gate: Gate) -> None:
        number = self.scope["state"]["number"] = gate.next_number()
        fault = gate.strike(self.scope)
        self._note = functools.cache(functools.partial(gate.note, self, fault, number))
        kind = fault.asked.kind if fault else None
        self._muted = kind in ("lost_answer", "error_500_after")
        self._delay = fault.asked.seconds if fault and kind == "slow" else 0.0
        if fault and kind == "late":
            self.scope["state"]["delay"] = fault.asked.seconds
        self.scope["state"]["empty_page"] = kind == "empty_page"
        try:
            if fault and kind in _BEFORE:
                if kind != "drop":
                    await gate.instead(fault, self.scope)(self.scope, self._read, self._answer)
            else:
                await self._work(gate)
            if fault and kind == "error_500_after":
                self._muted = False
                await gate.instead(fault, self.scope)(self.scope, self._read, self._answer)
        finally:
            self._note()
        if kind in ("drop", "lost_answer") or self._lost():
            await self._hang_up(gate)

    async def _work(self, gate: Gate) -> None:
        refusal = gate.open_to(self.headers, self.scope["path"])
        if refusal:
            await gate.refuse(refusal, self.scope)(self.scope, self._read, self._answer)
        else:
            await gate.inner(self.scope, self._read, self._answer)

    async def _read(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            body: bytes = message.get("body", b"")
            self._digest.update(body)
            self._body_length += len(body)
        return message

    async def _answer(self, message: Message) -> None:
        if self._muted or self._lost():
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers: list[Any] = list(message.get("headers", ()))
            # The header's id is another one than the body's, as on the real service.
            headers.append((b"x-request-id", secrets.token_hex(16).encode()))
            message = {**message, "headers": headers}
            if self._delay:
                await asyncio.sleep(self._delay)
        elif not message.get("more_body"):
            # Before the client has it: what it asks next finds this request in the journal.
            self._note()
        await self._send(message)

    def _lost(self) -> bool:
        """Return whether the endpoint decided that its answer gets lost."""
        return bool(self.scope["state"].get("lost"))

    async def _hang_up(self, gate: Gate) -> None:
        """Drop the connection without an answer; in process, where there is none, raise what a client sees."""
        if not gate.hang_up(self.scope):
            raise ConnectionResetError("the sandbox dropped the connection")
        # The server counts the request as over once it has seen the disconnect.
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def body_digest(self) -> str | None:
        return self._digest.hexdigest()[:16] if self._body_length else None
