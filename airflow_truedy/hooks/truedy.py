"""The hooks: an Airflow connection in, the Truedy API out. Every method is one endpoint; no rule lives here."""

from __future__ import annotations

import functools
import inspect
import logging
import time
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_truedy.api import endpoints
from airflow_truedy.api.client import AsyncTruedyClient, TruedyClient
from airflow_truedy.api.errors import TruedyError
from airflow_truedy.hooks.settings import ClientSettings, diagnose
from airflow_truedy.links.batch_calls import campaign_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from types import TracebackType

    from airflow_truedy.api.request import ListRequest, Request

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M")


def _send(endpoint: Callable[P, Request[T]]) -> Callable[Concatenate[TruedyHook, P], T]:
    """Make an endpoint a method of the sync hook; signature and documentation are the endpoint's."""

    def method(self: TruedyHook, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.client.send(endpoint(*args, **kwargs))

    return _signed(method, endpoint)


def _pages(endpoint: Callable[P, ListRequest[T]]) -> Callable[Concatenate[TruedyHook, P], Iterator[T]]:
    """Make a list endpoint a method that yields all items, page by page."""

    def method(self: TruedyHook, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self.client.pages(endpoint(*args, **kwargs))

    return _signed(method, endpoint)


def _asend(
    endpoint: Callable[P, Request[T]],
) -> Callable[Concatenate[TruedyAsyncHook, P], Coroutine[Any, Any, T]]:
    """Make an endpoint a method of the async hook."""

    async def method(self: TruedyAsyncHook, /, *args: P.args, **kwargs: P.kwargs) -> T:
        client = await self.get_async_conn()
        return await client.send(endpoint(*args, **kwargs))

    return _signed(method, endpoint)


def _apages(
    endpoint: Callable[P, ListRequest[T]],
) -> Callable[Concatenate[TruedyAsyncHook, P], AsyncIterator[T]]:
    """Make a list endpoint an async iterator over all items."""

    async def method(self: TruedyAsyncHook, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        client = await self.get_async_conn()
        async for item in client.pages(endpoint(*args, **kwargs)):
            yield item

    return _signed(method, endpoint)


def _signed(method: M, endpoint: Callable[..., Any]) -> M:
    """Let the method show the endpoint's text, and its parameters behind ``self``, for editors and ``help()``."""
    functools.update_wrapper(method, endpoint)  # type: ignore[arg-type]
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    of_endpoint = inspect.signature(endpoint)
    signature = of_endpoint.replace(parameters=[own, *of_endpoint.parameters.values()])
    method.__signature__ = signature  # type: ignore[attr-defined]
    return method


def _tell(conn_id: str, settings: ClientSettings) -> None:
    """Log which connection is used, and what it does not allow."""
    restrictions = settings.restrictions()
    if restrictions:
        log.warning("Connection %r, %s: %s.", conn_id, settings.base_url, restrictions)
    else:
        log.info("Connection %r, %s.", conn_id, settings.base_url)


class _ConnectionType:
    """What Airflow asks of a hook class."""

    conn_name_attr = "truedy_conn_id"
    default_conn_name = "truedy_default"
    conn_type = "truedy"
    hook_name = "Truedy"


class TruedyHook(_ConnectionType, BaseHook):
    """
    Interact with Truedy.

    Holds one connection pool, made at the first request; close it, or use the hook as a context manager.

    :param truedy_conn_id: Airflow connection: password = API key; host = base URL (default
        ``https://api.truedy.ai/api/public/v1``); extra: ``timeout`` (seconds), ``requests_per_minute``, ``proxy``,
        ``verify``, ``headers``, ``settle`` (seconds), ``dry_run``, ``only_numbers``, ``dashboard_url``.
    :raises ConnectionFieldError: at the first use, if the key is missing or a field cannot be used.
    """

    def __init__(self, truedy_conn_id: str = _ConnectionType.default_conn_name) -> None:
        super().__init__()
        self.truedy_conn_id = truedy_conn_id

    @cached_property
    def settings(self) -> ClientSettings:
        """What the connection states; read once, at the first use."""
        connection = self.get_connection(self.truedy_conn_id)
        return ClientSettings.read(connection, connection.extra_dejson)

    @cached_property
    def client(self) -> TruedyClient:
        """The API client of this hook."""
        client = TruedyClient(**self.settings.client_arguments())
        _tell(self.truedy_conn_id, self.settings)
        return client

    def get_conn(self) -> TruedyClient:
        """Return the API client of this hook."""
        return self.client

    def campaign_url(self, batch_call_id: str) -> str:
        """Return where a person sees the batch call; extra ``dashboard_url`` overrides Truedy's own dashboard."""
        return campaign_url(self.settings.base_url, batch_call_id, self.settings.dashboard_url)

    def close(self) -> None:
        """Close the connection pool; the next request opens another."""
        if "client" in self.__dict__:
            self.client.close()
            del self.client

    def __enter__(self) -> TruedyHook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def test_connection(self) -> tuple[bool, str]:
        """Read one page of agents and say what came of it; used by Airflow's own connection test."""
        try:
            # Somebody looks at a form and waits: the first answer counts, whatever it is.
            settings = self.settings
            with TruedyClient(**{**settings.client_arguments(), "name": None}, max_wait=0) as client:
                began = time.perf_counter()
                page = client.send(endpoints.list_agents().page(("offset", 0)))
                milliseconds = (time.perf_counter() - began) * 1000
        except (TruedyError, ValueError, OSError) as problem:
            return False, diagnose(problem)
        count = len(page.items) if page.total is None else page.total
        told = f"Connected to {client.base_url}: {count} agents, answer in {milliseconds:.0f} ms."
        restrictions = settings.restrictions()
        return True, f"{told} This connection may not dial freely: {restrictions}." if restrictions else told

    list_batch_calls = _pages(endpoints.list_batch_calls)
    create_batch_call = _send(endpoints.create_batch_call)
    get_batch_call = _send(endpoints.get_batch_call)
    update_batch_call = _send(endpoints.update_batch_call)
    schedule_batch_call = _send(endpoints.schedule_batch_call)
    pause_batch_call = _send(endpoints.pause_batch_call)
    resume_batch_call = _send(endpoints.resume_batch_call)
    list_batch_call_contacts = _pages(endpoints.list_batch_call_contacts)
    add_contacts = _send(endpoints.add_contacts)
    delete_batch_calls = _send(endpoints.delete_batch_calls)

    list_contacts = _pages(endpoints.list_contacts)
    create_contact = _send(endpoints.create_contact)
    update_contact = _send(endpoints.update_contact)
    list_folders = _pages(endpoints.list_folders)
    create_folder = _send(endpoints.create_folder)
    import_contacts = _send(endpoints.import_contacts)

    create_call = _send(endpoints.create_call)
    get_call = _send(endpoints.get_call)
    list_calls = _pages(endpoints.list_calls)

    list_agents = _pages(endpoints.list_agents)
    get_agent = _send(endpoints.get_agent)
    list_numbers = _pages(endpoints.list_numbers)


class TruedyAsyncHook(_ConnectionType, BaseHook):
    """
    Interact with Truedy from a trigger or another event loop; the async twin of :class:`TruedyHook`.

    :param truedy_conn_id: Airflow connection, see :class:`TruedyHook`.
    :param requests_per_minute: a pace below the connection's own. Default: the connection's.
    """

    def __init__(
        self, truedy_conn_id: str = _ConnectionType.default_conn_name, *, requests_per_minute: float | None = None
    ) -> None:
        super().__init__()
        self.truedy_conn_id = truedy_conn_id
        self._requests_per_minute = requests_per_minute
        self._client: AsyncTruedyClient | None = None
        self._settings: ClientSettings | None = None

    async def get_async_conn(self) -> AsyncTruedyClient:
        """Return the API client of this hook; the connection is resolved with Airflow's async API only."""
        if self._client is None:
            settings = await self.get_settings()
            self._client = AsyncTruedyClient(**settings.client_arguments())
            _tell(self.truedy_conn_id, settings)
        return self._client

    async def get_settings(self) -> ClientSettings:
        """Return what the connection states; read once, at the first use."""
        if self._settings is None:
            self._settings = await ClientSettings.read_async(self, self.truedy_conn_id)
            if self._requests_per_minute is not None:
                own = self._settings.requests_per_minute or self._requests_per_minute
                pace = min(own, self._requests_per_minute)
                self._settings = replace(self._settings, requests_per_minute=pace)
        return self._settings

    async def aclose(self) -> None:
        """Close the connection pool; the next request opens another."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def __aenter__(self) -> TruedyAsyncHook:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    list_batch_calls = _apages(endpoints.list_batch_calls)
    create_batch_call = _asend(endpoints.create_batch_call)
    get_batch_call = _asend(endpoints.get_batch_call)
    update_batch_call = _asend(endpoints.update_batch_call)
    schedule_batch_call = _asend(endpoints.schedule_batch_call)
    pause_batch_call = _asend(endpoints.pause_batch_call)
    resume_batch_call = _asend(endpoints.resume_batch_call)
    list_batch_call_contacts = _apages(endpoints.list_batch_call_contacts)
    add_contacts = _asend(endpoints.add_contacts)
    delete_batch_calls = _asend(endpoints.delete_batch_calls)

    list_contacts = _apages(endpoints.list_contacts)
    create_contact = _asend(endpoints.create_contact)
    update_contact = _asend(endpoints.update_contact)
    list_folders = _apages(endpoints.list_folders)
    create_folder = _asend(endpoints.create_folder)
    import_contacts = _asend(endpoints.import_contacts)

    create_call = _asend(endpoints.create_call)
    get_call = _asend(endpoints.get_call)
    list_calls = _apages(endpoints.list_calls)

    list_agents = _apages(endpoints.list_agents)
    get_agent = _asend(endpoints.get_agent)
    list_numbers = _apages(endpoints.list_numbers)
