"""
Read an HTTP answer: the envelope of a success, the error of a failure, in all the shapes that the API's
pages, its framework and a proxy before it can produce (API notes (a.3), (a.4), (a.5), (f) 1-3, 7, 20, 49).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from airflow_truedy.api import errors
from airflow_truedy.api.models.answer import Envelope
from airflow_truedy.api.quota import quota_reset

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


@dataclass(frozen=True)
class HttpAnswer:
    """
    What came back.

    :param status: the HTTP status.
    :param headers: names in lower case.
    :param body: the decoded bytes.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def read(request: Request[T], answer: HttpAnswer, now: float) -> T:
    """
    The request's result.

    :param request: what was sent.
    :param answer: what came back.
    :param now: seconds since 1970, to tell how long a rate limit still lasts.
    :raises TruedyError: the error that the answer stands for.
    """
    if not 200 <= answer.status < 300:
        raise _error(request, answer, now)
    envelope = _envelope(request, answer)
    failed_on = ""
    try:
        return request.parse(envelope)
    except ValidationError as unreadable:
        failed_on = ", ".join(sorted({".".join(map(str, error["loc"])) or "data" for error in unreadable.errors()}))
    except (ValueError, TypeError):
        failed_on = "data"
    raise errors.UnreadableAnswerError(
        f"the answer lacks what it must hold: {failed_on}",
        operation=request.operation,
        status=answer.status,
        request_id=envelope.request_id,
    )


def _envelope(request: Request[T], answer: HttpAnswer) -> Envelope:
    header_id = answer.headers.get("x-request-id")
    if not answer.body.strip():
        return Envelope(request_id=header_id)
    body = _json(answer.body)
    if body is None:
        raise errors.UnreadableAnswerError(
            f"not JSON but {_described(answer)}",
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
    data = body.get("data", body)
    return Envelope(
        data=data,
        pagination=pagination,
        request_id=_text(meta.get("request_id")) or header_id,
        server_time=meta.get("ts", meta.get("timestamp")),
    )


def _error(request: Request[Any], answer: HttpAnswer, now: float) -> errors.TruedyError:
    said = _error_said(answer)
    common: dict[str, Any] = {
        "operation": request.operation,
        "status": answer.status,
        "code": said.code,
        "details": said.details,
        "request_id": said.request_id or answer.headers.get("x-request-id"),
    }
    status = answer.status
    if status < 400:
        # The location is left out: it may hold anything.
        return errors.UnreadableAnswerError("redirected elsewhere, which this API never does", **common)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        moment = quota_reset(answer.headers.get("retry-after"), said.details, now)
        resets_at = datetime.fromtimestamp(moment, tz=timezone.utc)
        return errors.RateLimitedError(said.message, retry_after=moment - now, resets_at=resets_at, **common)
    if status >= 500:
        return errors.ServerError(said.message, **common)
    if status in _BY_STATUS:
        return _BY_STATUS[status](said.message, **common)
    return errors.InvalidRequestError(said.message, fields=said.fields, **common)


@dataclass
class _Said:
    message: str
    code: str | None = None
    details: Any = None
    request_id: str | None = None
    fields: dict[str, str] = field(default_factory=dict)


def _error_said(answer: HttpAnswer) -> _Said:
    body = _json(answer.body)
    if not isinstance(body, Mapping):
        return _Said(_described(answer))
    meta_id = _text(_mapping(body.get("meta")).get("request_id"))
    detail = body.get("detail")
    error = body.get("error")
    if error is None and isinstance(detail, Mapping):
        error = detail.get("error", detail)
    if isinstance(error, Mapping):
        details = error.get("details")
        return _Said(
            message=_with_reason(_text(error.get("message")) or _phrase(answer.status), details),
            code=_text(error.get("code")),
            details=details,
            request_id=meta_id or _text(error.get("request_id")),
            fields=_named_field(details),
        )
    if isinstance(detail, list):
        fields = _framework_fields(detail)
        return _Said("the server refuses the request's form", details=detail, request_id=meta_id, fields=fields)
    message = _text(error) or _text(detail) or _text(body.get("message")) or _phrase(answer.status)
    return _Said(message, request_id=meta_id)


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
