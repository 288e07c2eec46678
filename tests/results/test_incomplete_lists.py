"""A list of contacts that contradicts itself: all of them are read, or the results tell that they are not."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from airflow_truedy.api import endpoints
from airflow_truedy.results.columns import COLUMNS, IncompleteResultsError
from airflow_truedy.results.fetch import Reading, ResultsReader
from airflow_truedy.results.staging import Staging
from tests.support.ground import Ground, Send
from tests.support.plans import plan_of

PEOPLE = 230
CONTACTS = "/batch-calls/.*/contacts"
Pages = Callable[[list[dict[str, Any]], int, int], tuple[list[dict[str, Any]], dict[str, Any]]]


@pytest.fixture
def ground(make_ground: Callable[..., Ground]) -> Ground:
    made = make_ground()
    made.run(plan_of(PEOPLE))
    made.advance(7 * 86_400.0)
    return made


def list_as(ground: Ground, pages: Pages) -> None:
    """Let the list of contacts be answered by a function of all rows, limit and offset."""
    listed = ground.client.pages(endpoints.list_batch_call_contacts(ground.only.id))
    rows = [row.model_dump(mode="json") for row in listed]
    assert len(rows) == PEOPLE

    def rule(request: httpx.Request, _: Send) -> httpx.Response:
        limit, offset = (int(request.url.params.get(name, 0)) for name in ("limit", "offset"))
        data, pagination = pages(rows, limit, offset)
        return httpx.Response(200, json={"data": data, "meta": {}, "pagination": pagination})

    ground.alter("GET", CONTACTS, rule)


class Read:
    def __init__(self, ground: Ground, **reading: Any) -> None:
        self.pauses: list[float] = []
        with Staging() as staging:
            self.reader = ResultsReader(
                ground.client, Reading(details=False, **reading), sleep=self.pauses.append, now=ground.now
            )
            self.reader.read(ground.only.id, staging)
            self.rows = [dict(zip(COLUMNS[1:], row, strict=True)) for row in staging.rows()]
        self.numbers = sorted(row["phone_number"] for row in self.rows)


def said(limit: int, offset: int, **more: Any) -> dict[str, Any]:
    return {"limit": limit, "offset": offset, "total": PEOPLE, "has_more": offset + limit < PEOPLE, **more}


def test_an_order_that_changes_from_page_to_page_loses_nobody(ground: Ground) -> None:
    shuffled = random.Random(7)

    def unstable(rows: list[dict[str, Any]], limit: int, offset: int) -> Any:
        again = shuffled.sample(rows, len(rows))
        return again[offset : offset + limit], said(limit, offset)

    list_as(ground, unstable)
    read = Read(ground)
    assert read.numbers == sorted(ground.numbers())
    assert read.pauses
    assert (read.reader.missing, read.reader.is_complete) == (0, True)


def test_one_empty_page_is_not_the_end(ground: Ground) -> None:
    empty = iter([True])

    def gap(rows: list[dict[str, Any]], limit: int, offset: int) -> Any:
        page = [] if offset and next(empty, False) else rows[offset : offset + limit]
        return page, said(limit, offset, has_more=True) if not page else said(limit, offset)

    list_as(ground, gap)
    assert Read(ground).numbers == sorted(ground.numbers())


def ignoring_offset(rows: list[dict[str, Any]], limit: int, offset: int) -> Any:
    return rows[:limit], said(limit, 0)


def capped_without_totals(rows: list[dict[str, Any]], limit: int, offset: int) -> Any:
    return rows[offset : offset + min(limit, 50)], {}


def capped_and_wrong(rows: list[dict[str, Any]], limit: int, offset: int) -> Any:
    return rows[offset : offset + 50], {"limit": 50, "offset": offset, "total": 50, "has_more": False}


def test_a_list_with_short_pages_and_no_totals_is_read_to_its_end(ground: Ground) -> None:
    list_as(ground, capped_without_totals)
    assert Read(ground).numbers == sorted(ground.numbers())


@pytest.mark.parametrize("pages", [ignoring_offset, capped_and_wrong])
def test_a_list_that_stays_short_is_an_error_and_not_the_results(ground: Ground, pages: Pages) -> None:
    list_as(ground, pages)
    with pytest.raises(IncompleteResultsError, match=rf"of {PEOPLE} contacts.*on_incomplete") as caught:
        Read(ground)
    assert caught.value.retryable


def test_what_there_is_can_be_taken_and_is_told_to_be_incomplete(
    ground: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    list_as(ground, ignoring_offset)
    read = Read(ground, may_be_incomplete=True)
    assert (len(read.rows), read.reader.missing, read.reader.is_complete) == (100, 130, False)
    assert "incomplete" in caplog.text
    assert read.pauses == [5.0, 10.0, 20.0]


def test_a_contact_that_is_listed_late_is_waited_for(ground: Ground) -> None:
    looks = iter([True] * 3)

    def late(rows: list[dict[str, Any]], limit: int, offset: int) -> Any:
        shown = rows[:-1] if next(looks, False) else rows
        return shown[offset : offset + limit], said(limit, offset, total=len(shown))

    list_as(ground, late)
    assert Read(ground).numbers == sorted(ground.numbers())


def test_people_under_one_contact_id_are_rows_of_their_own_the_same_ones_each_time(ground: Ground) -> None:
    def shared(rows: list[dict[str, Any]], limit: int, offset: int) -> Any:
        page = [{**row, "contact_id": "ctc_1"} if n < 3 else row for n, row in enumerate(rows)]
        return page[offset : offset + limit], said(limit, offset)

    list_as(ground, shared)
    first, second = Read(ground), Read(ground)
    ids = {row["contact_id"] for row in first.rows}
    assert (len(first.rows), len(ids)) == (PEOPLE, PEOPLE)
    assert first.rows == second.rows
