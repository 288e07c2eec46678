"""
How long a server is given to show what it was told: reads may come from a replica, lists and counters may lag.

Absence and old values are believed only after this time. Sleep and clock are handed in, so tests wait for nothing.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall

log = logging.getLogger(__name__)

DEFAULT_SETTLE = 15.0
_FIRST_PAUSE = 1.0
T = TypeVar("T")


def _sleep(seconds: float) -> None:
    # Looked up late, so that a test can put its own clock in place of it.
    time.sleep(seconds)


@dataclass(frozen=True)
class Settling:
    """
    Looks again, with growing pauses, before absence or an old value is believed.

    :param seconds: how far the server's reads, lists and counters may be behind; 0 believes the first look.
    :param sleep: how to wait.
    """

    seconds: float = DEFAULT_SETTLE
    sleep: Callable[[float], Any] = _sleep

    def pauses(self) -> Iterator[float]:
        """Yield growing pauses that add up to :attr:`seconds`."""
        left, pause = self.seconds, _FIRST_PAUSE
        while left > 0:
            yield min(pause, left)
            left -= pause
            pause *= 2

    def wait(self, seconds: float, why: str) -> None:
        """Wait, and say what for."""
        if seconds > 0:
            log.info("Waiting %.0f s %s.", max(seconds, 1), why)
            self.sleep(seconds)

    def look_until(self, look: Callable[[], T], good: Callable[[T], bool], why: str) -> T:
        """Return what ``look`` returns first that is good; after the settle time whatever it returned last."""
        seen = look()
        for pause in self.pauses():
            if good(seen):
                break
            self.wait(pause, why)
            seen = look()
        return seen

    def read(
        self, client: TruedyClient, batch_call_id: str, good: Callable[[BatchCall], bool] = lambda _: True
    ) -> BatchCall:
        """
        Return a batch call once a read shows it as it should be; after the settle time as it was read last.

        :param good: whether a reading shows what is waited for. Default: any reading that is not a 404.
        :raises NotFoundError: if the last read was a 404.
        """

        def look() -> BatchCall | NotFoundError:
            try:
                return client.send(endpoints.get_batch_call(batch_call_id))
            except NotFoundError as gone:
                return gone

        def is_good(seen: BatchCall | NotFoundError) -> bool:
            return not isinstance(seen, NotFoundError) and good(seen)

        seen = self.look_until(look, is_good, f"before reading batch call {batch_call_id} again")
        if isinstance(seen, NotFoundError):
            raise seen
        return seen


#: For single commands to a batch call, such as a pause.
PATIENT = Settling()
