from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from truedy_sandbox.app import create_app
from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.settings import Settings

from airflow_truedy.api.client import AsyncTruedyClient
from airflow_truedy.hooks.truedy import TruedyAsyncHook

BASE_PATH = "/api/public/v1"
AGENT = "agt_f9447372"


class World:
    """A sandbox in this process, whose time is that of the test, and the connection of the triggers to it."""

    def __init__(self, requests_per_minute: float = 100, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.app = create_app(self.settings, clock=VirtualClock(wall=time.time))
        self.requests_per_minute = requests_per_minute
        self.key = self.settings.api_key
        self.clients: list[AsyncTruedyClient] = []
        self.admin = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://sandbox")

    def client(self) -> AsyncTruedyClient:
        made = AsyncTruedyClient(
            self.key,
            f"http://127.0.0.1{BASE_PATH}",
            transport=httpx.ASGITransport(self.app),
            requests_per_minute=self.requests_per_minute,
        )
        self.clients.append(made)
        return made

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.settings.api_key}"}
        answer = await self.admin.request(method, BASE_PATH + path, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json()["data"]

    async def batch(self, count: int = 3, start: bool = True, **fields: Any) -> str:
        """A campaign with so many contacts, calling now."""
        contacts = [{"phone_number": f"+1{212 + n // 100}55501{n % 100:02d}"} for n in range(count)]
        body = {"name": "Renewals", "agent_id": AGENT, "contacts": contacts, **fields}
        batch_id: str = (await self.ask("POST", "/batch-calls", body))["id"]
        if start:
            await self.ask("POST", f"/batch-calls/{batch_id}/schedule", {})
        return batch_id

    async def set_state(self, batch_id: str, status: str) -> None:
        answer = await self.admin.post(f"/_sandbox/batch-calls/{batch_id}/state", json={"status": status})
        assert answer.status_code < 300, answer.text

    async def fault(self, kind: str, path: str = "batch-calls", **fields: Any) -> None:
        body = {"kind": kind, "match": {"method": "GET", "path": path}, **fields}
        answer = await self.admin.post("/_sandbox/faults", json=body)
        assert answer.status_code < 300, answer.text

    def requests(self, since: int = 0) -> list[Any]:
        """The reads that the triggers sent; those of the test itself are not among them."""
        return [entry for entry in self.app.state.log.all if entry.number > since and entry.method == "GET"]


@pytest.fixture
def make_world(monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    def make(**settings: Any) -> World:
        world = World(**settings)

        async def connect(self: TruedyAsyncHook) -> AsyncTruedyClient:
            if self._client is None:
                self._client = world.client()
            return self._client

        monkeypatch.setattr(TruedyAsyncHook, "get_async_conn", connect)
        return world

    return make


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Airflow's variables, in memory and in this thread: virtual time does not wait for others."""
    kept: dict[str, str] = {}

    def at_once(function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr("asgiref.sync.sync_to_async", at_once)

    class Variable:
        @staticmethod
        def get(key: str, default: Any) -> Any:
            return kept.get(key, default)

        @staticmethod
        def set(key: str, value: str, description: str) -> None:
            kept[key] = value

    monkeypatch.setattr("airflow.sdk.Variable", Variable)
    return kept
