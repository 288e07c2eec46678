"""
Several attempts at one launch, stepped request by request in one thread, so that every interleaving can be tried.

Each attempt runs in a greenlet and stops before each request; the test says what becomes of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import greenlet
import httpx
from fastapi import FastAPI
from truedy_sandbox.clock import VirtualClock

from airflow_truedy.api.client import TruedyClient
from airflow_truedy.api.errors import TruedyError
from airflow_truedy.campaigns.errors import CampaignError
from airflow_truedy.campaigns.launch import Launch, Launched
from airflow_truedy.campaigns.plan import CampaignPlan
from airflow_truedy.campaigns.progress import Store

BASE_URL = "http://127.0.0.1/api/public/v1"


class KilledError(BaseException):
    """The process is gone. Nothing of ours may catch it."""


class Server:
    """The sandbox's application, called without a socket."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app)
        self._loop = asyncio.new_event_loop()

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        return self._loop.run_until_complete(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        again = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = await self._transport.handle_async_request(again)
        content = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)

    def close(self) -> None:
        self._loop.close()


def goes_through(server: Server, request: httpx.Request) -> httpx.Response:
    return server.handle(request)


def loses_its_answer(server: Server, request: httpx.Request) -> httpx.Response:
    server.handle(request)
    raise httpx.ReadError("the connection broke after the work was done", request=request)


def never_arrives(server: Server, request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("the connection was refused", request=request)


def fails_after_the_work(server: Server, request: httpx.Request) -> httpx.Response:
    server.handle(request)
    return httpx.Response(500, content=b"<html>Internal Server Error</html>")


def fails_before_the_work(server: Server, request: httpx.Request) -> httpx.Response:
    return httpx.Response(502, content=b"")


def is_rate_limited(server: Server, request: httpx.Request) -> httpx.Response:
    return httpx.Response(429, json={"error": {"code": "rate_limit_exceeded", "message": "slow down"}})


def kills_before(server: Server, request: httpx.Request) -> httpx.Response:
    raise KilledError


def kills_after(server: Server, request: httpx.Request) -> httpx.Response:
    server.handle(request)
    raise KilledError


Fate = Callable[[Server, httpx.Request], httpx.Response]
KILLS: tuple[Fate, ...] = (kills_before, kills_after)
FAULTS: tuple[Fate, ...] = (
    loses_its_answer,
    never_arrives,
    fails_after_the_work,
    fails_before_the_work,
    is_rate_limited,
)


class _Stepped(httpx.BaseTransport):
    """Hands every request to the test and does with it what the test says."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        fate: Fate = greenlet.getcurrent().parent.switch(request)
        return fate(self._server, request)


class Attempt:
    """
    One attempt at a launch. It stops before each request and at each wait; virtual time moves when a wait ends.

    :param clock: the sandbox's virtual clock.
    :param alone: as the launch takes it.
    :ivar result: what came of it once :attr:`is_over`: a launched campaign, an error, or ``None`` if it was killed.
    :ivar requests: how many requests it made.
    """

    def __init__(
        self,
        server: Server,
        plan: CampaignPlan,
        store: Store | None,
        clock: VirtualClock,
        api_key: str,
        *,
        alone: bool = False,
    ) -> None:
        self.result: Launched | Exception | None = None
        self.requests = 0
        self._clock = clock
        client = TruedyClient(
            api_key,
            BASE_URL,
            transport=_Stepped(server),
            requests_per_minute=0,
            sleep=_wait,
            clock=clock.now,
        )
        self._launch = Launch(client, plan, store, sleep=_wait, alone=alone)
        self._greenlet = greenlet.greenlet(self._run)
        self._wakes_at: float | None = None
        self._switch(None)

    def _run(self) -> None:
        try:
            self.result = self._launch.run()
        except (CampaignError, TruedyError, StaleAttemptError) as error:
            self.result = error
        except KilledError:
            self.result = None

    def _switch(self, fate: Fate | None) -> None:
        stopped_at = self._greenlet.switch(fate) if fate else self._greenlet.switch()
        self._wakes_at = self._clock.now() + stopped_at if isinstance(stopped_at, (int, float)) else None

    @property
    def is_over(self) -> bool:
        return bool(self._greenlet.dead)

    def step(self, fate: Fate = goes_through) -> None:
        """Let the next request meet its fate, after the waits before it, and go on to the next one or to the end."""
        while self._wakes_at is not None and not self.is_over:
            self._clock.change(to=max(self._clock.now(), self._wakes_at))
            self._switch(None)
        if not self.is_over:
            self.requests += 1
            self._switch(fate)

    def finish(self) -> Launched | Exception | None:
        """Let it run to its end undisturbed."""
        while not self.is_over:
            self.step()
        return self.result


def take_turns(attempts: Sequence[Attempt], head_start: int = 0) -> None:
    """Step attempts by turns until all are over; the first one is some requests ahead."""
    for _ in range(head_start):
        attempts[0].step()
    while not all(each.is_over for each in attempts):
        for each in attempts:
            if not each.is_over:
                each.step()


def _wait(seconds: float) -> None:
    greenlet.getcurrent().parent.switch(seconds)


class StaleAttemptError(Exception):
    """What Airflow's API says to a worker whose task instance another try has taken over."""


class FencedStore:
    """
    Airflow's task state store: one value for all tries, which a worker that was given up can reach no more.

    :param shared: the value, in a list that all tries hold.
    """

    def __init__(self, shared: list[dict[str, Any] | None]) -> None:
        self._shared = shared
        self.is_stale = False

    def get(self) -> dict[str, Any] | None:
        return self._shared[0]

    def set(self, value: dict[str, Any]) -> None:
        if self.is_stale:
            raise StaleAttemptError
        self._shared[0] = dict(value)
