"""Every error body becomes the right error, in one line, without people."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import phonenumbers
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.api import endpoints, errors
from airflow_truedy.api.client import TruedyClient
from airflow_truedy.api.scrub import scrub, scrub_details
from airflow_truedy.api.sent_people import SentPeople
from tests.api.scripted import BASE, KEY, NUMBER


def caught(client: TruedyClient, server: respx.MockRouter, status: int, **answer: Any) -> errors.TruedyError:
    server.post("/batch-calls/batch_1/pause").respond(status, **answer)
    with pytest.raises(errors.TruedyError) as raised:
        client.send(endpoints.pause_batch_call("batch_1"))
    return raised.value


def documented(code: str, message: str, details: Any = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "details": details}, "meta": {"request_id": "req_1"}}


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, errors.InvalidRequestError, False),
        (401, errors.AuthenticationError, False),
        (402, errors.PaymentRequiredError, False),
        (403, errors.PermissionDeniedError, False),
        (404, errors.NotFoundError, False),
        (405, errors.InvalidRequestError, False),
        (409, errors.ConflictError, False),
        (413, errors.InvalidRequestError, False),
        (422, errors.InvalidRequestError, False),
        (301, errors.UnreadableAnswerError, True),
    ],
)
def test_a_status_says_the_cause(
    client: TruedyClient, server: respx.MockRouter, status: int, kind: type, retryable: bool
) -> None:
    error = caught(client, server, status, json=documented("some_code", "Something."))
    assert type(error) is kind
    assert error.retryable is retryable
    assert (error.status, error.code, error.request_id) == (status, "some_code", "req_1")
    line = str(error)
    assert line.startswith(f"POST /batch-calls/batch_1/pause: {status} some_code: ")
    assert "(request id req_1). " in line
    assert line.endswith(kind.advice)
    assert "\n" not in line


@pytest.mark.parametrize(
    ("body", "message", "fields", "request_id"),
    [
        (
            {"json": documented("validation_error", "Bad.", {"field": "name", "reason": "too long"})},
            "Bad. (too long)",
            {"name": "too long"},
            "req_1",
        ),
        (
            {"json": {"error": {"code": "x", "message": "Bad.", "request_id": "req_in", "ts": None}}},
            "Bad.",
            {},
            "req_in",
        ),
        ({"json": {"detail": "Not like this"}}, "Not like this", {}, "req_header"),
        ({"json": {"detail": {"error": {"code": "x", "message": "Deep."}}}}, "Deep.", {}, "req_header"),
        (
            {
                "json": {
                    "detail": [
                        {"type": "missing", "loc": ["body", "contacts", 0, "phone_number"], "msg": "Field required"},
                        {"type": "x", "loc": ["query", "limit"], "msg": "Too big", "input": NUMBER},
                    ]
                }
            },
            "the server refuses the request's form",
            {"contacts.0.phone_number": "Field required", "limit": "Too big"},
            "req_header",
        ),
        ({"json": {"error": "plain"}}, "plain", {}, "req_header"),
        ({"json": {"message": "plain"}}, "plain", {}, "req_header"),
        ({"json": {"odd": 1}}, "Unprocessable", {}, "req_header"),
        ({"json": ["odd"]}, "Unprocessable", {}, "req_header"),
        ({"json": {"detail": [None, 3, {"loc": 5}]}}, "the server refuses", {"(body)": "refused"}, "req_header"),
        (
            {"html": "<html><body>Request Entity Too Large</body></html>"},
            "(text/html: <html><body>Req",
            {},
            "req_header",
        ),
        ({"content": b"\xff\xfe\x00"}, "Unprocessable", {}, "req_header"),
        ({"content": b""}, "(empty body)", {}, "req_header"),
        ({"content": b"[" * 100_000}, "Unprocessable", {}, "req_header"),
    ],
)
def test_every_shape_of_an_error_body_is_read(
    client: TruedyClient, server: respx.MockRouter, body: Any, message: str, fields: Any, request_id: str
) -> None:
    error = caught(client, server, 422, headers={"X-Request-ID": "req_header"}, **body)
    assert isinstance(error, errors.InvalidRequestError)
    assert message in error.message
    assert error.fields == fields
    assert error.request_id == request_id
    for field, reason in fields.items():
        assert field in str(error)
        assert reason in str(error)


def test_a_server_that_echoes_people_and_the_key_is_not_repeated(
    client: TruedyClient, server: respx.MockRouter
) -> None:
    detail = [
        {
            "loc": ["body", "contacts", 0, "email"],
            "msg": f"ann@example.org and {NUMBER} of key {KEY}",
            "input": {"first_name": "Ann"},
            "ctx": {"value": NUMBER},
        }
    ]
    error = caught(client, server, 422, json={"detail": detail})
    for shown in (str(error), repr(error), repr(error.details), repr(error.__dict__)):
        for private in ("ann@", "Ann", NUMBER, "5555550", KEY, "k3yk3y"):
            assert private not in shown


@pytest.mark.parametrize(
    "text",
    [
        NUMBER,
        "call 15555550123 now",
        "5555550",
        "+44 7700 900123",
        "(555) 555-0123",
        "555.555.0123",
        "+1-555-555-0123",
        "tel:+442079460123",
        "number_15555550123",
        "020 7946 0018",
        "06 12 34 55 50",
        "06.12.34.55.50",
        "0171/1234/5550",
        "612 345 550",
        "34.41.55.50",
        "040.123.45.50",
        "07700 900123",
        "(020) 7946 0143",
        "(202)555-5550",
        "ann.lee+x@mail.example.org",
        "Bearer abcdefgh",
        KEY,
    ],
)
def test_what_looks_like_a_person_or_a_key_is_masked(text: str) -> None:
    shown = scrub(f"bad value {text} given")
    assert shown.startswith("bad value ")
    assert "*" in shown
    for private in ("555555", "900", "7946", "ann", "abcdefgh", "k3y", "5550", "55 50", "55.50", "345 550", "555.555"):
        assert private not in shown.removeprefix("bad value").removesuffix("given")


@pytest.mark.parametrize(
    "text",
    [
        "batch_12345678",
        "req_12345678-9",
        "ctc_11111111-2222-3333-4444-555555555555",
        "11111111-2222-3333-4444-555555555555",
        "2026-03-03T12:01:00.000000Z",
        "2026-03-03 12:01:00",
        "03.03.2026 12:01:00",
        "20 12 34 contacts",
        "192.168.100.200:8765",
        "10.0.0.5",
        "172.16.0.9 or 127.0.0.1",
        "34.41.23.45:8080",
        "https://34.41.23.45/api",
        "500 contacts, 100 per minute",
    ],
)
def test_ids_times_and_counts_are_kept_for_the_person_on_call(text: str) -> None:
    assert scrub(f"about {text} only") == f"about {text} only"


def test_an_operation_shows_no_number_that_was_given_as_an_id() -> None:
    error = errors.NotFoundError("gone", operation="GET /calls/%2B12125550100/transcript")
    assert error.operation == "GET /calls/+*********00/transcript"
    assert errors.NotFoundError("gone", operation="GET /calls/call_12345678").operation == "GET /calls/call_12345678"


KINDS = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)


def written(number: phonenumbers.PhoneNumber) -> Iterator[str]:
    """A number in the ways that people and programs write it."""
    kinds = phonenumbers.PhoneNumberFormat
    national = phonenumbers.format_number(number, kinds.NATIONAL)
    digits = re.sub(r"\D", "", national)
    e164 = phonenumbers.format_number(number, kinds.E164)
    yield from (e164, e164[1:], f"00{e164[1:]}", national)
    yield phonenumbers.format_number(number, kinds.INTERNATIONAL)
    yield phonenumbers.format_number(number, kinds.RFC3966)
    yield from (national.replace(" ", separator) for separator in ("-", ".", "/", "\u00a0", "\u2011", " - "))
    yield from (" ".join(digits), ".".join(re.findall("..?", digits)))


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_number_of_any_region_is_masked_in_any_writing(region: str) -> None:
    for kind in KINDS:
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        people = SentPeople(endpoints.add_contacts("b", [{"phone_number": e164}]))
        for text in written(number):
            # Two digits are shown. Five or six digits alone are known only from what was sent, fewer are no number.
            digits = len(re.sub(r"\D", "", text))
            if digits >= 7:
                assert len(re.sub(r"\D", "", scrub(f"value {text}, refused"))) <= 2, text
            if digits >= 5:
                assert len(re.sub(r"\D", "", scrub(people.hide(f"value {text}, refused")))) <= 2, text


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), st.text(max_size=40), st.text(max_size=40))
def test_no_number_survives_in_any_text(number: str, before: str, after: str) -> None:
    assert number not in scrub(f"{before}{number}{after}")


def test_details_keep_their_shape_without_people() -> None:
    details = {"limit": 100, "phone": NUMBER, "first_name": "Ann", "reason": f"{NUMBER} is bad", "deep": [{"to": "x"}]}
    assert scrub_details(details) == {
        "limit": 100,
        "phone": "(hidden)",
        "first_name": "(hidden)",
        "reason": "+*********23 is bad",
        "deep": [{"to": "(hidden)"}],
    }


def samples() -> Iterator[errors.TruedyError]:
    said: dict[str, Any] = {
        "operation": "GET /agents",
        "status": 500,
        "code": "internal_error",
        "details": {"a": [1]},
        "request_id": "req_1",
    }
    moment = datetime(2026, 3, 3, 12, 1, tzinfo=timezone.utc)
    yield errors.TruedyError()
    yield errors.ServerError("Boom", **said)
    yield errors.InvalidRequestError("Bad", fields={"name": "too long"}, **said)
    yield errors.RateLimitedError("Slow down", retry_after=12.5, resets_at=moment, **said)
    yield errors.UnreachableError("no route", sent=False)
    yield errors.OutcomeUnknownError.after(errors.RequestTimeoutError("late", **said))
    yield errors.InvalidPayloadError("invalid call", problems=[("name", "''", "too short")])


@pytest.mark.parametrize("error", list(samples()), ids=lambda error: type(error).__name__)
def test_errors_survive_pickling_and_copying(error: errors.TruedyError) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert {k: str(v) for k, v in vars(twin).items()} == {k: str(v) for k, v in vars(error).items()}


def test_the_tree_is_its_own_and_a_refusal_is_a_value_error() -> None:
    children = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert all(issubclass(kind, errors.TruedyError) for kind in children)
    assert issubclass(errors.InvalidPayloadError, ValueError)
    assert len(children) == 17


def test_a_rate_limit_says_when_it_ends() -> None:
    moment = datetime(2026, 3, 3, 12, 1, tzinfo=timezone.utc)
    error = errors.RateLimitedError("Slow down", retry_after=42.4, resets_at=moment, status=429)
    assert "429: Slow down [free again in 42 s, at 2026-03-03T12:01:00Z]" in str(error)


def test_many_problems_are_counted_not_listed() -> None:
    problems = [(f"contacts.{number}.phone_number", "*", "must be E.164") for number in range(500)]
    line = str(errors.InvalidPayloadError("invalid batch call", problems=problems))
    assert "and 495 more" in line
    assert len(line) < 500


def test_an_error_names_the_connection_and_how_often_it_was_tried(server: respx.MockRouter) -> None:
    server.route().respond(503, json=documented("unavailable", "Down."))
    with TruedyClient(KEY, BASE, sleep=lambda _: None, requests_per_minute=None, name="crm") as client:
        with pytest.raises(errors.ServerError) as raised:
            client.send(endpoints.get_batch_call("b"))
        assert "Down (connection 'crm', request id req_1, tried 5 times). The fault" in str(raised.value)
        with pytest.raises(errors.OutcomeUnknownError, match=r"\(connection 'crm', request id req_1\)\. It may"):
            client.send(endpoints.pause_batch_call("b"))
