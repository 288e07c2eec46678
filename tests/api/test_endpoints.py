"""Every endpoint, through both clients: what is sent, and what comes of the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
import respx

from airflow_truedy.api import endpoints, models
from airflow_truedy.api.client import AsyncTruedyClient, TruedyClient
from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.api.request import ListRequest, Request
from tests.api.scripted import NUMBER, batch

MOMENT = datetime(2026, 6, 1, 13, tzinfo=timezone.utc)
BATCH_REQUEST = models.BatchCallRequest.checked(name="n", agent_id="agt_1", contact_ids=["ctc_1"])
CALL_REQUEST = models.CallRequest.checked(
    agent_id="agt_1",
    phone_number=NUMBER,
    call_settings={"recording_enabled": False, "max_duration": "60s"},
    variables={"plan": "gold"},
)
CONTACT = models.ContactRequest.checked(phone_number=NUMBER, folder_id="folder_1")

# the call, its method and path, its JSON body, what it answers with, the type of the result
ONE: list[tuple[Callable[[], Request[Any]], str, str, Any, Any, type]] = [
    (
        lambda: endpoints.create_batch_call(BATCH_REQUEST),
        "POST",
        "/batch-calls",
        {"name": "n", "agent_id": "agt_1", "contact_ids": ["ctc_1"]},
        batch(),
        models.BatchCall,
    ),
    (lambda: endpoints.get_batch_call("batch_1"), "GET", "/batch-calls/batch_1", None, batch(), models.BatchCall),
    (
        lambda: endpoints.update_batch_call("batch_1", models.BatchCallUpdate.checked(retry_failed=True)),
        "PATCH",
        "/batch-calls/batch_1",
        {"retry_failed": True},
        batch(),
        models.BatchCall,
    ),
    (
        lambda: endpoints.schedule_batch_call("batch_1", scheduled_at=MOMENT, timezone="Europe/Paris"),
        "POST",
        "/batch-calls/batch_1/schedule",
        {"scheduled_at": "2026-06-01T13:00:00Z", "timezone": "Europe/Paris"},
        {"data": {"id": "batch_1", "status": "scheduled"}},
        models.ScheduledBatchCall,
    ),
    (
        lambda: endpoints.schedule_batch_call("batch_1"),
        "POST",
        "/batch-calls/batch_1/schedule",
        {},
        None,
        models.ScheduledBatchCall,
    ),
    (
        lambda: endpoints.pause_batch_call("batch_1"),
        "POST",
        "/batch-calls/batch_1/pause",
        None,
        None,
        models.ScheduledBatchCall,
    ),
    (
        lambda: endpoints.resume_batch_call("a/b?c"),
        "POST",
        "/batch-calls/a%2Fb%3Fc/resume",
        None,
        {"data": {"id": "a/b?c", "status": "running", "resumed_at": "2026-06-01T13:00:00Z"}},
        models.ScheduledBatchCall,
    ),
    (
        lambda: endpoints.add_contacts("batch_1", [{"phone_number": NUMBER, "first_name": None}]),
        "POST",
        "/batch-calls/batch_1/contacts",
        {"contacts": [{"phone_number": NUMBER}]},
        {"data": {"added_count": 1, "failed_count": 0}},
        models.AddedContacts,
    ),
    (
        lambda: endpoints.delete_batch_calls(["batch_1", "batch_2"]),
        "POST",
        "/batch-calls/bulk-delete",
        {"ids": ["batch_1", "batch_2"]},
        {"data": {"deleted_count": 1, "failed_count": 1, "deleted_ids": ["batch_1"], "failed_ids": ["batch_2"]}},
        models.DeletedBatchCalls,
    ),
    (
        lambda: endpoints.create_folder("leads", "spring"),
        "POST",
        "/contacts/folders",
        {"name": "leads", "description": "spring"},
        {"data": {"id": "folder_1"}},
        models.Folder,
    ),
    (
        lambda: endpoints.create_contact(CONTACT),
        "POST",
        "/contacts",
        {"phone_number": NUMBER, "folder_id": "folder_1"},
        {"data": {"id": "cnt_1"}},
        models.Contact,
    ),
    (
        lambda: endpoints.update_contact("cnt_1", models.ContactUpdate.checked(custom_fields={"plan": "gold"})),
        "PATCH",
        "/contacts/cnt_1",
        {"custom_fields": {"plan": "gold"}},
        {"data": {"id": "cnt_1"}},
        models.Contact,
    ),
    (
        lambda: endpoints.create_call(CALL_REQUEST),
        "POST",
        "/calls",
        {
            "agent_id": "agt_1",
            "phone_number": NUMBER,
            "call_settings": {"recording_enabled": False, "max_duration": "60s"},
            "variables": {"plan": "gold"},
        },
        {"data": {"id": "call_1", "status": "queued"}},
        models.Call,
    ),
    (lambda: endpoints.get_call("call_1"), "GET", "/calls/call_1", None, {"data": {"id": "call_1"}}, models.Call),
    (
        lambda: endpoints.get_transcript("call_1"),
        "GET",
        "/calls/call_1/transcript",
        None,
        {"data": {"call_id": "call_1", "transcript": [{"speaker": "agent", "text": "Hello"}]}},
        models.Transcript,
    ),
    (lambda: endpoints.get_agent("agt_1"), "GET", "/agents/agt_1", None, {"data": {"id": "agt_1"}}, models.Agent),
]

# the list, its path, the query beside paging
LISTS: list[tuple[Callable[[], ListRequest[Any]], str, dict[str, str]]] = [
    (
        lambda: endpoints.list_batch_calls(status="running", agent_id="agt_1"),
        "/batch-calls",
        {"status": "active", "agent_id": "agt_1"},
    ),
    (lambda: endpoints.list_batch_call_contacts("b", status="failed"), "/batch-calls/b/contacts", {"status": "failed"}),
    (lambda: endpoints.list_folders(), "/contacts/folders", {}),
    (
        lambda: endpoints.list_contacts(folder_id="f", search="Ann & Bo"),
        "/contacts",
        {"folder_id": "f", "search": "Ann & Bo"},
    ),
    (
        lambda: endpoints.list_calls(agent_id="a", status="completed", direction="outbound"),
        "/calls",
        {"agent_id": "a", "status": "completed", "direction": "outbound"},
    ),
    (lambda: endpoints.list_agents(status="active", name="sales"), "/agents", {"status": "active", "name": "sales"}),
    (lambda: endpoints.list_numbers(), "/telephony/numbers", {}),
]


@pytest.mark.parametrize(("make", "method", "path", "body", "said", "kind"), ONE)
async def test_both_clients_send_and_read_the_same(
    client: TruedyClient,
    async_client: AsyncTruedyClient,
    server: respx.MockRouter,
    make: Callable[[], Request[Any]],
    method: str,
    path: str,
    body: Any,
    said: Any,
    kind: type,
) -> None:
    route = server.route(method=method).respond(200, **({} if said is None else {"json": said}))
    results = [client.send(make()), await async_client.send(make())]
    first, second = (call.request for call in route.calls)
    for request in (first, second):
        assert request.url.raw_path.decode() == f"/api/public/v1{path}"
        assert (json.loads(request.content) if request.content else None) == body
    assert first.content == second.content
    assert dict(first.headers) == dict(second.headers)
    assert [type(result) for result in results] == [kind, kind]
    assert results[0] == results[1]


@pytest.mark.parametrize(("make", "path", "query"), LISTS)
async def test_lists_page_by_themselves_with_an_explicit_limit(
    client: TruedyClient,
    async_client: AsyncTruedyClient,
    server: respx.MockRouter,
    make: Callable[[], ListRequest[Any]],
    path: str,
    query: dict[str, str],
) -> None:
    data = {"data": [{"id": "x"}], "pagination": {"total": 1, "limit": 100, "offset": 0, "has_more": False}}
    route = server.get(path).respond(200, json=data)
    found = [list(client.pages(make())), [item async for item in async_client.pages(make())]]
    assert [len(items) for items in found] == [1, 1]
    for call in route.calls:
        assert dict(call.request.url.params) == {**query, "limit": "100", "offset": "0"}


def test_only_reads_and_batch_calls_with_a_key_are_repeatable() -> None:
    assert endpoints.create_batch_call(BATCH_REQUEST, idempotency_key="key-1").repeatable
    assert not endpoints.create_batch_call(BATCH_REQUEST, idempotency_key="key-1").once().repeatable
    assert all(make().repeatable == (method == "GET") for make, method, *_ in ONE)


def test_a_single_call_carries_its_key_and_is_never_repeatable() -> None:
    call = endpoints.create_call(CALL_REQUEST, idempotency_key="key-1")
    assert ("X-Idempotency-Key", "key-1") in call.headers
    assert not call.repeatable


def test_once_changes_nothing_that_is_sent() -> None:
    call = endpoints.create_batch_call(BATCH_REQUEST, idempotency_key="key-1")
    assert (call.once().body, call.once().headers) == (call.body, call.headers)


@pytest.mark.parametrize("key", ["", " key", "kéy", "a\nb"])
def test_an_idempotency_key_that_cannot_be_sent_is_refused(key: str) -> None:
    with pytest.raises(InvalidPayloadError, match="idempotency_key"):
        endpoints.create_batch_call(BATCH_REQUEST, idempotency_key=key)


@pytest.mark.parametrize("bad", ["", "  ", ".", "..", "a\r\nb", None, "+12125550100", "ann@example.org"])
def test_an_id_that_would_change_the_path_or_show_a_person_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidPayloadError, match="must be an id"):
        endpoints.get_batch_call(bad)


def test_creates_adds_and_imports_get_more_time() -> None:
    slow = {make().operation for make, *_ in ONE if make().slow} | {endpoints.import_contacts(b"phone\n").operation}
    assert slow == {"POST /batch-calls", "POST /batch-calls/batch_1/contacts", "POST /contacts/import"}


def test_an_import_is_a_file_upload_and_byte_identical_on_a_repeat(
    client: TruedyClient, server: respx.MockRouter
) -> None:
    route = server.post("/contacts/import").respond(200, json={"data": {"imported": 1, "errors": 0}})
    content = f"phone,name\r\n{NUMBER},Ann\r\n".encode()
    for _ in range(2):
        result = client.send(endpoints.import_contacts(content, 'a"b.csv', "folder_1", overwrite_existing=True))
        assert result.imported == 1
    first, second = (call.request for call in route.calls)
    assert first.content == second.content
    assert content in first.content
    assert b'name="file"; filename="a%22b.csv"' in first.content
    assert b'name="folder_id"\r\n\r\nfolder_1\r\n' in first.content
    assert b'name="overwrite_existing"\r\n\r\ntrue\r\n' in first.content


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: models.BatchCallUpdate.checked(), "at least one field"),
        (lambda: models.BatchCallUpdate.checked(name=None), "at least one field"),
        (lambda: models.BatchCallUpdate.checked(end_time="17:00"), "both start_time and end_time"),
        (lambda: models.BatchCallUpdate.checked(timezone="UTC"), "not a field of this request"),
        (
            lambda: models.BatchCallUpdate.checked(schedule_type="immediate", scheduled_at=MOMENT),
            "must be scheduled",
        ),
        (lambda: models.ContactUpdate.checked(), "at least one field"),
        (lambda: models.ContactUpdate.checked(phone_number=NUMBER), "not a field of this request"),
        (lambda: models.FolderRequest.checked(name=""), "at least 1 character"),
        (lambda: models.CallRequest.checked(agent_id="a", phone_number="1"), "E.164"),
        (
            lambda: models.CallRequest.checked(agent_id="a", phone_number=NUMBER, call_settings={"max_duration": "1h"}),
            "whole seconds",
        ),
        (lambda: endpoints.schedule_batch_call("b", scheduled_at="2026-06-01T13:00:00"), "offset from UTC"),
        (lambda: endpoints.schedule_batch_call("b", timezone="Mars/Olympus"), "not an IANA zone"),
        (lambda: endpoints.add_contacts("b", []), "at least 1 item"),
        (lambda: endpoints.delete_batch_calls([]), "at least 1 item"),
        (lambda: endpoints.import_contacts(b"", folder_id="x\r\n--y"), "must be an id"),
    ],
)
def test_other_bad_requests_are_refused_with_their_rule(make: Callable[[], Any], rule: str) -> None:
    with pytest.raises(InvalidPayloadError) as refused:
        make()
    assert rule in str(refused.value)
