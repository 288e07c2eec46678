"""Lists of every paging style are read once, whole, and to an end."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import InconsistentListError, UnreadableAnswerError
from airflow_truedy.api.models import Envelope
from airflow_truedy.api.paging import Pager
from tests.support.ground import Ground

Answer = dict[str, Any]
Style = Callable[[list[Any], dict[str, int]], tuple[list[Any], Answer]]


def offset_style(rows: list[Any], query: dict[str, int], most: int = 100) -> tuple[list[Any], Answer]:
    limit, offset = min(query["limit"], most), query.get("offset", 0)
    page = rows[offset : offset + limit]
    more = offset + len(page) < len(rows)
    return page, {"total": len(rows), "limit": limit, "offset": offset, "has_more": more}


def page_style(rows: list[Any], query: dict[str, int], most: int = 100) -> tuple[list[Any], Answer]:
    limit, page = min(query["limit"], most), query.get("page", 1)
    pages = -(-len(rows) // limit)
    return rows[(page - 1) * limit : page * limit], {
        "page": page,
        "limit": limit,
        "total": len(rows),
        "pages": pages,
    }


def small_offset_pages(rows: list[Any], query: dict[str, int]) -> tuple[list[Any], Answer]:
    return offset_style(rows, query, most=7)


def small_numbered_pages(rows: list[Any], query: dict[str, int]) -> tuple[list[Any], Answer]:
    return page_style(rows, query, most=7)


def silent_offset_style(rows: list[Any], query: dict[str, int]) -> tuple[list[Any], Answer]:
    return offset_style(rows, query)[0], {}


def only_has_more(rows: list[Any], query: dict[str, int]) -> tuple[list[Any], Answer]:
    page, said = small_offset_pages(rows, query)
    return page, {"has_more": said["has_more"]}


def totals_as_text(rows: list[Any], query: dict[str, int]) -> tuple[list[Any], Answer]:
    page, said = small_offset_pages(rows, query)
    return page, {"total": str(said["total"]), "limit": None, "offset": "0"}


STYLES = [
    offset_style,
    page_style,
    small_offset_pages,
    small_numbered_pages,
    silent_offset_style,
    only_has_more,
    totals_as_text,
]


def read(
    serve: Callable[[dict[str, int]], tuple[list[Any], Answer]],
    most_requests: int = 500,
    list_request: Any = None,
) -> list[str]:
    pager = Pager(list_request or endpoints.list_contacts())
    found: list[str] = []
    for _ in range(most_requests):
        request = pager.next_request()
        if request is None:
            return found
        rows, said = serve({name: int(value) for name, value in request.query})
        found += [item.id for item in pager.take(request.parse(Envelope(rows, said)))]
    raise AssertionError("it does not end")


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
@given(count=st.integers(0, 330))
def test_every_object_is_yielded_once_whatever_the_style(style: Style, count: int) -> None:
    rows = [{"id": f"cnt_{number}"} for number in range(count)]
    assert read(lambda query: style(rows, query)) == [row["id"] for row in rows]


@given(count=st.integers(0, 330), counted=st.booleans())
def test_a_list_without_pages_is_read_where_the_api_knows_such_lists(count: int, counted: bool) -> None:
    rows = [{"id": f"folder_{number}"} for number in range(count)]
    stated = {"total": count} if counted else {}
    for list_request in (endpoints.list_folders(), endpoints.list_calls()):
        assert read(lambda _: (rows, stated), list_request=list_request) == [row["id"] for row in rows]


@given(count=st.integers(1, 100))
def test_elsewhere_a_list_that_ignores_the_offset_in_silence_is_not_believed(count: int) -> None:
    rows = [{"id": f"cnt_{number}"} for number in range(count)]
    with pytest.raises(InconsistentListError, match="ignores 'offset'"):
        read(lambda _: (rows, {}))


@given(
    st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=30),
    st.dictionaries(
        st.sampled_from(["total", "has_more", "page", "pages", "limit", "offset"]),
        st.booleans() | st.integers(-3, 10_000) | st.none() | st.text(max_size=2),
    ),
)
def test_no_server_makes_it_yield_twice_or_go_on_for_ever(pages: list[list[int]], said: Answer) -> None:
    served = iter(pages)
    last = [{"id": "cnt_last"}]

    def serve(_: dict[str, int]) -> tuple[list[Any], Answer]:
        return [{"id": f"cnt_{number}"} for number in next(served, [])] or last, said

    try:
        found = read(serve)
    except InconsistentListError:
        return
    assert len(found) == len(set(found))


@given(st.integers(1, 60), st.data())
def test_rows_that_shift_between_pages_are_not_yielded_twice(count: int, data: st.DataObject) -> None:
    rows = [{"id": f"cnt_{number}"} for number in range(count)]

    def serve(query: dict[str, int]) -> tuple[list[Any], Answer]:
        answer = small_offset_pages(rows, query)
        for number in range(data.draw(st.integers(0, 3))):
            rows.insert(0, {"id": f"cnt_new_{len(rows)}_{number}"})
        return answer

    found = read(serve)
    assert len(found) == len(set(found))
    assert found[: min(count, 7)] == [f"cnt_{number}" for number in range(min(count, 7))]


def test_a_server_that_ignores_the_page_is_asked_once_more_and_not_believed() -> None:
    asked: list[dict[str, int]] = []
    rows = [{"id": f"cnt_{number}"} for number in range(100)]

    def serve(query: dict[str, int]) -> tuple[list[Any], Answer]:
        asked.append(query)
        return rows, {"page": 1, "pages": 9}

    with pytest.raises(InconsistentListError, match="ignores 'page'"):
        read(serve)
    assert [query.get("page") for query in asked] == [None, 2]


def test_page_numbers_follow_once_the_server_speaks_of_pages() -> None:
    asked: list[dict[str, int]] = []
    rows = [{"id": f"cnt_{number}"} for number in range(250)]

    def serve(query: dict[str, int]) -> tuple[list[Any], Answer]:
        asked.append(query)
        return page_style(rows, query)

    assert len(read(serve)) == 250
    assert asked == [{"limit": 100, "offset": 0}, {"limit": 100, "page": 2}, {"limit": 100, "page": 3}]


def test_rows_without_any_id_are_all_yielded() -> None:
    pager = Pager(endpoints.list_batch_call_contacts("b"))
    request = pager.next_request()
    assert request is not None
    rows = [{"call_status": "pending"}, {"call_status": "pending"}]
    assert len(pager.take(request.parse(Envelope(rows, {"total": 4})))) == 2
    again = pager.next_request()
    assert again is not None
    assert len(pager.take(again.parse(Envelope([{"call_status": "failed"}] * 2, {"total": 4})))) == 2
    assert pager.next_request() is None


def test_a_list_that_is_none_is_unreadable(client: Any, server: Any) -> None:
    server.get("/agents").respond(200, json={"data": {"id": "agt_1"}})
    with pytest.raises(UnreadableAnswerError, match="GET /agents: 200: the answer lacks"):
        list(client.pages(endpoints.list_agents()))


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"data": [{"id": "a"}, {"id": "b"}], "meta": {"total": 3, "limit": 2, "offset": 0}}, 3),
        ({"data": [{"id": "a"}, {"id": "b"}], "meta": {"count": 3}}, 3),
        ([{"id": "a"}, {"id": "b"}], 2),
    ],
)
def test_totals_are_found_where_older_pages_put_them(client: Any, server: Any, body: Any, count: int) -> None:
    rest = {"data": [{"id": "c"}], "meta": body["meta"]} if isinstance(body, dict) else []
    server.get("/agents", params={"offset": "0"}).respond(200, json=body)
    server.get("/agents", params={"offset": "2"}).respond(200, json=rest)
    assert len(list(client.pages(endpoints.list_agents()))) == count


class Server:
    """A list that is served in one of the ways that the wild has."""

    def __init__(self, count: int, **habits: Any) -> None:
        self.rows = [{"id": f"cnt_{number}"} for number in range(count)]
        self.cap = habits.pop("cap", 100)
        self.totals = habits.pop("totals", "right")
        self.ignores_offset = habits.pop("ignores_offset", False)
        self.unstable = habits.pop("unstable", False)
        self.empty_after = habits.pop("empty_after", None)
        self.changes: Callable[[list[Any], int], None] = habits.pop("changes", lambda rows, number: None)
        assert not habits
        self.requests = 0

    def __call__(self, query: dict[str, int]) -> tuple[list[Any], Answer]:
        self.requests += 1
        rows = self.rows
        if self.unstable:
            rows = random.Random(self.requests).sample(rows, len(rows))
        size = min(query["limit"], self.cap)
        offset = query["offset"]
        start = 0 if self.ignores_offset else offset
        page = rows[start : start + size]
        total = {"right": len(rows), "page": len(page), "high": len(rows) + 7, "low": len(rows) // 2}.get(self.totals)
        stated: Answer = {
            "total": total,
            "limit": size,
            "offset": offset,
            "has_more": offset + len(page) < (total or 0),
        }
        if self.empty_after is not None and self.requests > self.empty_after:
            page, stated["has_more"] = [], True
        if self.totals == "none":
            stated = {}
        elif self.totals == "limit only":
            stated = {"limit": query["limit"], "offset": offset}
        self.changes(self.rows, self.requests)
        return page, stated


def ids(server: Server) -> set[str]:
    return {row["id"] for row in server.rows}


@pytest.mark.parametrize("count", [230, 100, 101, 50, 49, 51, 7, 5, 1, 0, 1000])
@pytest.mark.parametrize("cap", [100, 50, 20, 7, 3, 1])
@pytest.mark.parametrize("totals", ["right", "none", "limit only"])
def test_a_capped_list_is_read_whole(count: int, cap: int, totals: str) -> None:
    server = Server(count, cap=cap, totals=totals)
    assert set(read(server, most_requests=2000)) == ids(server)
    assert server.requests <= 2 + count / max(1, cap - 2 * (cap >= 5))


@pytest.mark.parametrize("count", [230, 120, 101, 1000])
@pytest.mark.parametrize("cap", [100, 50, 20, 7])
@pytest.mark.parametrize(
    "habits",
    [
        {"totals": "page"},
        {"totals": "high"},
        {"totals": "low"},
        {"ignores_offset": True},
        {"ignores_offset": True, "totals": "none"},
        {"ignores_offset": True, "totals": "page"},
        {"unstable": True},
        {"unstable": True, "totals": "high"},
        {"empty_after": 0},
        {"empty_after": 1},
    ],
    ids=str,
)
def test_a_list_that_contradicts_itself_is_an_error(count: int, cap: int, habits: dict[str, Any]) -> None:
    server = Server(count, cap=cap, **habits)
    with pytest.raises(InconsistentListError, match="GET /contacts: the list contradicts itself") as raised:
        read(server)
    assert raised.value.retryable


@pytest.mark.parametrize("totals", ["right", "none"])
def test_one_row_that_is_deleted_while_the_list_is_read_loses_no_other(totals: str) -> None:
    for place in (0, 50, 97, 98, 99):
        server = Server(230, totals=totals, changes=lambda rows, number, at=place: number == 1 and rows.pop(at))
        assert ids(server) <= set(read(server))


@pytest.mark.parametrize("totals", ["right", "none"])
def test_more_rows_that_are_deleted_in_between_are_noticed(totals: str) -> None:
    def delete(rows: list[Any], number: int) -> None:
        if number == 1:
            del rows[10:30]

    with pytest.raises(InconsistentListError, match="rows moved between two pages"):
        read(Server(230, totals=totals, changes=delete))


def test_a_row_that_is_added_at_the_end_is_read_too() -> None:
    def add(rows: list[Any], number: int) -> None:
        if number == 1:
            rows.append({"id": "cnt_added"})

    server = Server(100, changes=add)
    assert len(read(server)) == 101


@pytest.mark.parametrize("count", [1, 3, 6, 7, 99, 101, 230])
def test_a_well_behaved_list_costs_no_request_more(count: int) -> None:
    server = Server(count)
    read(server)
    assert server.requests == -(-max(1, count - 2) // 98)


def test_pages_can_be_read_one_at_a_time(client: Any, server: Any) -> None:
    contacts = Server(230)

    def answer(request: httpx.Request) -> httpx.Response:
        rows, stated = contacts({name: int(value) for name, value in request.url.params.items()})
        return httpx.Response(200, json={"data": rows, "pagination": stated})

    server.get("/contacts").mock(side_effect=answer)
    pages = client.iter_pages(endpoints.list_contacts())
    first = next(pages)
    assert (len(first.items), first.total, contacts.requests) == (100, 230, 1)
    pages.close()
    assert contacts.requests == 1


async def test_the_async_client_reads_pages_alike(async_client: Any, server: Any) -> None:
    contacts = Server(230, totals="page")

    def answer(request: httpx.Request) -> httpx.Response:
        rows, stated = contacts({name: int(value) for name, value in request.url.params.items()})
        return httpx.Response(200, json={"data": rows, "pagination": stated})

    server.get("/contacts").mock(side_effect=answer)
    pages = async_client.iter_pages(endpoints.list_contacts())
    assert len((await anext(pages)).items) == 100
    with pytest.raises(InconsistentListError):
        await anext(pages)


MISBEHAVIOUR: list[dict[str, Any]] = [
    {"page_cap": 50, "totals": "missing"},
    {"page_cap": 50},
    {"list_order": "oldest"},
    {"ignore_offset": True},
    {"ignore_offset": True, "totals": "missing"},
    {"totals": "page"},
    {"totals": "page", "page_cap": 7},
    {"totals": "wrong"},
    {"list_order": "unstable"},
]


@pytest.mark.parametrize("settings", MISBEHAVIOUR, ids=str)
@pytest.mark.parametrize("contacts_paging", ["offset", "page"])
def test_the_sandboxs_lists_are_read_whole_or_not_at_all(settings: dict[str, Any], contacts_paging: str) -> None:
    rows = "".join(f"+1202555{number:04}\r\n" for number in range(230))
    harmless = settings in MISBEHAVIOUR[:3]
    with Ground(contacts_paging=contacts_paging, **settings) as ground:
        ground.client.send(endpoints.import_contacts(f"phone\r\n{rows}".encode()))
        try:
            found = list(ground.client.pages(endpoints.list_contacts()))
        except InconsistentListError:
            assert not (harmless and contacts_paging == "offset")
            return
    assert len({contact.phone for contact in found}) == 230
    assert harmless or contacts_paging == "page"
