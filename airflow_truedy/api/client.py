"""
Send requests over HTTP: :class:`TruedyClient` and :class:`AsyncTruedyClient`.

The only module that knows the HTTP library. The API key sits in an auth object that shows nothing, never among the
client's headers; no library exception leaves this module, so none carries a request with its headers along.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import time
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import httpx

from airflow_truedy.api import decoding, errors
from airflow_truedy.api.answer_limits import TOO_SLOW, WHOLE_REQUEST_FACTOR, AnswerBody, exchange, limit_reads
from airflow_truedy.api.client_options import (
    certificates,
    check_options,
    own_headers,
    unusable_certificates,
    unusable_proxy,
)
from airflow_truedy.api.errors import TruedyError
from airflow_truedy.api.paging import Pager
from airflow_truedy.api.rate_limit import RateLimiter
from airflow_truedy.api.request import Page
from airflow_truedy.api.restrictions import refuse_if_forbidden
from airflow_truedy.api.retries import Attempts
from airflow_truedy.api.server_clock import ServerClock
from airflow_truedy.formats import utc_text

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterator, Mapping
    from datetime import datetime
    from types import TracebackType

    from typing_extensions import Self

    from airflow_truedy.api.request import ListRequest, Request

_LONGEST_CONNECT = 10.0
_SLOW_READ = 60.0
# What looks like the key is taken out of answers; a shorter one (of a sandbox) could occur there by chance.
_SHORTEST_SECRET = 8
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

T = TypeVar("T")
H = TypeVar("H", bound=httpx.Client | httpx.AsyncClient)


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


class _Client(Generic[H]):
    """
    One organisation's client.

    :param api_key: the key; sent as a bearer token and shown nowhere.
    :param base_url: the API's address up to and with ``/v1``.
    :param timeout: seconds to wait for an answer; the whole of it may take three times as long. Default: 30; creates,
        adds and imports get at least 60.
    :param requests_per_minute: the most requests that this client sends a minute. Default: 60; None or 0 for no limit.
    :param proxy: a proxy's URL. Default: what the environment says.
    :param verify: whether to check the server's certificate, or a file or folder of certificates for it. Default: yes.
    :param headers: sent with every request; neither the key's nor the idempotency header.
    :param user_agent: added to the User-Agent, e.g. ``apache-airflow/3.3.2``.
    :param dry_run: refuse every request that would change something. Default: no.
    :param only_numbers: the only numbers that may be called, E.164. Default: all.
    :param transport: a transport of the HTTP library, for tests.
    :param sleep: how to wait, for pacing and between attempts; a coroutine function for the async client.
    :param clock: our clock, seconds since 1970.
    :param max_wait: the most seconds that one send spends waiting between attempts. Default: 120.
    :param rate_limiter: shared with other clients of the same key; it then sets the pace.
    :param name: what errors call this client, e.g. an Airflow connection's id. Default: nothing.
    :raises InvalidPayloadError: for a key, address, header or proxy that cannot be used.
    """

    _library: ClassVar[Any]

    def __init__(
        self,
        api_key: str,
        base_url: str = "https://api.truedy.ai/api/public/v1",
        *,
        timeout: float = 30.0,
        requests_per_minute: float | None = 60,
        proxy: str | None = None,
        verify: bool | str | ssl.SSLContext = True,
        headers: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        dry_run: bool = False,
        only_numbers: Collection[str] = (),
        transport: Any = None,
        sleep: Callable[[float], Any] | None = None,
        clock: Callable[[], float] = time.time,
        max_wait: float = 120.0,
        rate_limiter: RateLimiter | None = None,
        name: str | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.dry_run = dry_run
        self.only_numbers = frozenset(only_numbers)
        self._name = name
        self._key = api_key
        self._timeout = timeout
        self._sleep: Callable[[float], Any] = sleep or (time.sleep if self._library is httpx.Client else asyncio.sleep)
        self._clock = clock
        self._server_clock = ServerClock(clock)
        self._max_wait = max_wait
        self._rate_limiter = rate_limiter or RateLimiter(requests_per_minute, clock)
        with self._named_errors():
            sent_headers = own_headers(headers, user_agent)
            check_options(api_key, base_url, sent_headers)
            self._options: dict[str, Any] = {
                "headers": sent_headers,
                "proxy": proxy,
                "verify": certificates(verify),
                "transport": transport,
            }
            self._http: H = self._open()
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r})"

    def now(self) -> datetime:
        """Return the server's time in UTC, learned from its answers; before the first one, our own time."""
        return self._server_clock.now()

    def _open(self) -> H:
        try:
            opened: H = self._library(auth=_KeyAuth(self._key), **self._options)
            return opened
        except (httpx.InvalidURL, ValueError, ImportError):
            problem = unusable_proxy(self._options["proxy"], _can_be_proxy)
        except OSError:
            problem = unusable_certificates("SSL_CERT_FILE", os.environ.get("SSL_CERT_FILE", ""))
        # Raised out here, so that the library's own words, with the proxy's password, are not this one's context.
        raise problem

    def _connections(self) -> H:
        if self._pid != os.getpid():
            # Forked: the sockets belong to the parent. Leave them alone, do not even close them.
            self._http, self._pid = self._open(), os.getpid()
        return self._http

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Let errors of ours tell whose client raised them."""
        try:
            yield
        except TruedyError as error:
            error.connection = self._name
            raise

    def _refuse_if_too_late(self, request: Request[Any]) -> None:
        if request.not_after is not None and self.now() > request.not_after:
            late = f"it is {utc_text(self.now())} on the server, too late for {utc_text(request.not_after)}"
            raise errors.TooLateError(late, operation=request.operation)

    def _read_timeout(self, request: Request[Any]) -> float:
        return max(_SLOW_READ, self._timeout) if request.slow else self._timeout

    def _longest_time(self, request: Request[Any]) -> float:
        return WHOLE_REQUEST_FACTOR * self._read_timeout(request)

    def _prepared(self, http: H, request: Request[Any]) -> httpx.Request:
        """Return the request in the library's form; the same bytes whenever it is called."""
        read = self._read_timeout(request)
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

    def _body_of(self, request: Request[Any], response: httpx.Response, ends: float) -> AnswerBody:
        return AnswerBody(request, response.status_code, response.headers.get("content-encoding", ""), ends)

    def _result(self, request: Request[T], response: httpx.Response, body: bytes, sent_at: float) -> T:
        if len(self._key) >= _SHORTEST_SECRET:
            # A server may echo the key that it refuses.
            body = body.replace(self._key.encode(), b"***")
        answer = decoding.HttpAnswer(response.status_code, dict(response.headers), body)
        envelope = decoding.envelope_of(request, answer, self._clock())
        self._server_clock.learn(envelope.server_time, answer.headers.get("date"), sent_at)
        return decoding.result_of(request, envelope, answer.status)

    def _failure(self, request: Request[Any], problem: Exception) -> TruedyError:
        if isinstance(problem, asyncio.TimeoutError):
            return errors.RequestTimeoutError(TOO_SLOW, operation=request.operation)
        text = str(problem).replace(self._key, "***")
        message = f"{type(problem).__name__}: {text}" if text else type(problem).__name__
        if not isinstance(problem, httpx.TransportError):
            return errors.UnreadableAnswerError(message, operation=request.operation)
        timed_out = isinstance(problem, httpx.TimeoutException)
        kind = errors.RequestTimeoutError if timed_out else errors.UnreachableError
        return kind(message, sent=not isinstance(problem, _NEVER_SENT), operation=request.operation)


class TruedyClient(_Client[httpx.Client]):
    """The blocking client, thread-safe and safe in a forked process; for the parameters see :class:`_Client`."""

    _library = httpx.Client

    def send(self, request: Request[T]) -> T:
        """
        Send one request of :mod:`airflow_truedy.api.endpoints`, again where that is safe and can help.

        :raises TruedyError: by cause; :class:`~airflow_truedy.api.errors.OutcomeUnknownError` for a request
            that changes something and may have been carried out.
        """
        with self._named_errors():
            refuse_if_forbidden(request, dry_run=self.dry_run, only_numbers=self.only_numbers)
            attempts = Attempts(request, self._max_wait)
            while True:
                try:
                    return self._attempt(request)
                except TruedyError as error:
                    failure = error
                # Raised out here, so that no other error is this one's context.
                if (pause := attempts.pause_after(failure)) is None:
                    raise attempts.outcome(failure)
                self._sleep(pause)

    def pages(self, list_request: ListRequest[T]) -> Iterator[T]:
        """
        Yield every object of a list, page by page as they are taken. Stop early by asking for no more.

        :raises InconsistentListError: if the list contradicts its own paging.
        """
        for page in self.iter_pages(list_request):
            yield from page.items

    def iter_pages(self, list_request: ListRequest[T]) -> Iterator[Page[T]]:
        """As :meth:`pages`, in pages, each with the objects that no page before it held."""
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
            return self._result(request, response, body, sent_at)
        # Raised out here, so that the library's error and its request are not even this one's context.
        raise failure

    def _exchange(self, request: Request[Any]) -> tuple[httpx.Response, bytes]:
        http = self._connections()
        prepared = self._prepared(http, request)
        prepared.extensions["trace"] = limit_reads
        ends = exchange.ends = time.monotonic() + self._longest_time(request)
        try:
            response = http.send(prepared, stream=True)
            try:
                body = self._body_of(request, response, ends)
                for piece in response.iter_bytes():
                    body.add(piece)
            finally:
                response.close()
        finally:
            exchange.ends = math.inf
        return response, body.whole()


class AsyncTruedyClient(_Client[httpx.AsyncClient]):
    """The client for asyncio, for one event loop; for the parameters see :class:`_Client`."""

    _library = httpx.AsyncClient

    async def send(self, request: Request[T]) -> T:
        """Send one request; as :meth:`TruedyClient.send`."""
        with self._named_errors():
            refuse_if_forbidden(request, dry_run=self.dry_run, only_numbers=self.only_numbers)
            attempts = Attempts(request, self._max_wait)
            while True:
                try:
                    return await self._attempt(request)
                except TruedyError as error:
                    failure = error
                if (pause := attempts.pause_after(failure)) is None:
                    raise attempts.outcome(failure)
                await self._sleep(pause)

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
            return self._result(request, response, body, sent_at)
        raise failure

    async def _exchange(self, request: Request[Any]) -> tuple[httpx.Response, bytes]:
        http = self._connections()
        ends = time.monotonic() + self._longest_time(request)
        response = await http.send(self._prepared(http, request), stream=True)
        try:
            body = self._body_of(request, response, ends)
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
