"""Lists of every paging style are read once, whole, and to an end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import UnreadableAnswerError
from airflow_truedy.api.models.answer import Envelope
from airflow_truedy.api.paging import Pager

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


def everything_at_once(rows: list[Any], query: dict[str, int]) -> tuple[list[Any], Answer]:
    return rows, {}


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
    everything_at_once,
    totals_as_text,
]


def read(serve: Callable[[dict[str, int]], tuple[list[Any], Answer]], most_requests: int = 500) -> list[str]:
    pager = Pager(endpoints.list_contacts())
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

    found = read(serve)
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


def test_a_server_that_ignores_the_page_is_asked_once_more_and_no_more() -> None:
    asked: list[dict[str, int]] = []
    rows = [{"id": f"cnt_{number}"} for number in range(100)]

    def serve(query: dict[str, int]) -> tuple[list[Any], Answer]:
        asked.append(query)
        return rows, {"page": 1, "pages": 9}

    assert len(read(serve)) == 100
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
