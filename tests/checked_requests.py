"""
Check every request that this project's own client sends in a test against the request models.

A test that passes against a lenient mock proves little: here each method, path, query, header and body has to be one
that the API documents. Requests of other clients (a test that sends the sandbox nonsense on purpose) are left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qsl

import httpx

from airflow_truedy.api import models

BASE_PATH = "/api/public/v1"
OUR_AGENT = "airflow-provider-truedy/"
_ID = r"(?!bulk-delete\b|folders\b|import\b)[^/]+"
_PAGE = {"limit", "offset", "page"}

# (method, path) -> the queries it may have, and the model of its body: None for no body, "csv" for the import.
_ENDPOINTS: list[tuple[str, str, set[str], type[models.Payload] | str | None]] = [
    ("GET", "/batch-calls", {"status", "agent_id"} | _PAGE, None),
    ("POST", "/batch-calls", set(), models.BatchCallRequest),
    ("GET", f"/batch-calls/{_ID}", set(), None),
    ("PATCH", f"/batch-calls/{_ID}", set(), models.BatchCallUpdate),
    ("POST", f"/batch-calls/{_ID}/schedule", set(), models.ScheduleRequest),
    ("POST", f"/batch-calls/{_ID}/pause", set(), None),
    ("POST", f"/batch-calls/{_ID}/resume", set(), None),
    ("GET", f"/batch-calls/{_ID}/contacts", {"status"} | _PAGE, None),
    ("POST", f"/batch-calls/{_ID}/contacts", set(), models.AddContactsRequest),
    ("POST", "/batch-calls/bulk-delete", set(), models.DeleteRequest),
    ("GET", "/contacts/folders", _PAGE, None),
    ("POST", "/contacts/folders", set(), models.FolderRequest),
    ("GET", "/contacts", {"folder_id", "search"} | _PAGE, None),
    ("POST", "/contacts", set(), models.ContactRequest),
    ("PATCH", f"/contacts/{_ID}", set(), models.ContactUpdate),
    ("POST", "/contacts/import", set(), "csv"),
    ("POST", "/calls", set(), models.CallRequest),
    ("GET", "/calls", {"agent_id", "status", "direction"} | _PAGE, None),
    ("GET", f"/calls/{_ID}", set(), None),
    ("GET", f"/calls/{_ID}/transcript", set(), None),
    ("GET", "/agents", {"status", "name"} | _PAGE, None),
    ("GET", f"/agents/{_ID}", set(), None),
    ("GET", "/telephony/numbers", _PAGE, None),
]
_KEYED = {"/batch-calls", "/calls"}


def check_request(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> None:
    """
    Raise AssertionError for a request that the API does not document.

    :param method: the HTTP method.
    :param path: below the base address, still quoted, with its query if there is one.
    :param body: the bytes to be sent.
    :param headers: names in any case.
    """
    path, _, query = path.partition("?")
    found = [row for row in _ENDPOINTS if row[0] == method and re.fullmatch(row[1], path)]
    assert len(found) == 1, f"{method} {path} is not an endpoint of the API"
    _, _, queries, model = found[0]
    sent = {name.lower(): value for name, value in headers.items()}
    assert re.fullmatch(r"Bearer \S+", sent.get("authorization", "")), "the key must be sent as a bearer token"
    if "x-idempotency-key" in sent:
        assert method == "POST", f"{method} takes no idempotency key"
        assert path in _KEYED, f"{path} takes no idempotency key"
    _check_query(dict(parse_qsl(query, keep_blank_values=True)), queries, path)
    _check_body(model, body, sent.get("content-type", ""))


def _check_query(query: dict[str, str], known: set[str], path: str) -> None:
    assert set(query) <= known, f"{path} does not know the query {sorted(set(query) - known)}"
    if "limit" in known:
        assert 1 <= int(query.get("limit", 0)) <= 100, "a list must be asked for with a limit from 1 to 100"
        assert ("offset" in query) != ("page" in query), "a list is paged by offset or by page"


def _check_body(model: type[models.Payload] | str | None, body: bytes, content_type: str) -> None:
    if model is None:
        assert body == b"", "this endpoint takes no body"
    elif isinstance(model, str):
        _check_import(body, content_type)
    else:
        assert content_type == "application/json"
        values = json.loads(body)
        _check_json(model, values)


def _check_json(model: type[models.Payload], values: dict[str, Any]) -> None:
    known = set(model.model_fields) - {"extra_fields"}
    given = {name: value for name, value in values.items() if name in known}
    extra = {name: value for name, value in values.items() if name not in known}
    if extra and "extra_fields" in model.model_fields:
        given["extra_fields"] = extra
    else:
        given.update(extra)
    # Equal to what is sent, so that e.g. a time that is not UTC, a null or a repeated field is noticed.
    assert model.checked(**given).body() == values, f"not the form in which a {model.label} is sent"


def _check_import(body: bytes, content_type: str) -> None:
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    assert message.get_content_type() == "multipart/form-data"
    parts = {part.get_param("name", header="content-disposition"): part for part in message.get_payload()}
    assert "file" in parts, "an import needs a file"
    assert set(parts) <= {"file", "folder_id", "overwrite_existing"}
    assert parts["file"].get_filename(), "the file needs a name"
    flag = parts["overwrite_existing"].get_payload() if "overwrite_existing" in parts else "false"
    assert flag in ("true", "false")


def check_httpx_request(request: httpx.Request, authorization: str | None) -> None:
    """
    Check a request of ours; one of another client, or of another server's path, is left alone.

    :param request: what is about to be sent.
    :param authorization: the header that the client will add while sending.
    """
    path = request.url.raw_path.decode()
    if not request.headers.get("user-agent", "").startswith(OUR_AGENT) or BASE_PATH not in path:
        return
    headers = {**request.headers, **({"authorization": authorization} if authorization else {})}
    check_request(request.method, path.split(BASE_PATH, 1)[1], request.read(), headers)


def install(monkeypatch: Any) -> None:
    """
    Check every request from now on, whatever it goes to: a mock, a transport, a local server.

    :param monkeypatch: pytest's fixture, which also takes the check away again.
    """
    send: Callable[..., httpx.Response] = httpx.Client.send
    async_send: Callable[..., Any] = httpx.AsyncClient.send

    def checked_send(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        check_httpx_request(request, _authorization(client, options))
        return send(client, request, **options)

    async def checked_async_send(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
        check_httpx_request(request, _authorization(client, options))
        return await async_send(client, request, **options)

    monkeypatch.setattr(httpx.Client, "send", checked_send)
    monkeypatch.setattr(httpx.AsyncClient, "send", checked_async_send)


def _authorization(client: Any, options: dict[str, Any]) -> str | None:
    auth = options.get("auth", client.auth)
    if not isinstance(auth, httpx.Auth):
        auth = client.auth
    if auth is None:
        return None
    probe = httpx.Request("GET", "http://probe")
    next(auth.auth_flow(probe))
    return probe.headers.get("authorization")
