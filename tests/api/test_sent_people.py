"""What a server writes about a request names nobody whom the request named, in whatever form it writes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.api import endpoints, errors
from airflow_truedy.api.client import TruedyClient
from airflow_truedy.api.sent_people import SentPeople

PEOPLE = [
    {
        "phone_number": "+447700900123",
        "first_name": "Zoë",
        "last_name": "O'Brien-Müller",
        "email": "zoe.mueller@example.org",
        "custom_fields": {"street": "7 Rosenweg", "subscribed": "true"},
    },
    {"phone_number": "+12025550143", "first_name": "王小明", "last_name": "Lee"},
    {"phone_number": "+442079460143", "first_name": "Анна", "last_name": "de la Cruz"},
]
ADD = endpoints.add_contacts("batch_1", PEOPLE)
PRIVATE = [
    *("zoe", "zoë", "brien", "müller", "mueller", "muller", "王小明", "lee", "анна", "cruz", "rosenweg"),
    *("900123", "900 123", "9460143", "946 0143", "5550143", "555-0143"),
]

ECHOES = [
    "Zoë O'Brien-Müller cannot be called",
    "ZOE OBRIEN MULLER",
    "contact Zoe Mueller (zoe.mueller@example.org)",
    "zoe.mueller%40example.org is on the list",
    "O\\u0027Brien-M\\u00fcller",
    "Zo&euml; O&#39;Brien",
    "{'first_name': 'Zoe\u0308'}",
    "row 王小明先生 refused",
    "\u0410\u041d\u041d\u0410 \u043d\u0435\u0442",
    "ann: De La Cruz, A.",
    "lives at 7 rosenweg",
    "number 07700 900123",
    "(020) 7946 0143 and (202)555-0143",
    "…900123",
    "7700-900-123",
    "00 44 7700 900 123",
    "+44 (0)7700/900123",
    "M%C3%BCller",
]


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("where", ["message", "code", "reason", "field", "details", "request_id", "header", "detail"])
@pytest.mark.parametrize("status", [422, 500, 404])
def test_no_echo_of_a_person_reaches_the_error(
    client: TruedyClient, server: respx.MockRouter, echo: str, where: str, status: int
) -> None:
    error: dict[str, Any] = {"code": "validation_error", "message": "Bad.", "details": {}}
    body: dict[str, Any] = {"error": error, "meta": {"request_id": "req_32e7531c"}}
    headers = {}
    if where == "reason":
        error["details"] = {"field": "contacts", "reason": echo}
    elif where == "field":
        error["details"] = {"field": echo, "reason": "bad"}
    elif where == "details":
        error["details"] = {"who": [{"x": echo}], echo: 1}
    elif where == "request_id":
        body["meta"]["request_id"] = echo
    elif where == "header":
        body["meta"] = {}
        headers = {"X-Request-ID": echo.encode("ascii", "replace").decode()}
    elif where == "detail":
        body = {"detail": [{"loc": ["body", "contacts", 0, echo], "msg": echo, "input": echo}]}
    else:
        error[where] = echo
    server.route().respond(status, json=body, headers=headers)
    with pytest.raises(errors.TruedyError) as raised:
        client.send(ADD)
    seen: Any = raised.value
    while seen is not None:
        for shown in (str(seen), repr(seen), json.dumps(vars(seen), default=str, ensure_ascii=False)):
            for private in PRIVATE:
                assert private not in shown.lower(), shown
        seen = getattr(seen, "cause", None)


@pytest.mark.parametrize("answer", [{"html": "<p>Zoë Müller 07700 900123</p>"}, {"text": "Lee (202)555-0143"}])
def test_an_answer_that_is_not_json_shows_no_person(
    client: TruedyClient, server: respx.MockRouter, answer: dict[str, str]
) -> None:
    server.route().respond(200, **answer)
    with pytest.raises(errors.OutcomeUnknownError) as raised:
        client.send(ADD)
    for private in PRIVATE:
        assert private not in str(raised.value).lower()


def test_a_successful_answers_request_id_shows_no_person(client: TruedyClient, server: respx.MockRouter) -> None:
    server.route().respond(200, json={"data": {"added_count": 3}, "meta": {"request_id": "for Lee, 07700 900123"}})
    assert client.send(ADD).request_id == "for ***, ***"


def test_a_search_and_a_file_are_remembered_too() -> None:
    search = endpoints.list_contacts(search="Ann Lee").page(("offset", 0))
    assert SentPeople(search).hide("no match for ann or LEE") == "no match for *** or ***"
    file = endpoints.import_contacts(b"phone,name,city\r\n+447700900123,Ann Lee,Old Town\r\n")
    hidden = SentPeople(file).hide("row 2: Lee of old town, 900123: name is too short")
    assert hidden == "row 2: *** of ***, ***: name is too short"


@pytest.mark.parametrize(
    "text",
    [
        "contacts must be valid",
        "subscribed must be true or false",
        "agent agt_f9447372 not found",
        "batch_c3d4e5f6 is in state draft since 2026-03-03T12:01:00Z",
        "at most 500 contacts, 100 requests per minute",
        "Sleep is not what a Clee does",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    assert SentPeople(ADD).hide(text) == text


def test_a_campaigns_name_is_not_a_person() -> None:
    from airflow_truedy.api import models

    payload = models.BatchCallRequest.checked(name="Renewals [x1]", agent_id="a", contacts=PEOPLE)
    assert SentPeople(endpoints.create_batch_call(payload)).hide("name Renewals [x1] is taken") == (
        "name Renewals [x1] is taken"
    )


@given(st.binary(max_size=200))
def test_a_file_that_cannot_be_read_is_no_reason_to_fail(content: bytes) -> None:
    SentPeople(endpoints.import_contacts(content)).hide("anything 5555550123")


@given(st.text(max_size=300))
def test_any_text_can_be_hidden_and_printed(text: str) -> None:
    SentPeople(ADD).hide(text).encode()


def test_a_long_text_or_a_large_request_costs_no_time() -> None:
    import time

    people = [{"phone_number": f"+1202555{number:04}", "first_name": f"Name{number}"} for number in range(5000)]
    began = time.perf_counter()
    SentPeople(endpoints.add_contacts("b", people)).hide("1 " * 1_000_000)
    assert time.perf_counter() - began < 5


def test_the_reasons_of_an_import_show_no_person(client: TruedyClient, server: respx.MockRouter) -> None:
    details = [{"row": 2, "phone": "+447700900123", "reason": "Ann LEE (07700 900123) is known"}, {"row": 3}]
    server.route().respond(200, json={"data": {"imported": 0, "errors": 2, "error_details": details}})
    result = client.send(endpoints.import_contacts(b"phone,name\r\n+447700900123,Ann Lee\r\n"))
    assert [each.reason for each in result.error_details or ()] == ["*** (***) is known", None]
    assert result.imported == 0
