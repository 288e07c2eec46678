"""
Send endpoint calls over HTTP: :class:`TruedyClient` and :class:`AsyncTruedyClient`.

The only module that knows the HTTP library. The API key sits in an auth object that shows nothing, never
among the client's headers; no library exception leaves this module, so none carries a request with its
headers along.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import ssl
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx
from tenacity import AsyncRetrying, Retrying, retry_if_exception

from airflow_truedy import __version__
from airflow_truedy.api import decoding
from airflow_truedy.api.errors import (
    InvalidPayloadError,
    RequestTimeoutError,
    TruedyError,
    UnreachableError,
    UnreadableAnswerError,
)
from airflow_truedy.api.pacing import Pacer
from airflow_truedy.api.paging import Pager
from airflow_truedy.api.request import IDEMPOTENCY_HEADER
from airflow_truedy.api.retries import Repeats
from airflow_truedy.api.scrub import HIDDEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from airflow_truedy.api.request import ListRequest, Request

DEFAULT_BASE_URL = "https://api.truedy.ai/api/public/v1"
DEFAULT_TIMEOUT = 30.0
DEFAULT_REQUESTS_PER_MINUTE = 60
DEFAULT_MAX_WAIT = 120.0
_LONGEST_CONNECT = 10.0
_SLOW_READ = 60.0
# What looks like the key is taken out of answers; a shorter one (of a sandbox) could occur there by chance.
_SHORTEST_SECRET = 8
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

T = TypeVar("T")
H = TypeVar("H")


class _KeyAuth(httpx.Auth):
    def __init__(self, api_key: str) -> None:
        self._header = f"Bearer {api_key}"

    def __repr__(self) -> str:
        return "_KeyAuth(***)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


_sending: ContextVar[bool] = ContextVar("airflow_truedy_sending", default=False)


class _WithoutQuery(logging.Filter):
    """The library logs every URL; a query of ours may hold a name or a number (``search``)."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _sending.get() and isinstance(record.args, tuple):
            record.args = tuple(
                part.copy_with(query=None) if isinstance(part, httpx.URL) else part for part in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_WithoutQuery())


@contextmanager
def _quiet() -> Iterator[None]:
    mark = _sending.set(True)
    try:
        yield
    finally:
        _sending.reset(mark)


class _Sender(ABC, Generic[H]):
    """
    What both clients share.

    :param api_key: the key; sent as a bearer token and shown nowhere.
    :param base_url: the API's address up to and with ``/v1``.
    :param timeout: seconds to wait for an answer. Default: 30; creates, adds and imports get at least 60.
    :param requests_per_minute: how many requests this client sends a minute at most. Default: 60; None or 0
        for no limit.
    :param proxy: a proxy's URL. Default: what the environment says.
    :param verify: whether to check the server's certificate, or a file or directory of certificates to check
        with. Default: yes.
    :param headers: sent with every request; neither the key's nor the idempotency header.
    :param user_agent: added to the User-Agent, e.g. ``apache-airflow/3.3.2``.
    :param transport: a transport of the HTTP library, for tests.
    :param sleep: how to wait, for pacing and between attempts; a coroutine function for the async client.
    :param clock: seconds since 1970.
    :param max_wait: the most seconds that one send spends waiting between attempts. Default: 120.
    :param pacer: shared with other clients of the same key; it then sets the pace.
    :raises InvalidPayloadError: for a key, address or header that cannot be sent.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT_BASE_URL,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        requests_per_minute: float | None = DEFAULT_REQUESTS_PER_MINUTE,
        proxy: str | None = None,
        verify: bool | str | ssl.SSLContext = True,
        headers: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        transport: Any = None,
        sleep: Callable[[float], Any] | None = None,
        clock: Callable[[], float] = time.time,
        max_wait: float = DEFAULT_MAX_WAIT,
        pacer: Pacer | None = None,
    ) -> None:
        agent = f"airflow-provider-truedy/{__version__} python/{platform.python_version()}"
        own_headers = {
            **(headers or {}),
            "Accept": "application/json",
            "User-Agent": f"{agent} {user_agent}" if user_agent else agent,
        }
        _check(api_key, base_url, own_headers)
        self.base_url = base_url.rstrip("/")
        self._key = api_key
        self._timeout = timeout
        self._sleep: Callable[[float], Any] = sleep or self._default_sleep()
        self._clock = clock
        self._max_wait = max_wait
        self._pacer = pacer or Pacer(requests_per_minute, clock)
        self._options: dict[str, Any] = {
            "auth": _KeyAuth(api_key),
            "headers": own_headers,
            "proxy": proxy,
            "verify": _ssl(verify),
            "transport": transport,
        }
        self._http: H = self._open()
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r})"

    @abstractmethod
    def _open(self) -> H: ...

    @staticmethod
    @abstractmethod
    def _default_sleep() -> Callable[[float], Any]: ...

    def _connections(self) -> H:
        if self._pid != os.getpid():
            # Forked: the sockets belong to the parent. Leave them alone, do not even close them.
            self._http, self._pid = self._open(), os.getpid()
        return self._http

    def _arguments(self, request: Request[Any]) -> dict[str, Any]:
        read = max(_SLOW_READ, self._timeout) if request.slow else self._timeout
        connect = min(_LONGEST_CONNECT, self._timeout)
        return {
            "method": request.method,
            "url": self.base_url + request.path,
            "params": request.query or None,
            "content": request.body,
            "headers": dict(request.headers),
            "timeout": httpx.Timeout(connect=connect, read=read, write=read, pool=connect),
        }

    def _read(self, request: Request[T], response: httpx.Response) -> T:
        body = response.content
        if len(self._key) >= _SHORTEST_SECRET:
            # A server may echo the key that it refuses.
            body = body.replace(self._key.encode(), b"***")
        answer = decoding.HttpAnswer(response.status_code, dict(response.headers), body)
        return decoding.read(request, answer, self._clock())

    def _failure(self, request: Request[Any], problem: httpx.RequestError) -> TruedyError:
        text = str(problem).replace(self._key, "***")
        message = f"{type(problem).__name__}: {text}" if text else type(problem).__name__
        if isinstance(problem, httpx.TimeoutException):
            return RequestTimeoutError(message, sent=not isinstance(problem, _NEVER_SENT), operation=request.operation)
        if isinstance(problem, httpx.TransportError):
            return UnreachableError(message, sent=not isinstance(problem, _NEVER_SENT), operation=request.operation)
        return UnreadableAnswerError(message, operation=request.operation)


class TruedyClient(_Sender[httpx.Client]):
    """
    The blocking client. Thread-safe; opens its own connections again in a forked process.

    For the parameters see :class:`_Sender`.
    """

    def send(self, request: Request[T]) -> T:
        """
        Send one request, again where that is safe and can help.

        :param request: from :mod:`airflow_truedy.api.endpoints`.
        :raises TruedyError: by cause; :class:`~airflow_truedy.api.errors.OutcomeUnknownError` for a request
            that changes something and may have been carried out.
        """
        repeats = Repeats(request, self._max_wait)
        attempts = Retrying(
            retry=retry_if_exception(repeats.again), wait=repeats.pause, sleep=self._sleep, reraise=True
        )
        try:
            answered: T = attempts(self._attempt, request)
            return answered
        except TruedyError as error:
            failure = repeats.final(error)
        raise failure

    def pages(self, list_request: ListRequest[T]) -> Iterator[T]:
        """
        Every object of a list, page by page as they are taken.

        :param list_request: from :mod:`airflow_truedy.api.endpoints`.
        """
        pager = Pager(list_request)
        while (request := pager.next_request()) is not None:
            yield from pager.take(self.send(request))

    def close(self) -> None:
        """Close the connections."""
        self._connections().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> httpx.Client:
        return httpx.Client(**self._options)

    @staticmethod
    def _default_sleep() -> Callable[[float], None]:
        return time.sleep

    def _attempt(self, request: Request[T]) -> T:
        if wait := self._pacer.reserve():
            self._sleep(wait)
        with _quiet():
            try:
                response = self._connections().request(**self._arguments(request))
            except httpx.RequestError as problem:
                failure = self._failure(request, problem)
            else:
                return self._read(request, response)
        # Raised out here, so that the library's error and its request are not even this one's context.
        raise failure


class AsyncTruedyClient(_Sender[httpx.AsyncClient]):
    """
    The client for asyncio, for one event loop.

    For the parameters see :class:`_Sender`.
    """

    async def send(self, request: Request[T]) -> T:
        """
        Send one request, again where that is safe and can help.

        :param request: from :mod:`airflow_truedy.api.endpoints`.
        :raises TruedyError: by cause; :class:`~airflow_truedy.api.errors.OutcomeUnknownError` for a request
            that changes something and may have been carried out.
        """
        repeats = Repeats(request, self._max_wait)
        attempts = AsyncRetrying(
            retry=retry_if_exception(repeats.again), wait=repeats.pause, sleep=self._sleep, reraise=True
        )
        try:
            answered: T = await attempts(self._attempt, request)
            return answered
        except TruedyError as error:
            failure = repeats.final(error)
        raise failure

    async def pages(self, list_request: ListRequest[T]) -> AsyncIterator[T]:
        """
        Every object of a list, page by page as they are taken.

        :param list_request: from :mod:`airflow_truedy.api.endpoints`.
        """
        pager = Pager(list_request)
        while (request := pager.next_request()) is not None:
            for item in pager.take(await self.send(request)):
                yield item

    async def close(self) -> None:
        """Close the connections."""
        await self._connections().aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _open(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(**self._options)

    @staticmethod
    def _default_sleep() -> Callable[[float], Awaitable[None]]:
        return asyncio.sleep

    async def _attempt(self, request: Request[T]) -> T:
        if wait := self._pacer.reserve():
            await self._sleep(wait)
        with _quiet():
            try:
                response = await self._connections().request(**self._arguments(request))
            except httpx.RequestError as problem:
                failure = self._failure(request, problem)
            else:
                return self._read(request, response)
        raise failure


def _check(api_key: str, base_url: str, headers: Mapping[str, str]) -> None:
    problems = []
    if not api_key or not all("!" <= char <= "~" for char in api_key):
        # The library would repeat an illegal header, key and all, in its own error.
        problems.append(("api_key", HIDDEN, "must be printable ASCII text without spaces"))
    if not _is_http_url(base_url):
        problems.append(("base_url", base_url, "must be an http:// or https:// address with a host"))
    for name, value in headers.items():
        if name.lower() in ("authorization", IDEMPOTENCY_HEADER.lower()):
            problems.append((f"headers.{name}", HIDDEN, "is set by this client"))
        if not (f"{name}{value}".isascii() and f"{name}{value}".isprintable() and name):
            problems.append((f"headers.{name}", HIDDEN, "must be printable ASCII text"))
    if problems:
        raise InvalidPayloadError("invalid client settings", problems=problems)


def _is_http_url(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host) and not url.query


def _ssl(verify: bool | str | ssl.SSLContext) -> bool | ssl.SSLContext:
    if not isinstance(verify, str):
        return verify
    path = Path(verify)
    return ssl.create_default_context(
        cafile=None if path.is_dir() else verify, capath=verify if path.is_dir() else None
    )
