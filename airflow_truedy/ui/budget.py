"""How many requests the pages may send to Truedy, whatever the number of viewers and processes."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_truedy.api.rate_limit import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable

#: Of all API servers of one user on one machine together.
REQUESTS_PER_MINUTE = 6
# A little more than a minute: requests take different times to arrive.
_MINUTE = 61.0
# Slots further ahead than any queue are of a clock that was set back since.
_FURTHEST = 900.0


class Budget(RateLimiter):
    """
    Gives every request its moment: several at once after a pause, and never more than the share in any minute.

    The processes of an API server share it by a file with the moments of the last requests, however many there are.

    :param account: whose requests are counted, as letters and digits.
    :param folder: of the file. Default: the one for temporary files.
    :param clock: seconds, the same in all processes.
    """

    #: Seconds that one request costs, when there is no pause.
    seconds_each = _MINUTE / REQUESTS_PER_MINUTE

    def __init__(self, account: str, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        super().__init__(None, clock)
        self._file = (folder or Path(tempfile.gettempdir())) / f"truedy-pages-{os.getuid()}-{account}"

    def reserve(self) -> float:
        """
        Take the next slot; return the seconds to wait for it, 0 if it is now.

        :raises OSError: if the file cannot be used; without it nobody knows what the other processes send.
        """
        opened = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(opened, "rb+") as file:
            if os.fstat(opened).st_uid != os.getuid():
                raise PermissionError(f"{self._file} is another user's")
            fcntl.flock(file, fcntl.LOCK_EX)  # Until it is closed.
            now = self._clock()
            slots = _slots_in(file.read(), now)
            slot = now if len(slots) < REQUESTS_PER_MINUTE else max(now, slots[-REQUESTS_PER_MINUTE] + _MINUTE)
            file.seek(0)
            file.truncate()
            file.write(json.dumps([*slots, slot][-REQUESTS_PER_MINUTE:]).encode())
        return slot - now


def _slots_in(text: bytes, now: float) -> list[float]:
    """Return the moments of the last requests; of a file that was cut off while it was written, as many as may be."""
    if not text:
        return []
    try:
        slots = [float(each) for each in json.loads(text)]
    except (TypeError, ValueError):
        return [now] * REQUESTS_PER_MINUTE
    return [min(each, now) if each > now + _FURTHEST else each for each in slots]
