"""Large lists and many campaigns come out right. How fast they do is for ``benchmarks/sandbox_size.py``."""

from __future__ import annotations

from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.settings import Settings
from truedy_sandbox.testing import AGENT, MONDAY
from truedy_sandbox.views import batch_contact_views, batch_view, contact_places
from truedy_sandbox.world import World

SETTINGS = Settings(rate_limit=0, concurrency=50)
CREATE = {
    "name": "Large",
    "agent_id": AGENT,
    "phone_rotation_strategy": "round_robin",
    "schedule_type": "immediate",
    "timezone": "UTC",
    "max_calls_per_day": 20_000,
}


def chunk(start: int, size: int) -> list[dict[str, str]]:
    return [{"phone_number": f"+1{2_120_000_000 + i}", "first_name": f"P{i}"} for i in range(start, start + size)]


def test_a_campaign_of_200_000_contacts_is_filled_run_and_read():
    world = World(SETTINGS, VirtualClock(MONDAY, speed=0))
    batch = world.do("create_batch", CREATE)["id"]
    for start in range(0, 200_000, 1000):
        world.do("add_contacts", {"id": batch, "contacts": chunk(start, 1000)})
    world.do("schedule_batch", {"id": batch})
    world.move_clock(to=world.clock.now() + 4 * 86400)
    found = world.batch(batch)
    assert found.called > 60_000
    assert batch_view(found, SETTINGS)["total_contacts"] == 200_000
    places = contact_places(found)
    rows = batch_contact_views(found, places[150_000:150_100], SETTINGS)
    assert (len(places), rows[0]["phone_number"], rows[0]["call_status"]) == (200_000, "+12120150000", "scheduled")
    world.move_clock(to=world.clock.now() + 30 * 86400)
    assert world.batch(batch).status == "completed"
    assert world.batch(batch).called == 200_000


def test_500_campaigns_are_listed_while_they_run_to_their_end():
    world = World(SETTINGS, VirtualClock(MONDAY, speed=0))
    for start in range(0, 50_000, 100):
        batch = world.do("create_batch", {**CREATE, "contacts": chunk(start, 100)})["id"]
        world.do("schedule_batch", {"id": batch})
    for _ in range(20):
        world.move_clock(to=world.clock.now() + 60)
        assert len([batch_view(each, SETTINGS) for each in world.all_batches()]) == 500
    assert {each.status for each in world.all_batches()} == {"completed"}
