from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_truedy.campaigns.errors import CountMismatchError, UnsettledError
from tests.support.ground import Ground, Send
from tests.support.plans import people, plan_of
from tests.support.stores import Memory

ADD = "POST /batch-calls/{id}/contacts"
MakeGround = Callable[..., Ground]


def numbers(count: int) -> list[str]:
    return [person["phone_number"] for person in people(count)]


def partly(ground: Ground, keep: Callable[[int], bool]) -> Callable[[httpx.Request, Send], httpx.Response]:
    """A rule for one add: the server takes only the contacts at some places of the chunk, and its answer is lost."""

    def rule(request: httpx.Request, _: Send) -> httpx.Response:
        ground.heal()
        chunk = json.loads(request.read())["contacts"]
        ground.do("add_contacts", ground.only, contacts=[one for at, one in enumerate(chunk) if keep(at)])
        raise httpx.ReadError("lost", request=request)

    return rule


@pytest.mark.parametrize("with_store", [True, False])
@pytest.mark.parametrize("keep", [lambda at: at < 2, lambda at: at % 2 == 1, lambda at: at == 3, lambda _: False])
def test_a_chunk_that_arrived_in_part_is_completed_by_its_numbers(
    make_ground: MakeGround, with_store: bool, keep: Callable[[int], bool]
) -> None:
    ground = make_ground(allow_duplicates=True)
    ground.alter("POST", ".*/contacts", partly(ground, keep))
    ground.run(plan_of(12, chunk_size=4), Memory() if with_store else None)
    assert Counter(ground.numbers()) == Counter(numbers(12))


def zombie(ground: Ground, dies: bool) -> Callable[[httpx.Request, Send], httpx.Response]:
    """A rule for one add: it never arrives, and a zombie's add of the first contacts does."""

    def rule(request: httpx.Request, _: Send) -> httpx.Response:
        ground.heal()
        ground.do("add_contacts", ground.only, contacts=people(4))
        if dies:
            raise KeyboardInterrupt
        raise httpx.ReadError("lost", request=request)

    return rule


@pytest.mark.parametrize("with_store", [True, False])
def test_a_zombies_chunk_in_place_of_ours_is_not_scheduled_although_the_count_is_right(
    make_ground: MakeGround, with_store: bool
) -> None:
    ground = make_ground(allow_duplicates=True)
    ground.alter("POST", ".*/contacts", zombie(ground, dies=False))
    store = Memory() if with_store else None
    with pytest.raises(CountMismatchError, match="twice"):
        ground.run(plan_of(8, chunk_size=4), store)
    assert ground.only.status == "draft"
    ground.run(plan_of(8, chunk_size=4), store)
    assert Counter(ground.numbers()) == Counter(numbers(8))
    assert ground.only.status == "scheduled"


@pytest.mark.parametrize("with_store", [True, False])
def test_nor_by_the_next_attempt(make_ground: MakeGround, with_store: bool) -> None:
    ground = make_ground(allow_duplicates=True)
    ground.alter("POST", ".*/contacts", zombie(ground, dies=True))
    store = Memory() if with_store else None
    with pytest.raises(KeyboardInterrupt):
        ground.run(plan_of(8, chunk_size=4), store)
    with pytest.raises(CountMismatchError, match="twice"):
        ground.run(plan_of(8, chunk_size=4), store)
    assert ground.only.status == "draft"


@pytest.mark.parametrize("keep", [lambda at: at < 2, lambda at: at % 2 == 1])
def test_an_attempt_that_died_after_such_a_chunk_is_completed_by_the_next(
    make_ground: MakeGround, keep: Callable[[int], bool]
) -> None:
    # Counting alone would go on at the wrong place: on a server that keeps doubles, somebody would be called twice.
    ground = make_ground(allow_duplicates=True)
    store = Memory()

    def partly_then_dead(request: httpx.Request, send: Send) -> httpx.Response:
        try:
            return partly(ground, keep)(request, send)
        finally:
            ground.fault("drop", "POST", "contacts$", times=None)

    ground.alter("POST", ".*/contacts", partly_then_dead)
    with pytest.raises(UnsettledError):
        ground.run(plan_of(12, chunk_size=4), store)
    ground.heal()
    ground.run(plan_of(12, chunk_size=4), store)
    assert Counter(ground.numbers()) == Counter(numbers(12))


def test_a_lost_answer_beside_the_servers_own_contacts_is_compared_rightly(make_ground: MakeGround) -> None:
    # 4 contacts of the server's own and chunks of 4: miscounting by those would take an arrived chunk for missing.
    ground = make_ground(allow_duplicates=True)
    own = people(4, start=90)
    ids = [ground.app.state.world.do("create_contact", {**one, "folder_id": None})["id"] for one in own]
    plan = plan_of(12, chunk_size=4, contact_ids=ids)
    ground.fault("drop", "POST", "contacts$", times=None)
    with pytest.raises(UnsettledError):
        ground.run(plan)
    ground.heal()
    ground.fault("lost_answer", "POST", "contacts$")
    before = len(ground.requests)
    ground.run(plan)
    assert Counter(ground.numbers()) == Counter(numbers(12) + [one["phone_number"] for one in own])
    assert ground.requests[before:].count(ADD) == 2


def test_a_server_that_drops_bad_contacts_is_not_asked_for_them_for_ever(ground: Ground) -> None:
    asked: list[int] = []

    def dropping(request: httpx.Request, _: Send) -> httpx.Response:
        chunk = json.loads(request.read())["contacts"]
        asked.append(len(chunk))
        taken = [one for one in chunk if not one["phone_number"].endswith("3")]
        added = ground.do("add_contacts", ground.only, contacts=taken)
        return httpx.Response(200, json={"data": {"added_count": added["added_count"], "failed_count": 1}})

    ground.alter("POST", ".*/contacts", dropping)
    with pytest.raises(CountMismatchError, match="has 9 contacts, 10 were sent"):
        ground.run(plan_of(10, chunk_size=3))
    assert asked == [3, 3, 1]
    ground.run(plan_of(10, chunk_size=3, max_rejected=1))
    assert Counter(ground.numbers()) == Counter([one for one in numbers(10) if not one.endswith("3")])


def test_an_answer_without_counts_is_believed_until_the_comparison(ground: Ground) -> None:
    ground.alter("POST", ".*/contacts", lambda _, send: (send(), httpx.Response(204))[1])
    ground.run(plan_of(7, chunk_size=3))
    assert ground.numbers() == numbers(7)


@pytest.mark.parametrize("written", ["1 (212) 555-0100", "tel:+12125550100", "", "unknown", None])
def test_numbers_that_the_server_writes_in_another_way_end_in_no_crash(ground: Ground, written: Any) -> None:
    ground.fault("drop", "POST", "contacts$", times=None)
    with pytest.raises(UnsettledError):
        ground.run(plan_of(4, chunk_size=2))
    ground.heal()
    ground.alter_data("GET", ".*/contacts", phone_number=written)
    # The sandbox drops doubles, so whatever is sent again does no harm here.
    ground.run(plan_of(4, chunk_size=2))
    assert sorted(ground.numbers()) == sorted(numbers(4))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_was_there_before_in_the_end_each_is_there_once(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 5), label="chunk size")
    count = data.draw(st.integers(1, 15), label="contacts")
    faults = data.draw(
        st.lists(st.tuples(st.sampled_from(["lost_answer", "drop", "error_500_after"]), st.integers(0, 4)), max_size=3)
    )
    store = Memory() if data.draw(st.booleans(), label="store") else None
    with Ground(allow_duplicates=True) as ground:
        for kind, after in faults:
            ground.fault(kind, "POST", "contacts$", after=after)
        ground.run(plan_of(count, chunk_size=size), store)
        assert Counter(ground.numbers()) == Counter(numbers(count))
        assert ground.only.status == "scheduled"


@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("dialect", [{}, {"create_answer": "scheduled"}])
def test_a_chunk_that_was_under_way_when_the_worker_died_is_sent_again_only_after_the_counter_settled(
    make_ground: MakeGround, dialect: dict[str, Any], arrives: bool
) -> None:
    ground = make_ground(allow_duplicates=True, counter_lag=5.0, **dialect)
    store = Memory()

    def dies(_: httpx.Request, send: Send) -> httpx.Response:
        ground.heal()
        ground.advance(10)  # What the create brought counts by now.
        if arrives:
            send()
        raise KeyboardInterrupt

    ground.alter("POST", ".*/contacts", dies)
    with pytest.raises(KeyboardInterrupt):
        ground.run(plan_of(10, chunk_size=3), store)
    ground.run(plan_of(10, chunk_size=3), store)
    assert Counter(ground.numbers()) == Counter(numbers(10))
    assert ground.only.status == "scheduled"
