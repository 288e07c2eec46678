"""Names that are rewritten, lists that contradict themselves, creates that are carried out late."""

from __future__ import annotations

from functools import partial

import httpx
import pytest
from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.server import SandboxThread
from truedy_sandbox.settings import Settings
from truedy_sandbox.testing import AGENT, MONDAY, people
from truedy_sandbox.world import World

CREATE = {"name": "Renewals", "agent_id": AGENT}


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        ({"name_limit": 12}, "June [x] (ru"),
        ({"name_filter": "strip_brackets"}, "June x run 7 a"),
        ({"name_filter": "upper"}, "JUNE [X] (RUN 7) <A>"),
        ({"name_filter": "strip_brackets", "name_limit": 6}, "June x"),
    ],
)
def test_a_name_is_rewritten_by_creates_and_updates(make_api, options, stored):
    api = make_api(**options)
    name = "June [x] (run 7) <a>"
    batch = api.draft(name=name)
    assert api.batch(batch)["name"] == stored
    other = api.draft(name="a")
    assert api.ask("PATCH", f"batch-calls/{other}", {"name": name}).json()["data"]["name"] == stored


@pytest.fixture
def many(make_api):
    def make(count=230, **options):
        api = make_api(**options)
        batch = api.draft(count)
        return api, f"batch-calls/{batch}/contacts"

    return make


def numbers(page):
    return [each["phone_number"] for each in page["data"]]


def test_pages_are_capped_and_say_so(many):
    api, path = many(page_cap=50)
    page = api.get(path, limit=100)
    assert len(page["data"]) == 50
    assert page["pagination"] == {"total": 230, "limit": 50, "offset": 0, "has_more": True}
    assert len(api.get(path, limit=20)["data"]) == 20
    assert len(api.get(path, limit=100, offset=200)["data"]) == 30


def test_contacts_in_capped_numbered_pages_are_all_there(make_api):
    api = make_api(page_cap=2, contacts_paging="page")
    for contact in people(5):
        api.post("contacts", contact)
    pages = [api.get("contacts", limit=100, page=number) for number in (1, 2, 3)]
    assert [len(each["data"]) for each in pages] == [2, 2, 1]
    assert len({each["id"] for page in pages for each in page["data"]}) == 5
    assert pages[0]["pagination"] == {"page": 1, "limit": 2, "total": 5, "pages": 3}


def test_totals_can_be_missing_wrong_or_those_of_the_page(many):
    api, path = many(totals="missing")
    assert "pagination" not in api.get(path, limit=100)
    api, path = many(totals="page")
    assert api.get(path, limit=100)["pagination"] == {"total": 100, "limit": 100, "offset": 0, "has_more": False}
    api, path = many(totals="wrong")
    assert api.get(path, limit=100)["pagination"]["total"] > 230
    end = api.get(path, limit=100, offset=230)
    assert (end["data"], end["pagination"]["has_more"]) == ([], True)


def test_an_ignored_offset_shows_the_first_page_again(many):
    api, path = many(ignore_offset=True)
    first, second, last = (api.get(path, limit=100, offset=offset) for offset in (0, 100, 200))
    assert first["data"] == second["data"] == last["data"]
    assert second["pagination"] == {"total": 230, "limit": 100, "offset": 100, "has_more": True}
    assert last["pagination"]["has_more"] is False


def test_an_unstable_order_loses_and_repeats_rows_the_same_way_each_time(many):
    def read(seed):
        api, path = many(list_order="unstable", seed=seed)
        return [row for offset in (0, 100, 200) for row in numbers(api.get(path, limit=100, offset=offset))]

    rows = read(1)
    assert len(rows) == 230
    assert len(set(rows)) < 230
    assert rows == read(1)
    assert rows != read(2)


def test_lists_can_come_with_the_oldest_first(make_api):
    api = make_api(list_order="oldest")
    made = [api.draft() for _ in range(5)]
    assert [each["id"] for each in api.get("batch-calls", limit=3)["data"]] == made[:3]
    assert [each["id"] for each in api.get("batch-calls", limit=3, offset=3)["data"]] == made[3:]
    batch = api.draft(5)
    assert numbers(api.get(f"batch-calls/{batch}/contacts"))[0] == people(1)[0]["phone_number"]


@pytest.mark.parametrize("path", ["agents", "telephony/numbers", "contacts", "contacts/folders", "calls"])
@pytest.mark.parametrize("options", [{"list_order": "unstable"}, {"list_order": "oldest"}, {"page_cap": 2}])
def test_every_list_takes_part_and_loses_nothing_that_fits_on_its_pages(make_api, path, options):
    def ids(api, size, offsets):
        return [each["id"] for at in offsets for each in api.get(path, limit=size, offset=at)["data"]]

    usual, odd = make_api(), make_api(**options)
    for api in (usual, odd):
        api.post("contacts/folders", {"name": "a"})
        for number in range(2):
            api.post("contacts", people(1, start=number)[0])
            api.post("calls", {"agent_id": AGENT, "phone_number": "+12125550100"})
        api.advance(5)
    got = ids(odd, 100, range(0, 6, 2) if "page_cap" in options else [0])
    assert sorted(got) == sorted(ids(usual, 100, [0]))
    assert len(got) >= 2


def test_one_page_can_be_empty_although_more_follow(many):
    api, path = many()
    api.admin("POST", "faults", {"kind": "empty_page", "match": {"path": "contacts$"}, "after": 1})
    pages = [api.get(path, limit=100, offset=offset) for offset in (0, 100, 200)]
    assert [len(each["data"]) for each in pages] == [100, 0, 30]
    assert [each["pagination"]["has_more"] for each in pages] == [True, True, False]


def create_late(api, **headers):
    with pytest.raises(ConnectionResetError):
        api.ask("POST", "batch-calls", {**CREATE, "contacts": people(2)}, headers=headers)


@pytest.fixture
def lossy(make_api):
    """Make an API whose client sees a lost answer as an exception."""
    return partial(make_api, raise_dropped=True)


def test_a_late_create_is_lost_and_appears_later(lossy):
    api = lossy(create_delay=3)
    create_late(api)
    assert api.get("batch-calls")["data"] == []
    api.advance(2.5)
    assert api.get("batch-calls")["data"] == []
    api.advance(1)
    (batch,) = api.get("batch-calls")["data"]
    assert (batch["created_at"], batch["total_contacts"]) == ("2026-06-01T13:00:03Z", 2)
    assert api.batch(batch["id"]) == batch


def test_a_chosen_create_is_late(lossy):
    api = lossy()
    api.admin("POST", "faults", {"kind": "late", "match": {"method": "POST", "path": "batch-calls$"}, "seconds": 3})
    create_late(api)
    early = api.draft()
    api.advance(3)
    assert [each["id"] == early for each in api.get("batch-calls")["data"]] == [False, True]


def test_a_late_create_and_its_repeat_are_one_if_the_key_is_honoured(lossy):
    api = lossy(create_delay=3)
    create_late(api, **{"X-Idempotency-Key": "k"})
    create_late(api, **{"X-Idempotency-Key": "k"})
    api.advance(3)
    (batch,) = api.get("batch-calls")["data"]
    again = api.post("batch-calls", {**CREATE, "contacts": people(2)}, headers={"X-Idempotency-Key": "k"})
    assert again["id"] == batch["id"]
    ignoring = lossy(create_delay=3, ignore_idempotency_keys=True)
    for _ in range(2):
        create_late(ignoring, **{"X-Idempotency-Key": "k"})
    ignoring.advance(3)
    assert len(ignoring.get("batch-calls")["data"]) == 2


def test_a_create_that_overtakes_the_late_one_of_its_key_is_the_only_one(lossy):
    api = lossy()
    key = {"X-Idempotency-Key": "k"}
    api.admin("POST", "faults", {"kind": "late", "seconds": 3})
    create_late(api, **key)
    now = api.post("batch-calls", {**CREATE, "contacts": people(2)}, headers=key)["id"]
    api.advance(3)
    assert [each["id"] for each in api.get("batch-calls")["data"]] == [now]


def test_a_late_create_that_is_refused_makes_nothing(lossy):
    api = lossy(create_delay=3)
    with pytest.raises(ConnectionResetError):
        api.ask("POST", "batch-calls", {**CREATE, "agent_id": "agt_unknown"})
    api.advance(3)
    assert api.get("batch-calls")["data"] == []


def test_late_creates_and_lag_add_up(lossy):
    api = lossy(create_delay=3, list_lag=2)
    create_late(api)
    api.advance(4.9)
    assert api.get("batch-calls")["data"] == []
    api.advance(0.1)
    assert len(api.get("batch-calls")["data"]) == 1


def test_a_client_on_a_real_connection_sees_a_late_create_as_a_broken_one(make_api):
    api = make_api(create_delay=3)
    with SandboxThread(api.app) as server, pytest.raises(httpx.TransportError):
        httpx.post(f"{server.base_url}/batch-calls", json=CREATE, headers=api.headers, trust_env=False)
    api.advance(3)
    assert len(api.get("batch-calls")["data"]) == 1


def test_a_late_create_survives_the_end_of_the_process(tmp_path):
    path, arguments = tmp_path / "state", {"phone_rotation_strategy": "random", "schedule_type": "immediate"}

    def reopened() -> World:
        return World(Settings(), VirtualClock(MONDAY, speed=0), path)

    world = reopened()
    world.do_later(3, "create_batch", {**CREATE, **arguments, "timezone": "UTC"})
    first = world.do("create_batch", {**CREATE, **arguments, "timezone": "UTC"})["id"]
    world = reopened()
    assert [each.id for each in world.all_batches()] == [first]
    world.move_clock(to=world.clock.now() + 3)
    late = [each.id for each in world.all_batches()]
    world.do("create_batch", {**CREATE, **arguments, "timezone": "UTC"})
    assert [each.id for each in reopened().all_batches()][1:] == late == [late[0], first]


@pytest.mark.parametrize("bad", [{"create_delay": -1}, {"name_limit": -1}, {"page_cap": -1}])
def test_impossible_settings_are_refused(make_api, bad):
    with pytest.raises(ValueError, match="at least 0"):
        make_api(**bad)
