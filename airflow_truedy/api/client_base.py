"""What both clients share, apart from the HTTP library: options, pace, rules, and how an answer is read."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_truedy import __version__
from airflow_truedy.api import decoding
from airflow_truedy.api.answer_body import WHOLE_REQUEST_FACTOR
from airflow_truedy.api.client_options import certificates, check_options
from airflow_truedy.api.errors import TooLateError, TruedyError
from airflow_truedy.api.rate_limit import RateLimiter
from airflow_truedy.api.restrictions import refuse_if_forbidden
from airflow_truedy.api.retries import Attempts
from airflow_truedy.api.server_clock import ServerClock
from airflow_truedy.formats import utc_text

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import datetime

    from airflow_truedy.api.request import Request

DEFAULT_BASE_URL = "https://api.truedy.ai/api/public/v1"
DEFAULT_TIMEOUT = 30.0
DEFAULT_REQUESTS_PER_MINUTE = 60
DEFAULT_MAX_WAIT = 120.0
_SLOW_READ = 60.0
# What looks like the key is taken out of answers; a shorter one (of a sandbox) could occur there by chance.
_SHORTEST_SECRET = 8

T = TypeVar("T")
H = TypeVar("H")


class ClientBase(ABC, Generic[H]):
    """
    One organisation's client, whichever way it waits.

    :param api_key: the key; sent as a bearer token and shown nowhere.
    :param base_url: the API's address up to and with ``/v1``.
    :param timeout: seconds to wait for an answer; the whole of it may take three times as long. Default: 30; creates,
        adds and imports get at least 60.
    :param requests_per_minute: how many requests this client sends a minute at most. Default: 60; None or 0
        for no limit.
    :param proxy: a proxy's URL. Default: what the environment says.
    :param verify: whether to check the server's certificate, or a file or directory of certificates to check
        with. Default: yes.
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
        dry_run: bool = False,
        only_numbers: Collection[str] = (),
        transport: Any = None,
        sleep: Callable[[float], Any] | None = None,
        clock: Callable[[], float] = time.time,
        max_wait: float = DEFAULT_MAX_WAIT,
        rate_limiter: RateLimiter | None = None,
        name: str | None = None,
    ) -> None:
        agent = f"airflow-provider-truedy/{__version__} python/{platform.python_version()}"
        own_headers = {
            **(headers or {}),
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"{agent} {user_agent}" if user_agent else agent,
        }
        self._name: str | None = name
        with self._named_errors():
            check_options(api_key, base_url, own_headers)
            verified_by = certificates(verify)
        self.base_url = base_url.rstrip("/")
        self.dry_run = dry_run
        self.only_numbers = frozenset(only_numbers)
        self._key = api_key
        self._timeout = timeout
        self._sleep: Callable[[float], Any] = sleep or self._default_sleep()
        self._clock = clock
        self._server_clock = ServerClock(clock)
        self._max_wait = max_wait
        self._rate_limiter = rate_limiter or RateLimiter(requests_per_minute, clock)
        self._options: dict[str, Any] = {
            "headers": own_headers,
            "proxy": proxy,
            "verify": verified_by,
            "transport": transport,
        }
        with self._named_errors():
            self._http: H = self._open()
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r})"

    def now(self) -> datetime:
        """Return the server's time in UTC, learned from its answers; before the first one, our own time."""
        return self._server_clock.now()

    @abstractmethod
    def _open(self) -> H:
        """Return new connections."""

    @staticmethod
    @abstractmethod
    def _default_sleep() -> Callable[[float], Any]: ...

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

    def _begin(self, request: Request[Any]) -> Attempts:
        with self._named_errors():
            refuse_if_forbidden(request, dry_run=self.dry_run, only_numbers=self.only_numbers)
        return Attempts(request, self._max_wait)

    def _outcome(self, attempts: Attempts, failure: TruedyError) -> TruedyError:
        outcome = attempts.outcome(failure)
        outcome.connection = self._name
        return outcome

    def _refuse_if_too_late(self, request: Request[Any]) -> None:
        if request.not_after is not None and self.now() > request.not_after:
            late = f"it is {utc_text(self.now())} on the server, too late for {utc_text(request.not_after)}"
            raise TooLateError(late, operation=request.operation)

    def _longest_silence(self, request: Request[Any]) -> float:
        return max(_SLOW_READ, self._timeout) if request.slow else self._timeout

    def _longest_time(self, request: Request[Any]) -> float:
        return WHOLE_REQUEST_FACTOR * self._longest_silence(request)

    def _result(self, request: Request[T], status: int, headers: Mapping[str, str], body: bytes, sent_at: float) -> T:
        if len(self._key) >= _SHORTEST_SECRET:
            # A server may echo the key that it refuses.
            body = body.replace(self._key.encode(), b"***")
        answer = decoding.HttpAnswer(status, headers, body)
        envelope = decoding.envelope_of(request, answer, self._clock())
        self._server_clock.learn(envelope.server_time, answer.headers.get("date"), sent_at)
        return decoding.result_of(request, envelope, answer.status)
