"""What a check of a server finds, on a sandbox in every dialect and misbehaviour."""

from __future__ import annotations

import random
from typing import Any

import pytest

from airflow_truedy.campaigns.server_check import CONTACTS, ServerCheck
from tests.support.ground import Ground

AGENT = "agt_f9447372"
NAMES = {"A long name keeps the tag", "A short name keeps the tag and the pause marker"}


def checker(ground: Ground) -> ServerCheck:
    return ServerCheck(ground.client, sleep=ground.advance, clock=ground.clock.now, now=ground.now)


def checked(ground: Ground, agent_id: str | None = None) -> ServerCheck:
    # Batch calls of different age, so that the order of lists can be told.
    for _ in range(3):
        create = {"name": "Old", "agent_id": AGENT, "phone_rotation_strategy": "random", "schedule_type": "immediate"}
        ground.app.state.world.do("create_batch", {**create, "timezone": "UTC"})
        ground.advance(60)
    ground.advance(60)
    check = checker(ground)
    check.run(agent_id)
    return check


def of(settings: dict[str, Any]) -> ServerCheck:
    with Ground(**settings) as ground:
        check = checked(ground)
        started = [each for each in ground.requests if "schedule" in each or "resume" in each]
        names = {each.name.capitalize() for each in ground.batches}
    assert started == []
    if check.complete:
        assert (names, check.left_behind) == ({"Old"}, [])
    return check


def broken(check: ServerCheck) -> set[str]:
    return {each.promise for each in check.findings if each.holds is False}


def found(check: ServerCheck, promise: str) -> str:
    (text,) = {each.found for each in check.findings if each.promise == promise}
    return text


def test_a_good_server_keeps_every_promise_and_keeps_nothing_of_the_check() -> None:
    check = of({})
    assert check.complete
    assert {each.promise: each.holds for each in check.findings} == dict.fromkeys(
        [
            "An unknown batch call is a 404",
            "An unknown agent is refused with a reason",
            "An idempotency key is honoured",
            "A long name keeps the tag",
            "A create makes a draft",
            "Times are UTC",
            "The server's clock agrees with ours",
            "Batch calls are listed newest first",
            "A short name keeps the tag and the pause marker",
            "An add tells how many it added",
            "Lists can be read whole",
            "A draft can be deleted",
        ],
        True,
    )
    assert set(check.lags.values()) == {0.0}
    assert check.settle()[0] == 15
    text = found(check, "Lists can be read whole")
    assert text.startswith(f"total {CONTACTS}, order stable, offset honoured, 100 rows")


@pytest.mark.parametrize(
    "settings",
    [
        {"id_style": "camp"},
        {"id_style": "uuid"},
        {"meta_time": "timestamp"},
        {"error_shape": "snapshot"},
        {"error_shape": "framework"},
        {"times": "naive"},
        {"action_answers": "empty"},
        {"contacts_paging": "page", "folders_paging": "none"},
        {"live_state": "running"},
        {"allow_duplicates": True, "bad_contacts": "drop"},
        {"page_cap": 50},
    ],
)
def test_a_dialect_breaks_no_promise(settings: dict[str, Any]) -> None:
    check = of(settings)
    assert check.complete
    assert broken(check) == set()
    assert check.settle()[0] == 15


@pytest.mark.parametrize(
    ("settings", "promises"),
    [
        ({"name_limit": 100}, {"A long name keeps the tag"}),
        ({"name_limit": 40}, NAMES),
        (
            {"name_filter": "strip_brackets"},
            {"A long name keeps the tag", "A short name keeps the tag and the pause marker"},
        ),
        ({"name_filter": "upper"}, NAMES),
        ({"ignore_idempotency_keys": True}, {"An idempotency key is honoured"}),
        ({"list_order": "oldest"}, {"Batch calls are listed newest first"}),
        ({"list_order": "unstable"}, {"Batch calls are listed newest first", "Lists can be read whole"}),
        ({"ignore_offset": True}, {"Lists can be read whole"}),
    ],
)
def test_a_broken_promise_is_told(settings: dict[str, Any], promises: set[str]) -> None:
    check = of(settings)
    assert check.complete
    assert broken(check) == promises


@pytest.mark.parametrize(("totals", "text"), [("missing", "total None"), ("wrong", "total 127"), ("page", "total 100")])
def test_totals_are_told(totals: str, text: str) -> None:
    assert text in found(of({"totals": totals}), "Lists can be read whole")


def test_what_became_of_a_name_is_told() -> None:
    assert found(of({"name_limit": 100}), "A long name keeps the tag").startswith("cut, 100 of 2")
    assert found(of({"name_filter": "upper"}), "A long name keeps the tag").startswith("rewritten")


@pytest.mark.parametrize(
    ("settings", "late"),
    [
        ({"read_lag": 5}, {"a new draft is read", "a change is read", "a deletion is read"}),
        ({"list_lag": 5}, {"a new draft is listed", "a change is listed", "added contacts are listed"}),
        ({"counter_lag": 5}, {"added contacts are counted"}),
    ],
)
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_lag_is_measured(settings: dict[str, Any], late: set[str], share: float) -> None:
    check = of({**settings, "replica_share": share})
    assert check.complete
    lags = {what for what, lag in check.lags.items() if lag}
    assert lags <= late | {"added contacts are counted"}
    if share == 1 or "counter_lag" in settings:
        assert all(5 <= (check.lags[what] or 0) < 9 for what in late)
        assert 15 <= (check.settle()[0] or 0) <= 18


def test_a_long_lag_asks_for_a_longer_settle() -> None:
    check = of({"list_lag": 20})
    assert 40 <= (check.settle()[0] or 0) <= 55


def test_a_lag_beyond_a_minute_is_not_waited_out() -> None:
    check = of({"counter_lag": 100})
    assert check.complete
    assert check.lags["added contacts are counted"] is None
    assert check.settle()[0] is None


@pytest.mark.parametrize("ignored", [True, False])
def test_a_create_that_is_carried_out_late_is_found_and_deleted(ignored: bool) -> None:
    check = of({"create_delay": 3, "ignore_idempotency_keys": ignored})
    assert check.complete
    assert broken(check) == {"A create is answered"}
    assert 3 <= (check.lags["a create whose answer was lost is carried out"] or 0) < 5


def test_a_create_that_starts_is_paused_and_the_check_stops() -> None:
    with Ground(create_answer="scheduled") as ground:
        told: list[str] = []
        check = ServerCheck(
            ground.client, sleep=ground.advance, clock=ground.clock.now, now=ground.now, say=told.append
        )
        check.run()
        assert ground.only.status == "paused"
        assert ground.only.dialer.placed == 0
        assert check.left_behind == [ground.only.id]
        assert "POST /batch-calls/{id}/contacts" not in ground.requests
    assert (check.complete, check.settle()[0]) == (False, None)
    assert "A create makes a draft" in broken(check)
    assert any("paused" in line for line in told)


def test_a_failed_pause_is_told_in_capitals() -> None:
    with Ground(create_answer="scheduled") as ground:
        ground.fault("error_500", "POST", "/pause$", times=None)
        check = checked(ground)
    assert "PAUSE IT BY HAND" in found(check, "A create makes a draft")


def test_no_agent_that_is_ready_stops_the_check_before_anything_is_written() -> None:
    with Ground() as ground:
        ground.alter_data("GET", "/agents", outbound_phone_numbers=[])
        check = checked(ground)
        assert ground.writes == []
    assert (check.complete, check.left_behind) == (False, [])


def test_a_stated_agent_is_not_looked_for() -> None:
    with Ground() as ground:
        check = checked(ground, AGENT)
        assert "GET /agents" not in ground.requests
    assert check.complete


def test_an_error_ends_the_check_and_still_cleans_up() -> None:
    with Ground() as ground:
        ground.fault("error_500", "PATCH", "batch-calls", times=None)
        check = checked(ground)
        assert {each.name for each in ground.batches} == {"Old"}
    assert not check.complete
    assert "The check comes to its end" in broken(check)


def test_a_draft_that_cannot_be_deleted_is_named() -> None:
    with Ground() as ground:
        ground.fault("error_500", "POST", "bulk-delete$", times=None)
        check = checked(ground)
        (left,) = [each.id for each in ground.batches if each.name != "Old"]
    assert check.left_behind == [left]
    assert "A draft can be deleted" in broken(check)


def test_the_numbers_are_fictional() -> None:
    with Ground() as ground:
        seen: list[str] = []

        def keep(request: Any, send: Any) -> Any:
            answer = send()
            seen.extend(ground.numbers(ground.batches[-1]))
            return answer

        ground.alter("POST", "/batch-calls/[^/]*/contacts", keep)
        checked(ground)
    assert len(set(seen)) == CONTACTS
    assert all(number[-7:-2] == "55501" for number in seen)


def test_few_batch_calls_leave_the_order_unknown() -> None:
    with Ground() as ground:
        check = checker(ground)
        check.run()
    (order,) = [each for each in check.findings if "newest" in each.promise]
    assert (order.holds, order.found) == (None, "too few to tell")


SOME_SETTINGS: dict[str, list[Any]] = {
    "read_lag": [0, 0, 0.3, 5],
    "list_lag": [0, 0, 0.3, 5],
    "counter_lag": [0, 0, 2],
    "replica_share": [1, 0.5],
    "create_delay": [0, 0, 3],
    "name_limit": [0, 0, 40, 100],
    "name_filter": ["none", "none", "strip_brackets", "upper"],
    "page_cap": [0, 0, 1, 50],
    "totals": ["right", "right", "missing", "wrong", "page"],
    "ignore_offset": [False, False, True],
    "list_order": ["newest", "newest", "oldest", "unstable"],
    "ignore_idempotency_keys": [False, True],
    "create_answer": ["draft", "draft", "scheduled"],
    "error_shape": ["documented", "snapshot", "framework"],
    "action_answers": ["partial", "full", "empty"],
    "times": ["z", "naive"],
}


@pytest.mark.parametrize("seed", range(25))
def test_whatever_comes_together_nothing_is_started_and_what_stays_is_named(seed: int) -> None:
    draw = random.Random(seed)
    settings = {name: draw.choice(values) for name, values in SOME_SETTINGS.items()}
    with Ground(seed=seed, **settings) as ground:
        check = checked(ground)
        ground.advance(60)
        ours = [each for each in ground.batches if each.name.capitalize() != "Old"]
        assert {each.status for each in ours} <= {"draft", "paused"}
        assert {each.dialer.placed for each in ours} <= {0}
        assert not [each for each in ground.requests if "schedule" in each or "resume" in each]
        if check.complete:
            assert {each.id for each in ours} <= set(check.left_behind)
    assert check.findings
