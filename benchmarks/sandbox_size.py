"""
What the sandbox's own work costs: a chunk added to a full list beside one added to an empty list, and a page of a
full list beside a page of a short one. Both ratios should stay near 1, or the sandbox would be what other benchmarks
measure.

Run with ``python -m benchmarks.sandbox_size``; some seconds, in one process and without HTTP.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import datetime, timezone

from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.settings import Settings
from truedy_sandbox.views import batch_contact_views, contact_places
from truedy_sandbox.world import World

SIZE = 200_000
CHUNK = 1_000
SETTINGS = Settings(rate_limit=0)
CREATE = {
    "name": "bench",
    "agent_id": "agt_f9447372",
    "phone_rotation_strategy": "round_robin",
    "schedule_type": "immediate",
    "timezone": "UTC",
}
MONDAY = datetime(2026, 6, 1, 13, tzinfo=timezone.utc)


def median_milliseconds(work: Callable[[int], object], times: int) -> float:
    """Time ``work(0)``, ``work(1)``, ... and return the median."""
    taken = []
    for number in range(times):
        began = time.perf_counter()
        work(number)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def main() -> None:
    """Print both ratios."""
    world = World(SETTINGS, VirtualClock(MONDAY, speed=0))
    batch = world.do("create_batch", CREATE)["id"]

    def add(number: int) -> None:
        first = 2_120_000_000 + number * CHUNK
        contacts = [{"phone_number": f"+1{first + i}"} for i in range(CHUNK)]
        world.do("add_contacts", {"id": batch, "contacts": contacts})

    def read_last_page(_: int) -> None:
        found = world.batch(batch)
        places = contact_places(found)[-100:]
        batch_contact_views(found, places, SETTINGS)

    chunks = SIZE // CHUNK
    tenth = chunks // 10
    added_first = median_milliseconds(add, tenth)
    read_short = median_milliseconds(read_last_page, 20)
    for number in range(tenth, chunks - tenth):
        add(number)
    added_last = median_milliseconds(lambda number: add(chunks - tenth + number), tenth)
    read_full = median_milliseconds(read_last_page, 20)
    print(f"chunk of {CHUNK:,}: {added_first:.1f} ms first, {added_last:.1f} ms last of {SIZE:,}", end="")
    print(f", ratio {added_last / added_first:.2f}")
    print(f"last page of 100: {read_short:.2f} ms at {tenth * CHUNK:,}, {read_full:.2f} ms at {SIZE:,}", end="")
    print(f", ratio {read_full / read_short:.2f}")


if __name__ == "__main__":
    main()
