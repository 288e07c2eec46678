"""
A sandbox inside a test's process, and people to call. Needs ``truedy-sandbox[testing]``.

For a sandbox with an address of its own there are :class:`~truedy_sandbox.server.SandboxThread` and
:class:`~truedy_sandbox.process.SandboxProcess`.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import Any

import httpx

from truedy_sandbox.app import create_app
from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.settings import Settings

#: A Monday, 09:00 in New York.
MONDAY = datetime(2026, 6, 1, 13, 0, tzinfo=timezone.utc)
#: An agent that is active and has numbers.
AGENT = "agt_f9447372"


class SandboxClient:
    """
    A sandbox whose clock shows :data:`MONDAY` until it is moved, and the client to it.

    :param raise_dropped: raise ``ConnectionResetError`` where the sandbox drops a connection; default: answer 500.
    :param settings: fields of :class:`~truedy_sandbox.settings.Settings`; there is no rate limit unless stated.
    """

    def __init__(self, *, raise_dropped: bool = False, **settings: Any) -> None:
        self.settings = Settings(**{"rate_limit": 0, **settings})
        self.wall = MONDAY.timestamp()
        self.clock = VirtualClock(MONDAY, speed=0, wall=lambda: self.wall)
        self.app = create_app(self.settings, clock=self.clock)
        transport = _InProcess(httpx.ASGITransport(self.app, raise_app_exceptions=raise_dropped))
        self.client = httpx.Client(transport=transport, base_url="http://sandbox")
        self.headers = {"Authorization": f"Bearer {self.settings.api_key}"}

    def close(self) -> None:
        """Close the client."""
        self.client.close()

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """
        Send a request and return its answer.

        :param path: below the API's base address.
        :param body: sent as JSON.
        :param more: further arguments of ``httpx.Client.request``.
        """
        headers = {**self.headers, **more.pop("headers", {})}
        if body is not None:
            more["json"] = body
        return self.client.request(method, f"/api/public/v1/{path}", headers=headers, **more)

    def get(self, path: str, **params: Any) -> Any:
        """Return the body of a read that succeeds."""
        answer = self.ask("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        """Return the data that a successful POST answers."""
        answer = self.ask("POST", path, body, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()["data"]

    def refused(self, method: str, path: str, body: Any = None, status: int = 422, **more: Any) -> Any:
        """Return the error with which a request is refused."""
        answer = self.ask(method, path, body, **more)
        assert answer.status_code == status, answer.text
        return answer.json()["error"]

    def draft(self, count: int = 3, **fields: Any) -> str:
        """Create a draft with so many contacts and return its id."""
        body = {"name": "Renewals", "agent_id": AGENT, "contacts": people(count)} | fields
        batch_id: str = self.post("batch-calls", body)["id"]
        return batch_id

    def running(self, count: int = 3, **fields: Any) -> str:
        """Create a batch call, start it at once and return its id."""
        batch_id = self.draft(count, **fields)
        self.post(f"batch-calls/{batch_id}/schedule", {})
        return batch_id

    def batch(self, batch_id: str) -> Any:
        """Return a batch call."""
        return self.get(f"batch-calls/{batch_id}")["data"]

    def advance(self, seconds: float) -> None:
        """Move virtual time forward."""
        self.clock.change(to=self.clock.now() + seconds)

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Call an admin endpoint below ``/_sandbox/``."""
        answer = self.client.request(method, f"/_sandbox/{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()


class _InProcess(httpx.BaseTransport):
    """Lets a blocking client ask an app of this process."""

    def __init__(self, app: httpx.ASGITransport) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._loop.run_until_complete(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        again = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = await self._app.handle_async_request(again)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

    def close(self) -> None:
        self._loop.close()


def people(count: int, start: int = 0) -> list[dict[str, str]]:
    """Return contacts with fictional numbers, all different."""
    return [
        {"phone_number": f"+1{212 + i // 100}55501{i % 100:02d}", "first_name": f"P{i}"}
        for i in range(start, start + count)
    ]
