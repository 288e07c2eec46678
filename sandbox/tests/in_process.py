"""A sandbox inside the test process, and people to call."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from fastapi.testclient import TestClient
from truedy_sandbox.app import create_app
from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.settings import Settings

MONDAY = datetime(2026, 6, 1, 13, 0, tzinfo=timezone.utc)
AGENT = "agt_f9447372"


class Api:
    """A sandbox in this process whose clock stands still until it is moved."""

    def __init__(self, **options: Any) -> None:
        self.settings = Settings(**{"rate_limit": 0, **options})
        self.wall = MONDAY.timestamp()
        self.clock = VirtualClock(MONDAY, speed=0, wall=lambda: self.wall)
        self.app = create_app(self.settings, clock=self.clock)
        self.client = TestClient(self.app, raise_server_exceptions=False)
        self.headers = {"Authorization": f"Bearer {self.settings.api_key}"}

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        headers = {**self.headers, **more.pop("headers", {})}
        if body is not None:
            more["json"] = body
        return self.client.request(method, f"/api/public/v1/{path}", headers=headers, **more)

    def get(self, path: str, **params: Any) -> Any:
        answer = self.ask("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        answer = self.ask("POST", path, body, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()["data"]

    def refused(self, method: str, path: str, body: Any = None, status: int = 422, **more: Any) -> Any:
        answer = self.ask(method, path, body, **more)
        assert answer.status_code == status, answer.text
        return answer.json()["error"]

    def draft(self, count: int = 3, **fields: Any) -> str:
        body = {"name": "Renewals", "agent_id": AGENT, "contacts": people(count)} | fields
        batch_id: str = self.post("batch-calls", body)["id"]
        return batch_id

    def running(self, count: int = 3, **fields: Any) -> str:
        batch_id = self.draft(count, **fields)
        self.post(f"batch-calls/{batch_id}/schedule", {})
        return batch_id

    def batch(self, batch_id: str) -> Any:
        return self.get(f"batch-calls/{batch_id}")["data"]

    def advance(self, seconds: float) -> None:
        self.clock.change(to=self.clock.now() + seconds)

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, f"/_sandbox/{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()


def people(count: int, start: int = 0) -> list[dict[str, str]]:
    """Contacts with fictional numbers, all different."""
    return [
        {"phone_number": f"+1{212 + i // 100}55501{i % 100:02d}", "first_name": f"P{i}"}
        for i in range(start, start + count)
    ]
