from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from airflow_truedy.api.errors import InvalidRequestError, PaymentRequiredError, ServerError, UnreachableError
from airflow_truedy.api.models import Call, CallRequest
from airflow_truedy.campaigns.errors import (
    CallNotLookedUpError,
    CallOutcomeUnknownError,
    CallTimeoutError,
    LaunchInterruptedError,
)
from airflow_truedy.campaigns.progress import NoStore
from airflow_truedy.campaigns.single_call import SingleCall, wait_until_ended
from tests.support.ground import Ground, Send
from tests.support.plans import AGENT, MONDAY, UTC
from tests.support.stores import Memory

NUMBER = "+12125550100"


class Try:
    """One attempt to place a call; virtual time moves while it waits."""

    def __init__(self, ground: Ground, store: Any = None, key: str = "k", **changes: Any) -> None:
        since, late = changes.pop("since", None), changes.pop("may_be_under_way", True)
        request = CallRequest.checked(**{"agent_id": AGENT, "phone_number": NUMBER, **changes})
        self.pauses: list[float] = []
        self.call = SingleCall(
            ground.client,
            key,
            request,
            store or NoStore(),
            since=since,
            may_be_under_way=late,
            sleep=lambda seconds: self._sleep(ground, seconds),
            now=ground.now,
        )

    def _sleep(self, ground: Ground, seconds: float) -> None:
        self.pauses.append(seconds)
        ground.advance(seconds)


def placed(ground: Ground) -> int:
    return len(ground.app.state.world.single_calls)


def posts(ground: Ground) -> int:
    return ground.requests.count("POST /calls")


def test_a_call_is_placed_and_its_intent_kept_before(ground: Ground) -> None:
    store = Memory()
    seen: list[Any] = []

    def look(_: httpx.Request, send: Send) -> httpx.Response:
        seen.append(store.get())
        return send()

    ground.alter("POST", "/calls", look)
    done = Try(ground, store).call.place()
    assert (done.attached, placed(ground)) == (False, 1)
    assert (seen[0]["call_id"], seen[0]["intent_at"]) == (None, MONDAY.isoformat())
    assert store.get() == {**seen[0], "call_id": done.call.id}
    assert NUMBER not in (store.text or "")
    assert ground.requests == ["POST /calls"]


def test_a_second_attempt_comes_back_to_the_same_call(ground: Ground) -> None:
    store = Memory()
    first = Try(ground, store).call.place()
    second = Try(ground, store).call.place()
    assert (second.call.id, second.attached, posts(ground)) == (first.call.id, True, 1)


@pytest.mark.parametrize("honest", [True, False])
def test_a_lost_answer_calls_once(make_ground: Callable[..., Ground], honest: bool) -> None:
    ground = make_ground(ignore_idempotency_keys=not honest)
    ground.fault("lost_answer", "POST", "/calls$")
    done = Try(ground, Memory()).call.place()
    assert (done.attached, placed(ground), posts(ground)) == (True, 1, 1)


def test_a_lost_request_that_left_no_call_is_never_sent_again(ground: Ground) -> None:
    keys: list[str] = []

    def drop(request: httpx.Request, _: Send) -> httpx.Response:
        keys.append(request.headers["X-Idempotency-Key"])
        raise httpx.ReadError("dropped", request=request)

    ground.alter("POST", "/calls", drop)
    store = Memory()
    attempt = Try(ground, store)
    with pytest.raises(CallOutcomeUnknownError, match="answer was lost and the server lists no such call") as caught:
        attempt.call.place()
    assert attempt.pauses == [2.0, 8.0, 20.0]
    assert not caught.value.retryable
    assert NUMBER not in str(caught.value)
    with pytest.raises(CallOutcomeUnknownError, match="an earlier attempt was cut off"):
        Try(ground, store, since=MONDAY).call.place()
    assert len(keys) == 1


def test_a_request_that_is_carried_out_minutes_later_calls_once(make_ground: Callable[..., Ground]) -> None:
    ground = make_ground(ignore_idempotency_keys=True)
    waiting: list[Send] = []

    def stuck(request: httpx.Request, send: Send) -> httpx.Response:
        waiting.append(send)
        raise httpx.ReadTimeout("slow", request=request)

    ground.alter("POST", "/calls", stuck)
    store = Memory()
    with pytest.raises(CallOutcomeUnknownError):
        Try(ground, store).call.place()
    ground.advance(300)
    waiting.pop()()
    assert (Try(ground, store).call.place().attached, placed(ground), waiting) == (True, 1, [])


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), None])
def test_a_call_that_surely_was_not_sent_is_sent_by_the_next_attempt(ground: Ground, error: Exception | None) -> None:
    store = Memory()
    first = Try(ground, store)

    def never(*_: Any) -> httpx.Response:
        if error:
            raise error
        return httpx.Response(402, json={"error": {"code": "payment_required", "message": "no credits"}})

    ground.alter("POST", "/calls", never)
    with pytest.raises((UnreachableError, PaymentRequiredError)):
        first.call.place()
    ground.heal()
    assert Try(ground, store, since=MONDAY).call.place().attached is False
    assert placed(ground) == 1


def test_a_request_that_is_carried_out_late_is_found(make_ground: Callable[..., Ground]) -> None:
    ground = make_ground(ignore_idempotency_keys=True)
    waiting: list[Send] = []

    def stuck(request: httpx.Request, send: Send) -> httpx.Response:
        waiting.append(send)
        raise httpx.ReadTimeout("slow", request=request)

    ground.alter("POST", "/calls", stuck)
    attempt = Try(ground, Memory())
    attempt.call._sleep = lambda seconds: waiting.pop()() if waiting and seconds == 8.0 else None
    assert (attempt.call.place().attached, placed(ground)) == (True, 1)


def test_an_attempt_that_died_after_the_request_left_its_intent(ground: Ground) -> None:
    store = Memory()
    first = Try(ground, store).call.place()
    kept = store.get() or {}
    store.set({**kept, "call_id": None})
    ground.advance(600)
    second = Try(ground, store).call.place()
    assert (second.call.id, second.attached, posts(ground)) == (first.call.id, True, 1)


def test_without_a_store_a_retry_looks_since_the_run_began(ground: Ground) -> None:
    first = Try(ground).call.place()
    ground.advance(600)
    second = Try(ground, since=MONDAY).call.place()
    assert (second.call.id, posts(ground)) == (first.call.id, 1)


def test_a_first_attempt_of_a_shared_key_looks_once_before_it_sends(ground: Ground) -> None:
    one = Try(ground, Memory(), since=MONDAY, may_be_under_way=False)
    assert (one.call.place().attached, one.pauses) == (False, [])
    assert ground.requests == ["GET /calls", "POST /calls"]
    two = Try(ground, Memory(), since=MONDAY, may_be_under_way=False, variables={"day": "Tuesday"})
    assert (two.call.place().attached, posts(ground)) == (True, 1)


@pytest.mark.parametrize("written", ["12125550100", "+1 (212) 555-0100", "2125550100", "0012125550100"])
def test_a_call_is_found_however_the_server_writes_the_number(ground: Ground, written: str) -> None:
    first = Try(ground).call.place()

    def rewritten(_: httpx.Request, send: Send) -> httpx.Response:
        body = send().json()
        for call in body["data"]:
            call["to"] = written
        return httpx.Response(200, json=body)

    ground.alter("GET", "/calls", rewritten)
    second = Try(ground, since=MONDAY).call.place()
    assert (second.call.id, second.attached, posts(ground)) == (first.call.id, True, 1)


def test_calls_to_others_and_older_calls_are_none_of_ours(ground: Ground) -> None:
    Try(ground, key="yesterday").call.place()
    ground.advance(86_400)
    Try(ground, key="other", phone_number="+12125550101").call.place()
    assert Try(ground, since=ground.now()).call.place().attached is False
    assert placed(ground) == 3


def test_a_list_that_does_not_say_whom_a_call_went_to_decides_nothing(ground: Ground) -> None:
    ground.fault("lost_answer", "POST", "/calls$")

    def nameless(_: httpx.Request, send: Send) -> httpx.Response:
        body = send().json()
        for call in body["data"]:
            del call["to"]
        return httpx.Response(200, json=body)

    ground.alter("GET", "/calls", nameless)
    with pytest.raises(CallOutcomeUnknownError, match="does not tell its number") as caught:
        Try(ground, Memory()).call.place()
    assert posts(ground) == 1
    assert NUMBER not in str(caught.value)


def refuse_the_list(ground: Ground, status: int, code: str) -> None:
    def refused(*_: Any) -> httpx.Response:
        body = {"error": {"code": code, "message": "no list"}, "meta": {"request_id": "req_1"}}
        return httpx.Response(status, json=body)

    ground.alter("GET", "/calls", refused)


def test_a_look_that_fails_says_that_somebody_may_have_been_called_and_is_made_again(ground: Ground) -> None:
    ground.fault("lost_answer", "POST", "/calls$")
    refuse_the_list(ground, 500, "internal_error")
    store = Memory()
    for why in ("its answer was lost", "an earlier attempt was cut off"):
        with pytest.raises(CallNotLookedUpError) as caught:
            Try(ground, store).call.place()
        said = str(caught.value)
        assert f"may have been placed since {MONDAY:%Y-%m-%dT%H:%M:%SZ}" in said
        assert why in said
        assert "ServerError: GET /calls: 500 internal_error: no list (request id req_1, tried 5 times)" in said
        assert "Nothing was sent again." in said
        assert said.endswith("The next try looks again.")
        assert NUMBER not in said
        assert caught.value.retryable
        assert caught.value.retry_after is None
    ground.heal()
    assert Try(ground, store).call.place().attached is True
    assert (placed(ground), posts(ground)) == (1, 1)


def test_a_look_that_is_over_the_quota_is_made_again_when_there_is_room(ground: Ground) -> None:
    ground.fault("lost_answer", "POST", "/calls$")
    ground.fault("rate_limited", "GET", "/calls$", times=None)
    with pytest.raises(CallNotLookedUpError, match="429 rate_limit_exceeded") as caught:
        Try(ground, Memory()).call.place()
    assert caught.value.retry_after is not None


def test_a_look_that_no_retry_helps_fails_and_says_the_same(ground: Ground) -> None:
    ground.fault("lost_answer", "POST", "/calls$")
    refuse_the_list(ground, 401, "unauthorized")
    with pytest.raises(CallOutcomeUnknownError, match=r"may have been placed.*401 unauthorized") as caught:
        Try(ground, Memory()).call.place()
    assert not caught.value.retryable
    assert "The next try" not in str(caught.value)


def test_without_a_store_a_retry_whose_look_fails_says_that_somebody_may_have_been_called(ground: Ground) -> None:
    refuse_the_list(ground, 500, "internal_error")
    with pytest.raises(CallNotLookedUpError, match="an earlier attempt may have placed it"):
        Try(ground, since=MONDAY).call.place()
    # The first attempt of all has sent nothing that could have rung.
    with pytest.raises(ServerError):
        Try(ground, since=MONDAY, may_be_under_way=False).call.place()


def test_a_placed_call_that_cannot_be_read_is_named(ground: Ground) -> None:
    store = Memory()
    first = Try(ground, store).call.place()
    ground.fault("error_500", "GET", "/calls/", times=None)
    with pytest.raises(CallNotLookedUpError, match=rf"{first.call.id} was placed .*500 internal_error") as caught:
        Try(ground, store).call.place()
    assert caught.value.retryable


def test_a_list_too_long_to_look_through_decides_nothing(ground: Ground) -> None:
    ground.fault("drop", "POST", "/calls$")

    def endless(request: httpx.Request, _: Send) -> httpx.Response:
        offset = int(request.url.params["offset"])
        made = (MONDAY + timedelta(seconds=offset)).isoformat()
        rows = [{"id": f"c{offset + i}", "to": "+12125550199", "created_at": made} for i in range(100)]
        paging = {"total": 100_000, "limit": 100, "offset": offset, "has_more": True}
        return httpx.Response(200, json={"data": rows, "meta": {}, "pagination": paging})

    ground.alter("GET", "/calls", endless)
    with pytest.raises(CallOutcomeUnknownError, match="more than 2000 calls"):
        Try(ground, Memory()).call.place()
    assert placed(ground) == 0


def test_other_variables_for_the_same_person_are_the_same_call(ground: Ground) -> None:
    store = Memory()
    first = Try(ground, store).call.place()
    second = Try(ground, store, variables={"day": "Tuesday"}).call.place()
    assert (second.call.id, second.attached, posts(ground)) == (first.call.id, True, 1)


def test_what_was_kept_about_another_person_says_nothing_about_this_one(ground: Ground) -> None:
    store = Memory()
    Try(ground, store).call.place()
    assert Try(ground, store, since=MONDAY, phone_number="+12125550101").call.place().attached is False
    assert placed(ground) == 2


def test_one_person_twice_goes_out_under_one_idempotency_key(ground: Ground) -> None:
    keys = []
    ground.alter("POST", "/calls", lambda request, send: (keys.append(request.headers["X-Idempotency-Key"]), send())[1])
    Try(ground).call.place()
    Try(ground, variables={"day": "Tuesday"}).call.place()
    Try(ground, phone_number="+12125550101").call.place()
    Try(ground, key="another run").call.place()
    assert len(set(keys)) == 3
    assert keys[0] == keys[1]


def test_what_is_kept_does_not_tell_the_number_to_who_tries_all_of_them(ground: Ground) -> None:
    store = Memory()
    Try(ground, store).call.place()
    assert len((store.get() or {})["key"]) == 6


@pytest.mark.parametrize("listed", ["+6592345678", "6592345678"])
def test_a_call_to_another_country_is_another_persons(ground: Ground, listed: str) -> None:
    ground.fault("drop", "POST", "/calls$")
    number = "+16592345678"
    row = {"id": "c1", "to": listed, "created_at": MONDAY.isoformat()}
    paging = {"total": 1, "limit": 100, "offset": 0, "has_more": False}
    ground.alter("GET", "/calls", lambda *_: httpx.Response(200, json={"data": [row], "pagination": paging}))
    if listed.startswith("+"):
        with pytest.raises(CallOutcomeUnknownError):
            Try(ground, Memory(), phone_number=number).call.place()
    else:
        # Without a plus it may be the national form of the same number: rather no call than two.
        assert Try(ground, Memory(), phone_number=number).call.place().attached


def test_a_refused_call_is_not_looked_for(ground: Ground) -> None:
    with pytest.raises(InvalidRequestError):
        Try(ground, Memory(), agent_id="agt_d4af7000").call.place()
    assert "GET /calls" not in ground.requests


def test_a_killed_task_sends_nothing_and_the_next_one_calls(ground: Ground) -> None:
    store = Memory()
    attempt = Try(ground, store)
    attempt.call.interrupt()
    with pytest.raises(LaunchInterruptedError):
        attempt.call.place()
    assert ground.requests == []
    assert Try(ground, store, since=MONDAY).call.place().attached is False


def wait(ground: Ground, call: Call, **options: Any) -> Call:
    fixed = {"poll_interval": 15, "timeout": 3600, "pause": ground.advance, "clock": ground.clock.now}
    return wait_until_ended(ground.client, call, **{**fixed, **options})


@pytest.mark.parametrize("words", ["g3", "guides"])
def test_waiting_ends_with_the_call_in_either_dialect(make_ground: Callable[..., Ground], words: str) -> None:
    ground = make_ground(call_words=words)
    call = wait(ground, Try(ground).call.place().call)
    assert call.ended_at is not None
    assert call.ended_at <= ground.now() <= call.ended_at + timedelta(seconds=15)


def test_waiting_has_an_end_of_its_own(ground: Ground) -> None:
    call = Try(ground).call.place().call
    ground.alter_data("GET", "/calls/.*", status="dialling", ended_at=None)
    with pytest.raises(CallTimeoutError, match="still 'dialling'"):
        wait(ground, call, timeout=60)
    assert ground.now() == datetime(2026, 6, 1, 13, 1, tzinfo=UTC)


def test_waiting_can_be_stopped(ground: Ground) -> None:
    call = Try(ground).call.place().call
    with pytest.raises(LaunchInterruptedError, match="goes on"):
        wait(ground, call, stopped=lambda: True)


@pytest.mark.parametrize("direction", ["inbound", "webrtc"])
def test_a_call_that_rang_nobodys_phone_is_passed_over(ground: Ground, direction: str) -> None:
    Try(ground).call.place()
    ground.alter_data("GET", "/calls", direction=direction, to=None)
    assert not Try(ground, key="other", since=MONDAY, may_be_under_way=False).call.place().attached
    assert placed(ground) == 2
