"""Fakes of the API layer's tests: a clock that only sleeping moves, and the answers of a scripted server."""

from __future__ import annotations

import ssl
from typing import Any

KEY = "truedy_k3yk3yk3yk3yk3yk3yk3yk3yk3yk3yk3y"
BASE = "https://truedy.test/api/public/v1"
NUMBER = "+15555550123"
# Made once: it reads all the machine's certificates, which takes longer than a test may.
CERTIFICATES = ssl.create_default_context()


class FakeTime:
    """Wall clock and sleep in one; ``slept`` holds every wait."""

    def __init__(self, now: float = 1_772_000_010.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)


def batch(status: str = "draft", **fields: Any) -> dict[str, Any]:
    """A batch call as the server answers it, envelope and all."""
    data = {"id": "batch_0a1b2c3d", "name": "Renewals", "status": status, "agent_id": "agt_1", **fields}
    return {"data": data, "meta": {"request_id": "req_32e7531c", "ts": "2026-04-05T10:22:00Z"}}
