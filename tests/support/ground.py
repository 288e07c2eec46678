"""A sandbox in this process whose clock stands still, a client that waits for nothing, answers that can be altered."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import httpx
import pytest
from truedy_sandbox.app import create_app
from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.faults import FaultRequest
from truedy_sandbox.settings import Settings

from airflow_truedy.api.client import TruedyClient
from airflow_truedy.campaigns.launch import Launch, Launched
from airflow_truedy.campaigns.plan import CampaignPlan
from airflow_truedy.campaigns.progress import Store
from airflow_truedy.campaigns.steps import Settling
from tests.support.plans import MONDAY, UTC

Send = Callable[[], httpx.Response]
Rule = Callable[[httpx.Request, Send], httpx.Response]
_PREFIX = "/api/public/v1"


class Ground:
    """
    Where launches are tried. Virtual time is MONDAY until it is moved. One at a time for the same settings.

    :param settings: of the sandbox.
    """

    def __init__(self, **settings: Any) -> None:
        self.app = _app_of(Settings(**{"rate_limit": 0, **settings}))
        self.clock = self.app.state.world.clock = VirtualClock(MONDAY, speed=0)
        self.app.state.world.reset()
        self.app.state.log.clear()
        self.app.state.faults.clear()
        self._rules: list[tuple[str, str, Rule]] = []

    def __enter__(self) -> Ground:
        self.transport = _Altered(self.app, self._rules)
        self.client = TruedyClient(
            self.app.state.world.settings.api_key,
            f"http://127.0.0.1{_PREFIX}",
            requests_per_minute=None,
            sleep=self.advance,
            clock=lambda: self.clock.now(),
            transport=self.transport,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now(), UTC)

    def advance(self, seconds: float) -> None:
        self.clock.change(to=self.clock.now() + seconds)

    def launch(self, plan: CampaignPlan, store: Store | None = None, **options: Any) -> Launch:
        return Launch(self.client, plan, store, now=self.now, sleep=self.advance, **options)

    def run(self, plan: CampaignPlan, store: Store | None = None, **options: Any) -> Launched:
        return self.launch(plan, store, **options).run()

    @property
    def settling(self) -> Settling:
        """Waits in virtual time."""
        return Settling(sleep=self.advance)

    def fault(self, kind: str, method: str, path: str, *, after: int = 0, times: int | None = 1) -> None:
        """Let a fault strike; see the sandbox's FaultRequest."""
        self.app.state.faults.add(
            FaultRequest.model_validate(
                {"kind": kind, "match": {"method": method, "path": path}, "after": after, "times": times}
            )
        )

    def alter(self, method: str, path: str, rule: Rule) -> None:
        """Let ``rule`` answer matching requests; it may send them on with its second argument."""
        self._rules.append((method, path, rule))

    def alter_data(self, method: str, path: str, **changes: Any) -> None:
        """Change fields in ``data`` of matching answers; ``...`` takes a field away."""

        def rule(_: httpx.Request, send: Send) -> httpx.Response:
            answer = send()
            if answer.status_code >= 300:
                return answer
            body = answer.json()
            for row in body["data"] if isinstance(body["data"], list) else [body["data"]]:
                row.update(changes)
                for name in [name for name, value in changes.items() if value is ...]:
                    del row[name]
            return httpx.Response(answer.status_code, json=body)

        self.alter(method, path, rule)

    def heal(self) -> None:
        """Alter nothing and let no fault strike from now on."""
        self._rules.clear()
        self.app.state.faults.clear()

    @property
    def requests(self) -> list[str]:
        """What was asked so far, such as ``POST /batch-calls``; ids are written as ``{id}``."""
        return [f"{each.method} {_anonymous(each.path)}" for each in self.app.state.log.all]

    @property
    def writes(self) -> list[str]:
        return [each for each in self.requests if not each.startswith("GET")]

    def keys(self) -> list[str | None]:
        """The idempotency keys of all creates."""
        return [
            each.idempotency_key
            for each in self.app.state.log.all
            if each.path == f"{_PREFIX}/batch-calls" and each.method == "POST"
        ]

    @property
    def batches(self) -> list[Any]:
        """The batch calls on the server, the eldest first."""
        return list(reversed(self.app.state.world.all_batches()))

    @property
    def only(self) -> Any:
        """The batch call on the server, which is the only one."""
        (batch,) = self.batches
        return batch

    def numbers(self, batch: Any = None) -> list[str]:
        return list((batch or self.only).roster.numbers())

    def do(self, command: str, batch: Any, **arguments: Any) -> Any:
        """Carry out a command on the server behind everybody's back, such as a person in the dashboard does."""
        return self.app.state.world.do(command, {"id": batch.id, **arguments})

    def force(self, batch: Any, status: str) -> None:
        """End a batch call as a person in the dashboard would."""
        if status == "deleted":
            self.app.state.world.do("delete_batches", {"ids": [batch.id], "by_force": True})
        else:
            self.do("force_batch", batch, status=status)


@functools.cache
def _app_of(settings: Settings) -> Any:
    # Most of a test's time would go into building routes.
    return create_app(settings)


class _Altered(httpx.BaseTransport):
    """Hands requests to the rules and the app. A real connection makes no difference here, but takes time."""

    def __init__(self, app: Any, rules: list[tuple[str, str, Rule]]) -> None:
        self._rules = rules
        self._app = httpx.ASGITransport(app)
        self._loop = asyncio.new_event_loop()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(_PREFIX)
        for method, pattern, rule in self._rules:
            if request.method == method and re.fullmatch(pattern, path):
                return rule(request, lambda: self._send(request))
        return self._send(request)

    def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._loop.run_until_complete(self._answer(request))
        except ConnectionResetError as lost:
            raise httpx.ReadError(str(lost), request=request) from lost

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        again = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = await self._app.handle_async_request(again)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

    def close(self) -> None:
        self._loop.close()


def refused(status: int = 422, code: str = "validation_error", message: str = "not in this state") -> Rule:
    """A rule that refuses a request before any work."""
    return lambda *_: httpx.Response(status, json={"error": {"code": code, "message": message}})


def _anonymous(path: str) -> str:
    return re.sub(r"(batch-calls)/(?!bulk-delete)[^/]+", r"\1/{id}", path.removeprefix(_PREFIX))


@pytest.fixture
def make_ground() -> Iterator[Callable[..., Ground]]:
    """Make sandboxes with settings of their own."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Ground(**settings))


@pytest.fixture
def ground(make_ground: Callable[..., Ground]) -> Ground:
    """A sandbox as documented."""
    return make_ground()
