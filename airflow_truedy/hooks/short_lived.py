"""
A client for kill handlers: fresh, impatient, and made without waiting for anything.

A kill handler may run in the middle of another request of the same process, so it never uses that request's client.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.hooks.settings import ClientSettings

_TIMEOUT = 5.0


def short_lived_client(settings: ClientSettings) -> TruedyClient:
    """
    Return a client that asks once, waits at most 5 seconds for an answer and keeps no pace.

    :param settings: read before; a signal handler must not ask Airflow for the connection.
    """
    from airflow_truedy.api.client import TruedyClient

    impatient = dataclasses.replace(settings, timeout=_TIMEOUT, requests_per_minute=0.0)
    return TruedyClient(**impatient.client_arguments(), max_wait=0.0)
