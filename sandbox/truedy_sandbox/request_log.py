"""A journal of the requests that came in, for tests: what was asked, without numbers, names or keys."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

_KEPT = 50_000


@dataclass
class LoggedRequest:
    """One request to the API."""

    number: int
    at: float
    method: str
    path: str
    status: int | None
    request_id: str
    idempotency_key: str | None
    body_digest: str | None
    contacts: int
    fault: str | None
    replayed: bool


class RequestLog:
    """The last 50,000 requests, and how many there were per real minute."""

    def __init__(self) -> None:
        self.all: deque[LoggedRequest] = deque(maxlen=_KEPT)
        self.per_minute: Counter[int] = Counter()
        self.made = 0

    def add(self, entry: LoggedRequest) -> None:
        """Keep a request."""
        self.all.append(entry)
        self.per_minute[int(entry.at // 60) * 60] += 1

    def next_number(self) -> int:
        """Return the number of the next request, from 1."""
        self.made += 1
        return self.made

    def as_json(self, since: int = 0) -> dict[str, Any]:
        """Return what came after a request's number."""
        return {
            "count": self.made,
            "requests": [asdict(each) for each in self.all if each.number > since],
            "per_minute": {str(minute): count for minute, count in self.per_minute.items()},
        }

    def clear(self) -> None:
        """Forget everything."""
        self.all.clear()
        self.per_minute.clear()
        self.made = 0
