"""Faults on demand: what a network or a server may do to a client, for chosen requests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from truedy_sandbox.problems import REFUSALS

Kind = Literal[
    "lost_answer",
    "drop",
    "error_500",
    "error_500_after",
    "rate_limited",
    "slow",
    "html_502",
    "status",
    "late",
    "empty_page",
]


class Match(BaseModel):
    """Which requests; an absent part matches all."""

    method: str | None = None
    path: str | None = Field(default=None, description="regular expression, searched in the path")

    @field_validator("path")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value


class FaultRequest(BaseModel):
    """
    Body of POST /_sandbox/faults.

    :param kind: ``lost_answer`` (work done, connection dropped), ``drop`` (dropped before any work),
        ``error_500`` (before any work), ``error_500_after`` (work done), ``rate_limited`` (429 before any
        work, reset in ``seconds``), ``slow`` (work done, answer ``seconds`` later), ``html_502`` (before any),
        ``status`` (the refusal ``status``, before any), ``late`` (a create is carried out ``seconds`` of virtual
        time later, connection dropped at once), ``empty_page`` (a list shows no rows and says that more follow).
    :param after: let so many matching requests pass first.
    :param times: then strike so many times; ``None`` is for ever.
    :param status: for ``status``, and required there: 400, 401, 402, 403, 404, 409, 422, 500 or 502. 429 is
        ``rate_limited``.
    """

    kind: Kind
    match: Match = Match()
    after: int = Field(default=0, ge=0)
    times: int | None = Field(default=1, ge=1)
    seconds: float = Field(default=1.0, ge=0, le=3600)
    status: int | None = None

    @model_validator(mode="after")
    def _status_is_known(self) -> FaultRequest:
        if self.kind == "status" and self.status not in REFUSALS:
            raise ValueError(f"status must be one of {', '.join(map(str, REFUSALS))}")
        if self.kind != "status" and self.status is not None:
            raise ValueError("status belongs to the kind 'status'")
        return self


@dataclass
class Fault:
    """A fault that waits for its requests."""

    number: int
    asked: FaultRequest
    seen: int = 0
    struck: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Count a request and return whether it is struck."""
        match = self.asked.match
        if match.method and match.method.upper() != method:
            return False
        if match.path and not re.search(match.path, path):
            return False
        self.seen += 1
        if self.seen <= self.asked.after or (self.asked.times is not None and self.struck >= self.asked.times):
            return False
        self.struck += 1
        return True

    def as_json(self) -> dict[str, Any]:
        """Return what the admin endpoint shows."""
        return {"number": self.number, **self.asked.model_dump(), "seen": self.seen, "struck": self.struck}


@dataclass
class Faults:
    """All faults in the order they were set; the first that strikes wins."""

    all: list[Fault] = field(default_factory=list)
    _made: int = 0

    def add(self, asked: FaultRequest) -> Fault:
        """Set a fault."""
        self._made += 1
        fault = Fault(self._made, asked)
        self.all.append(fault)
        return fault

    def strike(self, method: str, path: str) -> Fault | None:
        """Return the fault that strikes a request, if any."""
        return next((each for each in self.all if each.strikes(method, path)), None)

    def clear(self) -> None:
        """Take all faults away."""
        self.all.clear()
