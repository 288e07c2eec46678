"""The requests of a launch as the ground writes them down, and small answers that tests give instead of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx

from tests.support.ground import Ground, Send
from tests.support.plans import people

LOOK = "GET /batch-calls"
READ = "GET /batch-calls/{id}"
AGENT_READ = "GET /agents/agt_f9447372"
CREATE = "POST /batch-calls"
ADD = "POST /batch-calls/{id}/contacts"
CONTACTS = "GET /batch-calls/{id}/contacts"
SCHEDULE = "POST /batch-calls/{id}/schedule"
PAUSE = "POST /batch-calls/{id}/pause"
RESUME = "POST /batch-calls/{id}/resume"
RENAME = "PATCH /batch-calls/{id}"
DELETE = "POST /batch-calls/bulk-delete"
MakeGround = Callable[..., Ground]
NOW: dict[str, Any] = {"scheduled_at": None, "schedule_type": "immediate"}
A_WEEK = timedelta(days=7).total_seconds()


def numbers(count: int) -> list[str]:
    """The numbers of so many people."""
    return [person["phone_number"] for person in people(count)]


def dies_behind(_: httpx.Request, send: Send) -> httpx.Response:
    """Kill the worker after the server did the work."""
    send()
    raise KeyboardInterrupt


def empty_list() -> httpx.Response:
    """A list in which nothing is."""
    return httpx.Response(200, json={"data": [], "pagination": {"total": 0, "has_more": False}})
