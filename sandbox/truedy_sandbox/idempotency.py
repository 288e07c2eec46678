"""What X-Idempotency-Key does: a successful create is answered again instead of done again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

# The headers that may differ between two tries of one request; any other difference makes it a new request.
_NOT_HASHED = {
    b"x-request-id",
    b"x-forwarded-for",
    b"user-agent",
    b"host",
    b"authorization",
    b"x-idempotency-key",
}


@dataclass(frozen=True)
class Remember:
    """The key and hash of a request, and what its answer carries beside its data."""

    fingerprint: str
    status: int
    meta: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the form that is kept in the state file."""
        return asdict(self)

    @classmethod
    def read(cls, kept: dict[str, Any] | None) -> Remember | None:
        """Return what :meth:`as_json` wrote."""
        return cls(**kept) if kept else None


class KeptAnswers:
    """Answers by fingerprint. Only successful ones are kept: a failed create runs again."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[int, dict[str, Any]]] = {}

    def keep(self, remember: Remember, data: dict[str, Any]) -> None:
        """Keep the answer of a create."""
        self._answers[remember.fingerprint] = (remember.status, {"data": data, "meta": remember.meta})

    def find(self, fingerprint: str) -> tuple[int, dict[str, Any]] | None:
        """Return the status and body of the same request made before."""
        return self._answers.get(fingerprint)

    def __len__(self) -> int:
        return len(self._answers)


def fingerprint(key: str, endpoint: str, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> str:
    """Return what makes two requests the same one: key, endpoint, body, and all headers that count."""
    counted = sorted((name.lower(), value) for name, value in headers if name.lower() not in _NOT_HASHED)
    canonical = json.dumps(json.loads(body), sort_keys=True)
    parts = [key, endpoint, canonical, *(f"{name!r}:{value!r}" for name, value in counted)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
