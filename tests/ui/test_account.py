"""One reading for all viewers: how many requests it costs, what it shows, and what happens when the server is down."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import time_machine

from airflow_truedy.campaigns.status import State
from airflow_truedy.ui.account import Account, Accounts
from airflow_truedy.ui.budget import Budget
from tests.ui.conftest import Truedy, settings_of


@pytest.fixture
def account(truedy: Truedy) -> Account:
    return Account(lambda: settings_of("truedy_default"), lambda _: Budget("account"))


async def look_again(account: Account, traveller: time_machine.Traveller, seconds: float = 70) -> None:
    traveller.shift(seconds)
    await account.reading()


async def test_a_hundred_viewers_cost_one_reading(account: Account, truedy: Truedy) -> None:
    truedy.hold(500)
    readings = await asyncio.gather(*(account.reading() for _ in range(100)))
    assert {len(reading.campaigns) for reading in readings} == {500}
    assert len(truedy.asked) == 6
    assert not readings[0].is_partial
    for _ in range(50):
        await account.reading()
    assert len(truedy.asked) == 6


async def test_a_new_look_waits_until_the_budget_is_free(account: Account, truedy: Truedy) -> None:
    truedy.hold(500)
    with time_machine.travel("2026-06-01T12:00:00Z") as traveller:
        await account.reading()
        await look_again(account, traveller, 59)
        assert len(truedy.asked) == 6


async def test_a_small_account_is_read_anew_after_some_seconds(account: Account, truedy: Truedy) -> None:
    truedy.hold(3, status="active")
    with time_machine.travel("2026-06-01T12:00:00Z") as traveller:
        first = await account.reading()
        truedy.batches[0] |= {"status": "paused"}
        await look_again(account, traveller, 5)
        assert len(truedy.asked) == 1
        await look_again(account, traveller, 8)
        again = await account.reading()
    assert len(truedy.asked) == 2
    assert first.campaigns["batch_00000"].state is State.ACTIVE
    assert again.campaigns["batch_00000"].state is State.PAUSED
    assert again.read_at == pytest.approx((first.read_at or 0) + 13, abs=1)


async def test_a_large_account_shows_the_live_and_the_newest(account: Account, truedy: Truedy) -> None:
    truedy.hold(6_000)
    truedy.batches[5_000] |= {"status": "active"}
    truedy.batches[5_500] |= {"status": "scheduled"}
    reading = await account.reading()
    assert {"batch_00000", "batch_00099", "batch_05000", "batch_05500"} <= reading.campaigns.keys()
    assert reading.unlisted == 6_000 - 102
    assert len(truedy.asked) == 4


async def test_a_list_that_begins_with_the_oldest_is_read_from_its_end_too(account: Account, truedy: Truedy) -> None:
    truedy.hold(1_000)
    truedy.batches.reverse()
    reading = await account.reading()
    assert {"batch_00000", "batch_00099"} <= reading.campaigns.keys()


async def test_a_server_that_is_down_leaves_the_last_reading(account: Account, truedy: Truedy) -> None:
    truedy.hold(2)
    with time_machine.travel("2026-06-01T12:00:00Z") as traveller:
        before = await account.reading()
        truedy.status = 503
        await look_again(account, traveller)
        await look_again(account, traveller)
        down = await account.reading()
        truedy.status = 200
        await look_again(account, traveller)
        after = await account.reading()
    assert down.campaigns == before.campaigns
    assert down.read_at == before.read_at
    assert down.problem
    assert down.problem_since == pytest.approx((before.read_at or 0) + 70, abs=1)
    assert "503" in down.problem
    assert (after.problem, after.problem_since) == (None, None)


async def test_a_server_that_is_down_is_not_asked_again_and_again(account: Account, truedy: Truedy) -> None:
    truedy.status = 500
    for _ in range(30):
        reading = await account.reading()
    assert (reading.read_at, len(truedy.asked)) == (None, 1)


async def test_a_connection_that_cannot_be_used_is_told(truedy: Truedy) -> None:
    async def unusable() -> None:
        raise RuntimeError("the password is hunter2")

    account = Account(unusable, lambda _: Budget("account"))
    reading = await account.reading()
    assert reading.problem == "RuntimeError"


async def test_one_that_no_list_shows_is_read_by_itself(account: Account, truedy: Truedy) -> None:
    truedy.hold(700)
    reading = await account.reading(("batch_00650", "batch_gone"))
    assert reading.campaigns["batch_00650"].name == "Wave 650"
    assert truedy.asked[-2:] == ["/batch-calls/batch_00650", "/batch-calls/batch_gone"]


async def test_an_odd_id_in_an_xcom_takes_the_lists_from_nobody(account: Account, truedy: Truedy) -> None:
    truedy.hold(3)
    reading = await account.reading(("odd", ".."))
    assert len(reading.campaigns) == 3
    assert reading.problem is None


async def test_a_list_that_changes_while_it_is_read_is_marked(account: Account, truedy: Truedy) -> None:
    truedy.hold(300)
    answer = truedy.answer

    def losing(request: httpx.Request) -> httpx.Response:
        shown = answer(request)
        del truedy.batches[:50]  # So the rows behind move up, past the end of the page.
        return shown

    with time_machine.travel("2026-06-01T12:00:00Z") as traveller:
        whole = await account.reading()
        truedy.answer = losing  # type: ignore[method-assign]
        await look_again(account, traveller)
        reading = await account.reading()
    assert (whole.is_partial, reading.is_partial) == (False, True)
    assert reading.problem is None
    assert len(reading.campaigns) == 300


async def test_progress_is_remembered_of_live_ones(account: Account, truedy: Truedy) -> None:
    truedy.hold(2, status="active")
    truedy.batches[1]["status"] = "completed"
    with time_machine.travel("2026-06-01T12:00:00Z") as traveller:
        for called in (40, 40, 55):
            truedy.batches[0]["called"] = called
            await look_again(account, traveller)
    assert [sample.called for sample in account.samples("batch_00000")] == [40, 55]
    assert account.samples("batch_00001") == []


async def test_connections_of_one_key_share_the_budget(truedy: Truedy) -> None:
    truedy.hold(1)
    accounts = Accounts(settings_of)
    assert accounts.of("one") is accounts.of("one")
    assert accounts.of("one") is not accounts.of("two")
    budgets = [accounts._budget_of(await settings_of(name)) for name in ("one", "two")]
    assert budgets[0] is budgets[1]
