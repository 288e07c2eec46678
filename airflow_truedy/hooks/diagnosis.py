"""Say in one line what is wrong with a connection: the key, the address, an allow-list or the network."""

from __future__ import annotations

from airflow_truedy.api.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RequestTimeoutError,
    UnreachableError,
    UnreadableAnswerError,
)
from airflow_truedy.hooks.settings import ConnectionFieldError

_CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (AuthenticationError, "Truedy does not know this API key. Copy it again from Settings, API Keys."),
    (
        PermissionDeniedError,
        "The key is known but not allowed from here: look at its IP allow-list in Truedy.",
    ),
    (NotFoundError, "There is an HTTP server but no Truedy API at this host: look at host and path."),
    (UnreadableAnswerError, "What answers at this host is not the Truedy API: look at host and path."),
    (RequestTimeoutError, "The host does not answer in time: look at network, proxy and firewall."),
    (
        UnreachableError,
        "The host cannot be reached: look at its name, network, proxy, firewall and certificate.",
    ),
    (RateLimitedError, "The key works, but the organisation's rate limit is used up for now."),
)


def diagnose(problem: Exception) -> str:
    """Return the cause of a failed connection test, and what the server or network said."""
    cause = next((text for kind, text in _CAUSES if isinstance(problem, kind)), "The connection cannot be used.")
    # Without the connection's id: Airflow tests a copy that it has given a random one.
    said = problem.problem if isinstance(problem, ConnectionFieldError) else problem
    return f"{cause} ({said})"
