"""A Truedy that holds as many batch calls as a test wants, and counts what it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from airflow_truedy.hooks.settings import ClientSettings

BASE_URL = "http://127.0.0.1:9/api/public/v1"


class Truedy:
    """
    Answers ``GET /batch-calls`` and ``GET /batch-calls/{id}`` from a list.

    :param batches: newest first.
    """

    def __init__(self) -> None:
        self.batches: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.status = 200

    def hold(self, count: int, **fields: Any) -> None:
        """Hold so many batch calls."""
        self.batches = [batch(number, **fields) for number in range(count)]

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer like the API, counting the request."""
        self.asked.append(request.url.raw_path.decode().removeprefix("/api/public/v1"))
        if self.status != 200:
            return httpx.Response(self.status, json={"error": {"code": "internal_error", "message": "down"}})
        named = request.url.path.rpartition("/batch-calls")[2].strip("/")
        if named == "odd":
            return httpx.Response(422, json={"error": {"code": "validation_error", "message": "not an id"}})
        if named:
            found = [one for one in self.batches if one["id"] == named]
            return httpx.Response(200, json={"data": found[0]}) if found else httpx.Response(404, json={})
        query = request.url.params
        listed = [one for one in self.batches if query.get("status") in (None, one["status"])]
        begin, limit = int(query.get("offset", 0)), int(query["limit"])
        rows = listed[begin : begin + limit]
        more = {"total": len(listed), "limit": limit, "offset": begin, "has_more": begin + limit < len(listed)}
        return httpx.Response(200, json={"data": rows, "pagination": more})


def batch(number: int = 0, **fields: Any) -> dict[str, Any]:
    """Return a batch call as the API answers it."""
    return {
        "id": f"batch_{number:05}",
        "name": f"Wave {number}",
        "status": "completed",
        "timezone": "America/New_York",
        "total_contacts": 100,
        "called": 40,
        "completed": 30,
        "failed": 10,
        "pending": 60,
        "created_at": f"2026-06-01T{23 - number // 3600 % 24:02}:{59 - number // 60 % 60:02}:{59 - number % 60:02}Z",
        "updated_at": "2026-06-02T12:00:00Z",
        **fields,
    }


@pytest.fixture(autouse=True)
def budget_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has requests of its own: their moments are in the folder for temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def truedy() -> Iterator[Truedy]:
    server = Truedy()
    with respx.mock(assert_all_called=False) as router:
        router.get(url__startswith=BASE_URL).mock(side_effect=lambda request: server.answer(request))
        yield server


async def settings_of(conn_id: str) -> ClientSettings:
    """Return the settings of a connection to it."""
    return ClientSettings("truedy_key", BASE_URL, "test", name=conn_id)
