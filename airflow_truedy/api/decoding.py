"""
Read an HTTP answer: the envelope of a success, the error of a failure.

Both are read in every shape that the API's pages, its framework and a proxy before it can produce. People named in a
request are removed from what the server writes about it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from airflow_truedy.api import errors
from airflow_truedy.api.models import Envelope
from airflow_truedy.api.rate_limit import quota_wait
from airflow_truedy.api.scrub import scrub_id
from airflow_truedy.api.sent_people import SentPeople
from airflow_truedy.api.server_clock import read_http_date, read_moment

if TYPE_CHECKING:
    from airflow_truedy.api.request import Request

T = TypeVar("T")

_BY_STATUS: dict[int, type[errors.TruedyError]] = {
    401: errors.AuthenticationError,
    402: errors.PaymentRequiredError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    408: errors.RequestTimeoutError,
    409: errors.ConflictError,
}
_TEXT_SHOWN = 80
_PLAIN_ID = re.compile(r"(?:[a-z]{2,8}_)?(?=[0-9-]*[a-f])(?=[a-f-]*[0-9])[0-9a-f]{6,32}(?:-[0-9a-f]{1,12}){0,4}")


@dataclass(frozen=True)
class HttpAnswer:
    """What came back; the names of headers in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def envelope_of(request: Request[Any], answer: HttpAnswer, now: float) -> Envelope:
    """
    Take a successful answer apart.

    :param now: our clock, seconds since 1970, to tell when a rate limit ends.
    :raises TruedyError: the error in the answer.
    """
    if not 200 <= answer.status < 300:
        raise _error(request, answer, now)
    header_id = _request_id(request, answer.headers.get("x-request-id"))
    if not answer.body.strip():
        return Envelope(request_id=header_id)
    body = _json(answer.body)
    if body is None:
        raise errors.UnreadableAnswerError(
            SentPeople(request).hide(f"not JSON but {_described(answer)}"),
            operation=request.operation,
            status=answer.status,
            request_id=header_id,
        )
    if not isinstance(body, Mapping):
        return Envelope(data=body, request_id=header_id)
    meta = _mapping(body.get("meta"))
    pagination = _mapping(body.get("pagination"))
    if "total" not in pagination and meta.get("total", meta.get("count")) is not None:
        pagination = {**pagination, "total": meta.get("total", meta.get("count"))}
    return Envelope(
        data=body.get("data", body),
        pagination=pagination,
        request_id=_request_id(request, _text(meta.get("request_id"))) or header_id,
        server_time=read_moment(meta.get("ts", meta.get("timestamp"))),
    )


def result_of(request: Request[T], envelope: Envelope, status: int) -> T:
    """
    Return what a successful answer brought.

    :raises UnreadableAnswerError: if it lacks what it must hold.
    """
    lacking = "data"
    try:
        return request.parse(envelope)
    except ValidationError as unreadable:
        lacking = ", ".join(sorted({".".join(map(str, error["loc"])) or "data" for error in unreadable.errors()}))
    except (ValueError, TypeError):
        pass
    raise errors.UnreadableAnswerError(
        f"the answer lacks what it must hold: {lacking}",
        operation=request.operation,
        status=status,
        request_id=envelope.request_id,
    )


def _request_id(request: Request[Any], text: str | None) -> str | None:
    # Nearly all are plain hexadecimal; only another form is compared with what was sent.
    if text is None or _PLAIN_ID.fullmatch(text):
        return text
    return scrub_id(SentPeople(request).hide(text))


def _error(request: Request[Any], answer: HttpAnswer, now: float) -> errors.TruedyError:
    people = SentPeople(request)
    told = _error_body(answer)
    message, status = people.hide(told.message), answer.status
    common: dict[str, Any] = {
        "operation": request.operation,
        "status": status,
        "code": told.code and people.hide(told.code),
        "details": people.hide_in(told.details),
        "request_id": _request_id(request, told.request_id or answer.headers.get("x-request-id")),
    }
    if status < 400:
        # The location is left out: it may hold anything.
        return errors.UnreadableAnswerError("redirected elsewhere, which this API never does", **common)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        # The server's dates follow its own clock, which this very answer may tell.
        there = read_moment(told.server_time) or read_http_date(answer.headers.get("date"))
        now_there = there.timestamp() if there else now
        wait = quota_wait(answer.headers.get("retry-after"), told.details, now_there)
        resets_at = datetime.fromtimestamp(now + wait, tz=timezone.utc)
        return errors.RateLimitedError(message, retry_after=wait, resets_at=resets_at, **common)
    if status >= 500:
        return errors.ServerError(message, **common)
    if status in _BY_STATUS:
        return _BY_STATUS[status](message, **common)
    fields = {people.hide(field): people.hide(reason) for field, reason in told.fields.items()}
    return errors.InvalidRequestError(message, fields=fields, **common)


@dataclass
class _ErrorBody:
    message: str
    code: str | None = None
    details: Any = None
    request_id: str | None = None
    server_time: Any = None
    fields: dict[str, str] = field(default_factory=dict)


def _error_body(answer: HttpAnswer) -> _ErrorBody:
    body = _json(answer.body)
    if not isinstance(body, Mapping):
        return _ErrorBody(_described(answer))
    meta = _mapping(body.get("meta"))
    meta_id = _text(meta.get("request_id"))
    detail = body.get("detail")
    error = body.get("error")
    if error is None and isinstance(detail, Mapping):
        error = detail.get("error", detail)
    if isinstance(error, Mapping):
        details = error.get("details")
        return _ErrorBody(
            message=_with_reason(_text(error.get("message")) or _phrase(answer.status), details),
            code=_text(error.get("code")),
            details=details,
            request_id=meta_id or _text(error.get("request_id")),
            server_time=meta.get("ts", meta.get("timestamp", error.get("ts"))),
            fields=_named_field(details),
        )
    if isinstance(detail, list):
        fields = _framework_fields(detail)
        return _ErrorBody("the server refuses the request's form", details=detail, request_id=meta_id, fields=fields)
    message = _text(error) or _text(detail) or _text(body.get("message")) or _phrase(answer.status)
    return _ErrorBody(message, request_id=meta_id)


def _with_reason(message: str, details: Any) -> str:
    reason = _text(_mapping(details).get("reason"))
    return f"{message} ({reason})" if reason and reason not in message else message


def _named_field(details: Any) -> dict[str, str]:
    named = _mapping(details)
    name = _text(named.get("field"))
    return {name: _text(named.get("reason")) or "refused"} if name else {}


def _framework_fields(detail: list[Any]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for problem in detail:
        if isinstance(problem, Mapping):
            loc = problem.get("loc")
            steps = [str(step) for step in loc] if isinstance(loc, (list, tuple)) else []
            name = ".".join(steps[1:] if steps[:1] in (["body"], ["query"], ["path"]) else steps) or "(body)"
            fields[name] = _text(problem.get("msg")) or "refused"
    return fields


def _described(answer: HttpAnswer) -> str:
    text = answer.body.decode("utf-8", "replace").strip()
    if not text:
        return f"{_phrase(answer.status)} (empty body)"
    kind = answer.headers.get("content-type", "text of unknown type").split(";")[0]
    return f"{_phrase(answer.status)} ({kind}: {' '.join(text[: 4 * _TEXT_SHOWN].split())[:_TEXT_SHOWN]})"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
