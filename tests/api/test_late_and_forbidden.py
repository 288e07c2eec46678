"""What is not sent at all: a request whose moment has passed, and what the connection does not allow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
import respx

from airflow_truedy.api import endpoints, errors, models
from airflow_truedy.api.client import AsyncTruedyClient, TruedyClient
from airflow_truedy.api.rate_limit import RateLimiter
from airflow_truedy.api.request import Request
from tests.api.scripted import BASE, KEY, NUMBER, FakeTime, batch

SCHEDULE = endpoints.schedule_batch_call("batch_1", timezone="UTC")
GET = endpoints.get_batch_call("batch_1")
Send = Callable[[Request[Any]], Any]


@pytest.fixture(params=["blocking", "async"])
def either(request: pytest.FixtureRequest, client: TruedyClient, async_client: AsyncTruedyClient) -> Any:
    """A client and how to send with it."""
    if request.param == "blocking":
        return client, client.send
    return async_client, lambda each: asyncio.run(async_client.send(each))


def at(clock: FakeTime, seconds: float) -> datetime:
    return datetime.fromtimestamp(clock.now + seconds, tz=timezone.utc)


def answer_at(moment: datetime | None, *, date: datetime | None = None) -> httpx.Response:
    body = batch("draft")
    body["meta"] = {} if moment is None else {"ts": moment.isoformat()}
    headers = {} if date is None else {"Date": date.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    return httpx.Response(200, json=body, headers=headers)


def test_a_request_whose_moment_has_passed_is_not_sent(
    either: Any, server: respx.MockRouter, fake_time: FakeTime
) -> None:
    _client, send = either
    route = server.route().respond(200, json=batch())
    with pytest.raises(errors.TooLateError, match=r"too late for .* It was not sent") as raised:
        send(replace(SCHEDULE, not_after=at(fake_time, -1)))
    assert not raised.value.retryable
    assert route.call_count == 0


def test_the_moment_itself_is_still_in_time(either: Any, server: respx.MockRouter, fake_time: FakeTime) -> None:
    _client, send = either
    server.route().respond(200, json=batch())
    send(replace(SCHEDULE, not_after=at(fake_time, 0)))


def test_the_moment_is_asked_for_again_after_a_rate_limit(
    either: Any, server: respx.MockRouter, fake_time: FakeTime
) -> None:
    _client, send = either
    route = server.route()
    route.side_effect = [httpx.Response(429, headers={"Retry-After": "81"}), httpx.Response(200, json=batch())]
    with pytest.raises(errors.TooLateError):
        send(replace(SCHEDULE, not_after=at(fake_time, 30)))
    assert route.call_count == 1


def test_and_after_the_wait_for_our_own_pace(
    make_client: Callable[..., TruedyClient], server: respx.MockRouter, fake_time: FakeTime
) -> None:
    route = server.route().respond(200, json=batch())
    limiter = RateLimiter(1, fake_time.clock)
    client = make_client(rate_limiter=limiter)
    client.send(GET)
    with pytest.raises(errors.TooLateError):
        client.send(replace(SCHEDULE, not_after=at(fake_time, 30)))
    assert route.call_count == 1


def test_a_lost_answer_stays_an_unknown_outcome_when_the_repeat_is_too_late(
    either: Any, server: respx.MockRouter, fake_time: FakeTime
) -> None:
    _client, send = either
    keyed = endpoints.create_batch_call(
        models.BatchCallRequest.checked(name="n", agent_id="a", contact_ids=["c"]), idempotency_key="k"
    )

    def lose(_: httpx.Request) -> httpx.Response:
        fake_time.now += 60
        raise httpx.ReadTimeout("late")

    route = server.route()
    route.side_effect = lose
    with pytest.raises(errors.OutcomeUnknownError, match="TooLateError"):
        send(replace(keyed, not_after=at(fake_time, 30)))
    assert route.call_count == 1


@pytest.mark.parametrize("ahead", [3600, -3600], ids=["server ahead", "server behind"])
@pytest.mark.parametrize("told_by", ["body", "header", "both"])
def test_the_servers_clock_decides(
    either: Any, server: respx.MockRouter, fake_time: FakeTime, ahead: int, told_by: str
) -> None:
    client, send = either
    there = at(fake_time, ahead)
    # A proxy's clock in the header does not count where the answer itself tells the time.
    answer = {
        "body": answer_at(there),
        "header": answer_at(None, date=there),
        "both": answer_at(there, date=at(fake_time, 0)),
    }[told_by]
    route = server.route()
    route.side_effect = [answer, answer_at(None, date=at(fake_time, 0) if told_by == "both" else None), answer_at(None)]
    send(GET)
    assert abs(client.now() - there) < timedelta(seconds=1.5)
    send(GET)
    assert abs(client.now() - there) < timedelta(seconds=1.5)
    if ahead > 0:
        with pytest.raises(errors.TooLateError):
            send(replace(SCHEDULE, not_after=at(fake_time, 60)))
    else:
        send(replace(SCHEDULE, not_after=at(fake_time, -60)))


def test_until_an_answer_tells_our_own_clock_counts(either: Any, server: respx.MockRouter, fake_time: FakeTime) -> None:
    client, send = either
    assert client.now() == at(fake_time, 0)
    server.route().respond(200, json={"data": {"id": "b"}, "meta": {"ts": "soon"}})
    send(GET)
    assert client.now() == at(fake_time, 0)


def test_a_slow_answer_does_not_replace_what_a_fast_one_told(
    client: TruedyClient, server: respx.MockRouter, fake_time: FakeTime
) -> None:
    def slow(_: httpx.Request) -> httpx.Response:
        answer = answer_at(at(fake_time, 100))
        fake_time.now += 50
        return answer

    server.route().side_effect = [answer_at(at(fake_time, 100)), slow, slow]
    route = server.route()
    route.side_effect = [answer_at(at(fake_time, 100))]
    client.send(GET)
    route.side_effect = slow
    client.send(GET)
    assert client.now() == at(fake_time, 100)


def test_an_error_answer_does_not_move_the_clock(
    client: TruedyClient, server: respx.MockRouter, fake_time: FakeTime
) -> None:
    # A gateway that limits requests has a clock of its own.
    body = {"error": {"code": "not_found", "message": "gone"}, "meta": {"ts": at(fake_time, 9999).isoformat()}}
    server.route().respond(404, json=body)
    with pytest.raises(errors.NotFoundError):
        client.send(GET)
    assert client.now() == at(fake_time, 0)


WRITES = [
    endpoints.create_batch_call(models.BatchCallRequest.checked(name="n", agent_id="a", contact_ids=["c"])),
    endpoints.add_contacts("b", [{"phone_number": NUMBER}]),
    SCHEDULE,
    endpoints.pause_batch_call("b"),
    endpoints.resume_batch_call("b"),
    endpoints.update_batch_call("b", models.BatchCallUpdate.checked(name="n")),
    endpoints.delete_batch_calls(["b"]),
    endpoints.create_folder("f"),
    endpoints.create_contact(models.ContactRequest.checked(phone_number=NUMBER)),
    endpoints.update_contact("c", models.ContactUpdate.checked(first_name="Ann")),
    endpoints.import_contacts(b"phone\n"),
    endpoints.create_call(models.CallRequest.checked(agent_id="a", phone_number=NUMBER)),
]


def send(client: TruedyClient | AsyncTruedyClient, request_: Request[Any]) -> Any:
    return client.send(request_) if isinstance(client, TruedyClient) else asyncio.run(client.send(request_))


@pytest.mark.parametrize("request_", WRITES, ids=lambda each: each.operation)
def test_a_dry_run_changes_nothing(request_: Request[Any], server: respx.MockRouter) -> None:
    route = server.route().respond(200, json=batch())
    for kind in (TruedyClient, AsyncTruedyClient):
        client = kind(KEY, BASE, dry_run=True)
        with pytest.raises(errors.ForbiddenByConnectionError, match=r"dry_run.*Nothing was sent") as raised:
            send(client, request_)
        assert raised.value.operation == request_.operation
        assert not raised.value.retryable
    assert route.call_count == 0


def test_a_dry_run_reads(server: respx.MockRouter) -> None:
    server.route().respond(200, json=batch())
    with TruedyClient(KEY, BASE, dry_run=True) as client:
        assert client.send(GET).id == "batch_0a1b2c3d"


def payload(**fields: Any) -> Request[Any]:
    return endpoints.create_batch_call(models.BatchCallRequest.checked(name="n", agent_id="a", **fields))


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (
            endpoints.add_contacts("b", [{"phone_number": NUMBER}, {"phone_number": "+15555550199"}]),
            r"\*+99 is not among",
        ),
        (payload(contacts=[{"phone_number": "+15555550199"}]), "is not among"),
        (payload(contact_ids=["c"]), "contact_ids may stand for others"),
        (payload(contact_folder_id="f", contact_source="folder"), "contact_folder_id may stand for others"),
        (endpoints.create_call(models.CallRequest.checked(agent_id="a", phone_number="+15555550199")), "is not among"),
        (endpoints.create_contact(models.ContactRequest.checked(phone_number="+15555550199")), "is not among"),
    ],
)
def test_only_numbers_lets_no_other_pass(request_: Request[Any], reason: str, server: respx.MockRouter) -> None:
    route = server.route().respond(200, json=batch())
    with TruedyClient(KEY, BASE, only_numbers=[NUMBER]) as client:
        with pytest.raises(errors.ForbiddenByConnectionError, match=reason) as raised:
            client.send(request_)
        assert "5555550199" not in str(raised.value)
    assert route.call_count == 0


def test_only_numbers_lets_its_own_pass(server: respx.MockRouter) -> None:
    route = server.route().respond(200, json=batch())
    with TruedyClient(KEY, BASE, only_numbers=[NUMBER]) as client:
        client.send(payload(contacts=[{"phone_number": NUMBER, "custom_fields": {"phone_number": "x"}}]))
        client.send(endpoints.create_call(models.CallRequest.checked(agent_id="a", phone_number=NUMBER)))
        client.send(SCHEDULE)
        client.send(GET)
    assert route.call_count == 4


def test_a_request_keeps_its_moment_when_it_is_copied() -> None:
    moment = datetime(2026, 6, 1, 9, tzinfo=timezone.utc)
    assert replace(SCHEDULE, not_after=moment).once().not_after == moment
