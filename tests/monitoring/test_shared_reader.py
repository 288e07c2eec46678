from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from airflow_truedy.api.errors import (
    InconsistentListError,
    InvalidRequestError,
    NotFoundError,
    ServerError,
    UnreachableError,
)
from airflow_truedy.api.paging import Pager
from airflow_truedy.api.request import Page
from airflow_truedy.monitoring.shared_reader import BatchReader
from tests.monitoring.watched import batch


class Server:
    """Answers lists and single reads from a table id -> status; counts the requests."""

    def __init__(self, states: dict[str, str], *, hides: str = "", refuses: str = "", breaks: Any = None) -> None:
        self.states = states
        self.hides = hides
        self.refuses = refuses
        self.breaks = breaks or {}
        self.sent: Counter[str] = Counter()

    async def send(self, call: Any) -> Any:
        if call.path != "/batch-calls":
            return self._one(call.path.rsplit("/", 1)[1])
        query = dict(call.query)
        wanted = query.get("status")
        self.sent[f"list {wanted or 'all'}"] += 1
        if wanted is not None and wanted == self.refuses:
            raise InvalidRequestError("status is not one of ...")
        if "list" in self.breaks:
            raise self.breaks["list"]
        shown = [id_ for id_, state in self.states.items() if wanted in (None, state) and wanted != (self.hides or "-")]
        begin, limit = int(query["offset"]), int(query["limit"])
        items = [batch(self.states[id_], id=id_) for id_ in shown[begin : begin + limit]]
        return Page(items, {"total": len(shown), "offset": begin, "has_more": begin + limit < len(shown)})

    async def iter_pages(self, list_request: Any) -> Any:
        pager: Pager[Any] = Pager(list_request)
        while (request := pager.next_request()) is not None:
            page = await self.send(request)
            yield Page(pager.take(page), page.pagination)

    def _one(self, batch_id: str) -> Any:
        self.sent["one"] += 1
        if batch_id in self.breaks:
            raise self.breaks[batch_id]
        if batch_id not in self.states:
            raise NotFoundError("no such batch call")
        return batch(self.states[batch_id], id=batch_id)


def ids(prefix: str, count: int) -> list[str]:
    return [f"{prefix}_{n}" for n in range(count)]


async def read(reader: BatchReader, wanted: dict[str, str]) -> dict[str, Any]:
    return {batch_id: reading async for batch_id, reading in reader.read(wanted)}


async def rounds(server: Server, wanted: list[str], status: str = "active", times: int = 3) -> Counter[str]:
    """Read so often that the lengths are known; return what the last round sent."""
    reader = BatchReader(server)  # type: ignore[arg-type]
    for _ in range(times):
        server.sent.clear()
        readings = await read(reader, dict.fromkeys(wanted, status))
        assert set(wanted) <= set(readings)
    return server.sent


async def test_one_is_read_by_its_id() -> None:
    assert await rounds(Server(dict.fromkeys(ids("a", 50), "active")), ["a_3"]) == {"one": 1}


async def test_a_small_organisation_is_read_in_one_request() -> None:
    server = Server(dict.fromkeys(ids("a", 40), "active") | dict.fromkeys(ids("old", 50), "completed"))
    assert await rounds(server, ids("a", 40)) == {"list all": 1}


async def test_a_long_history_is_left_out_by_the_filter() -> None:
    server = Server(dict.fromkeys(ids("old", 4000), "completed") | dict.fromkeys(ids("a", 250), "active"))
    assert await rounds(server, ids("a", 250)) == {"list active": 3}


async def test_a_few_among_many_active_ones_are_read_by_their_ids() -> None:
    server = Server(dict.fromkeys(ids("other", 900), "active") | dict.fromkeys(ids("a", 3), "active"))
    assert await rounds(server, ids("a", 3)) == {"one": 3}


async def test_those_who_left_their_state_are_found_all_the_same() -> None:
    server = Server(dict.fromkeys(ids("old", 4000), "completed") | dict.fromkeys(ids("a", 100), "active"))
    reader = BatchReader(server)  # type: ignore[arg-type]
    wanted = dict.fromkeys(ids("a", 100), "active")
    for _ in range(2):
        await read(reader, wanted)
    server.states.update({"a_1": "completed", "a_2": "failed"})
    server.sent.clear()
    readings = await read(reader, wanted)
    assert (readings["a_1"].status, readings["a_2"].status) == ("completed", "failed")
    assert server.sent == {"list active": 1, "one": 2}


async def test_one_that_is_in_no_list_is_read_by_its_id_before_it_counts_as_gone() -> None:
    server = Server(dict.fromkeys(ids("a", 30), "active"))
    reader = BatchReader(server)  # type: ignore[arg-type]
    readings = await read(reader, dict.fromkeys([*ids("a", 30), "gone"], "active"))
    assert isinstance(readings["gone"], NotFoundError)
    assert server.sent["one"] == 1


@pytest.mark.parametrize("odd", [{"hides": "active"}, {"refuses": "active"}])
async def test_a_filter_that_the_server_does_not_know_is_not_used_for_ever(odd: dict[str, str]) -> None:
    server = Server(dict.fromkeys(ids("old", 4000), "completed") | dict.fromkeys(ids("a", 100), "active"), **odd)
    sent = await rounds(server, ids("a", 100))
    assert "list active" not in sent
    assert sum(sent.values()) <= 100


async def test_a_list_that_is_broken_keeps_nobody_from_being_read_by_id() -> None:
    server = Server(dict.fromkeys(ids("a", 5), "active"), breaks={"list": ServerError("x"), "a_1": ServerError("y")})
    readings = await read(BatchReader(server), dict.fromkeys(ids("a", 5), "active"))  # type: ignore[arg-type]
    assert isinstance(readings["a_1"], ServerError)
    assert readings["a_4"].status == "active"


async def test_a_lost_connection_ends_the_round_at_once() -> None:
    server = Server({}, breaks={"list": UnreachableError("no route")})
    with pytest.raises(UnreachableError):
        await read(BatchReader(server), dict.fromkeys(ids("a", 50), "active"))  # type: ignore[arg-type]
    assert sum(server.sent.values()) == 1


async def test_a_server_that_is_down_is_not_asked_for_each_one() -> None:
    broken = dict.fromkeys(["list", *ids("a", 50)], ServerError("down"))
    server = Server({}, breaks=broken)
    with pytest.raises(ServerError):
        await read(BatchReader(server), dict.fromkeys(ids("a", 50), "active"))  # type: ignore[arg-type]
    assert server.sent["one"] == 3


@pytest.mark.parametrize("times", [1, 2])
async def test_a_list_that_moves_while_it_is_read_is_read_again_and_ends_no_round(times: int) -> None:
    states = dict.fromkeys(ids("batch", 250), "active")
    server, left = Server(states), [times]
    send = server.send

    async def moving(call: Any) -> Any:
        page = await send(call)
        if call.path == "/batch-calls" and dict(call.query)["offset"] != "0" and left[0]:
            left[0] -= 1
            raise InconsistentListError("rows moved while the list was read")
        return page

    server.send = moving  # type: ignore[method-assign]
    found = await read(BatchReader(server), dict.fromkeys(states, "active"))  # type: ignore[arg-type]
    assert set(found) == set(states)
    assert server.sent["one"] == (0 if times == 1 else 150)
