"""
Send requests over HTTP: :class:`TruedyClient` and :class:`AsyncTruedyClient`.

The only module that knows the HTTP library. The API key sits in an auth object that shows nothing, never
among the client's headers; no library exception leaves this module, so none carries a request with its
headers along.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from airflow_truedy.api.answer_body import TOO_SLOW, AnswerBody
from airflow_truedy.api.client_base import ClientBase
from airflow_truedy.api.client_options import unusable_certificates, unusable_proxy
from airflow_truedy.api.errors import RequestTimeoutError, TruedyError, UnreachableError, UnreadableAnswerError
from airflow_truedy.api.paging import Pager
from airflow_truedy.api.request import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from airflow_truedy.api.request import ListRequest, Request

_LONGEST_CONNECT = 10.0
_SHORTEST_READ = 0.001
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

T = TypeVar("T")
H = TypeVar("H", httpx.Client, httpx.AsyncClient)


class _KeyAuth(httpx.Auth):
    def __init__(self, api_key: str) -> None:
        self._header = f"Bearer {api_key}"

    def __repr__(self) -> str:
        return "_KeyAuth(***)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


class _QuietUrl(httpx.URL):
    """An address that hides its query: the library logs every address, and a query may hold a name (``search``)."""

    def __str__(self) -> str:
        return super().__str__().partition("?")[0]

    __repr__ = __str__


class _Exchange(threading.local):
    """When the current request of this thread must be over, in seconds of the monotonic clock."""

    ends = math.inf


_exchange = _Exchange()


def _limit_reads(event: str, info: Mapping[str, Any]) -> None:
    """
    End every read of a new connection when the time of the whole request is over; the library calls it at connect.

    The library's own timeout starts anew with every byte, and during the headers nothing else could stop a blocking
    client.
    """
    if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
        return
    stream = info["return_value"]
    read = stream.read

    def limited(max_bytes: int, timeout: float | None = None) -> bytes:
        left = max(_SHORTEST_READ, _exchange.ends - time.monotonic())
        received: bytes = read(max_bytes, left if timeout is None else min(timeout, left))
        return received

    stream.read = limited


class _HttpxClient(ClientBase[H]):
    """A client over the HTTP library."""

    def _opened(self, kind: type[H]) -> H:
        try:
            return kind(auth=_KeyAuth(self._key), **self._options)
        except (httpx.InvalidURL, ValueError, ImportError):
            problem = unusable_proxy(self._options["proxy"], _can_be_proxy)
        except OSError:
            problem = unusable_certificates("SSL_CERT_FILE", os.environ.get("SSL_CERT_FILE", ""))
        # Raised out here, so that the library's own words, with the proxy's password, are not this one's context.
        raise problem

    def _prepared(self, http: H, request: Request[Any]) -> httpx.Request:
        """Return the request in the library's form; the same bytes whenever it is called."""
        read = self._longest_silence(request)
        connect = min(_LONGEST_CONNECT, self._timeout)
        headers: dict[str, str] = dict(request.headers)
        form: dict[str, Any] = {}
        if request.file is not None:
            # The library would draw a boundary by chance; a repeat must be byte-identical.
            headers["Content-Type"] = f"multipart/form-data; boundary={request.file.boundary}"
            form = {
                "data": dict(request.file.fields),
                "files": {"file": (request.file.name, request.file.content, "text/csv")},
            }
        prepared = http.build_request(
            request.method,
            self.base_url + request.path,
            params=request.query or None,
            content=request.body,
            headers=headers,
            timeout=httpx.Timeout(connect=connect, read=read, write=read, pool=connect),
            **form,
        )
        prepared.url = _QuietUrl(prepared.url)
        return prepared

    def _failure(self, request: Request[Any], problem: Exception) -> TruedyError:
        text = str(problem).replace(self._key, "***")
        if isinstance(problem, asyncio.TimeoutError):
            return RequestTimeoutError(TOO_SLOW, operation=request.operation)
        message = f"{type(problem).__name__}: {text}" if text else type(problem).__name__
        sent = not isinstance(problem, _NEVER_SENT)
        if isinstance(problem, httpx.TimeoutException):
            return RequestTimeoutError(message, sent=sent, operation=request.operation)
        if isinstance(problem, httpx.TransportError):
            return UnreachableError(message, sent=sent, operation=request.operation)
        return UnreadableAnswerError(message, operation=request.operation)


class TruedyClient(_HttpxClient[httpx.Client]):
    """
    The blocking client. Thread-safe; opens its own connections again in a forked process.

    For the parameters see :class:`~airflow_truedy.api.client_base.ClientBase`.
    """

    def send(self, request: Request[T]) -> T:
        """
        Send one request, again where that is safe and can help.

        :param request: from :mod:`airflow_truedy.api.endpoints`.
        :raises TruedyError: by cause; :class:`~airflow_truedy.api.errors.OutcomeUnknownError` for a request
            that changes something and may have been carried out.
        """
        attempts = self._begin(request)
        while True:
            try:
                return self._attempt(request)
            except TruedyError as error:
                failure = error
            pause = attempts.pause_after(failure)
            if pause is None:
                break
            self._sleep(pause)
        # Raised out here, so that no other error is this one's context.
        raise self._outcome(attempts, failure)

    def pages(self, list_request: ListRequest[T]) -> Iterator[T]:
        """
        Yield every object of a list, page by page as they are taken.

        :param list_request: from :mod:`airflow_truedy.api.endpoints`.
        :raises InconsistentListError: if the list contradicts its own paging.
        """
        for page in self.iter_pages(list_request):
            yield from page.items

    def iter_pages(self, list_request: ListRequest[T]) -> Iterator[Page[T]]:
        """
        Yield a list in pages, each with the objects that no page before it held. Stop early by asking for no more.

        :param list_request: from :mod:`airflow_truedy.api.endpoints`.
        :raises InconsistentListError: if the list contradicts its own paging.
        """
        pager = Pager(list_request)
        while (request := pager.next_request()) is not None:
            page = self.send(request)
            yield Page(pager.take(page), page.pagination)

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
        return self._opened(httpx.Client)

    @staticmethod
    def _default_sleep() -> Callable[[float], None]:
        return time.sleep

    def _attempt(self, request: Request[T]) -> T:
        if wait := self._rate_limiter.reserve():
            self._sleep(wait)
        self._refuse_if_too_late(request)
        sent_at = self._clock()
        try:
            response, body = self._exchange(request)
        except httpx.RequestError as problem:
            failure = self._failure(request, problem)
        else:
            return self._result(request, response.status_code, dict(response.headers), body, sent_at)
        # Raised out here, so that the library's error and its request are not even this one's context.
        raise failure

    def _exchange(self, request: Request[Any]) -> tuple[httpx.Response, bytes]:
        http = self._connections()
        prepared = self._prepared(http, request)
        prepared.extensions["trace"] = _limit_reads
        ends = _exchange.ends = time.monotonic() + self._longest_time(request)
        try:
            response = http.send(prepared, stream=True)
            try:
                body = AnswerBody(request, response.status_code, response.headers.get("content-encoding", ""), ends)
                for piece in response.iter_bytes():
                    body.add(piece)
            finally:
                response.close()
        finally:
            _exchange.ends = math.inf
        return response, body.whole()


class AsyncTruedyClient(_HttpxClient[httpx.AsyncClient]):
    """
    The client for asyncio, for one event loop.

    For the parameters see :class:`~airflow_truedy.api.client_base.ClientBase`.
    """

    async def send(self, request: Request[T]) -> T:
        """Send one request; as :meth:`TruedyClient.send`."""
        attempts = self._begin(request)
        while True:
            try:
                return await self._attempt(request)
            except TruedyError as error:
                failure = error
            pause = attempts.pause_after(failure)
            if pause is None:
                break
            await self._sleep(pause)
        raise self._outcome(attempts, failure)

    async def pages(self, list_request: ListRequest[T]) -> AsyncIterator[T]:
        """Yield every object of a list; as :meth:`TruedyClient.pages`."""
        async for page in self.iter_pages(list_request):
            for item in page.items:
                yield item

    async def iter_pages(self, list_request: ListRequest[T]) -> AsyncIterator[Page[T]]:
        """Yield a list in pages; as :meth:`TruedyClient.iter_pages`."""
        pager = Pager(list_request)
        while (request := pager.next_request()) is not None:
            page = await self.send(request)
            yield Page(pager.take(page), page.pagination)

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
        return self._opened(httpx.AsyncClient)

    @staticmethod
    def _default_sleep() -> Callable[[float], Awaitable[None]]:
        return asyncio.sleep

    async def _attempt(self, request: Request[T]) -> T:
        if wait := self._rate_limiter.reserve():
            await self._sleep(wait)
        self._refuse_if_too_late(request)
        sent_at = self._clock()
        try:
            response, body = await asyncio.wait_for(self._exchange(request), self._longest_time(request))
        except (httpx.RequestError, asyncio.TimeoutError) as problem:
            failure = self._failure(request, problem)
        else:
            return self._result(request, response.status_code, dict(response.headers), body, sent_at)
        raise failure

    async def _exchange(self, request: Request[Any]) -> tuple[httpx.Response, bytes]:
        http = self._connections()
        ends = time.monotonic() + self._longest_time(request)
        response = await http.send(self._prepared(http, request), stream=True)
        try:
            body = AnswerBody(request, response.status_code, response.headers.get("content-encoding", ""), ends)
            async for piece in response.aiter_bytes():
                body.add(piece)
        finally:
            await response.aclose()
        return response, body.whole()


def _can_be_proxy(address: str) -> bool:
    try:
        httpx.Client(proxy=address, trust_env=False, verify=False).close()  # noqa: S501 - nothing is sent
    except (httpx.InvalidURL, ValueError, ImportError):
        return False
    return True
