"""The small parts by themselves: ids, clock, settings, calling hours, roster."""

from __future__ import annotations

import ast
import re
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import get_args

import pytest
import truedy_sandbox
from hypothesis import given
from hypothesis import strategies as st
from truedy_sandbox.calling_hours import CallingHours
from truedy_sandbox.cli import parser
from truedy_sandbox.clock import VirtualClock, iso
from truedy_sandbox.faults import Kind
from truedy_sandbox.ids import call_id, read_call_id
from truedy_sandbox.roster import Roster
from truedy_sandbox.settings import Settings, option_names


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def imports_of(source: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[0] for name in names}


def test_it_imports_what_it_declares_and_nothing_of_the_client_that_it_is_to_disprove():
    sources = list(Path(truedy_sandbox.__file__).parent.rglob("*.py"))
    assert len(sources) > 20
    for source in sources:
        # fastapi brings starlette; httpx comes with the extra "testing".
        allowed = {"truedy_sandbox", "fastapi", "starlette", "pydantic", "uvicorn"} | sys.stdlib_module_names
        if source.name == "testing.py":
            allowed |= {"httpx"}
        assert imports_of(source) <= allowed, source.name


def test_its_readme_lists_every_fault_and_every_misbehaviour():
    readme = (Path(truedy_sandbox.__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)) == set(get_args(Kind))
    listed = set(re.findall(r"`--([a-z-]+)", readme))
    options = {name.replace("_", "-") for name in option_names()}
    assert listed - options == {"allow-foreign-hosts", "state-file"}
    names = option_names()
    misbehaviours = names[names.index("read_lag") : names.index("list_order") + 1]
    assert {name.replace("_", "-") for name in misbehaviours} <= listed


@given(st.integers(0, 2**24 - 1), st.integers(0, 2**24 - 1), st.integers(0, 10**6))
def test_a_call_id_leads_back_to_its_batch_and_contact(batch, index, seed):
    assert read_call_id(call_id(batch, index, seed), seed) == (batch, index)


@pytest.mark.parametrize(
    "text", ["", "call_", "call_xyz", "call_0123456789ab0", "batch_0123456789ab", "call_zzzzzzzzzzzz"]
)
def test_what_is_no_call_id_is_not_read_as_one(text):
    assert read_call_id(text, 1) is None


def test_the_clock_runs_at_its_speed_and_never_back():
    real = [1000.0]
    clock = VirtualClock(datetime(2026, 6, 1, tzinfo=timezone.utc), speed=60, wall=lambda: real[0])
    start = clock.now()
    real[0] += 2
    assert clock.now() == start + 120
    clock.change(speed=0)
    real[0] += 100
    assert clock.now() == start + 120
    clock.change(to=start + 500)
    assert clock.now() == start + 500
    with pytest.raises(ValueError, match="backwards"):
        clock.change(to=start)


def test_moments_are_written_in_each_form():
    moment = at("2026-06-01T13:00:00+00:00")
    assert iso(moment) == "2026-06-01T13:00:00Z"
    assert iso(moment, naive=True) == "2026-06-01T13:00:00"
    assert iso(moment, micro=True) == "2026-06-01T13:00:00.000000Z"
    assert iso(None) is None


@pytest.mark.parametrize(
    "bad",
    [
        {"concurrency": 0},
        {"rate_limit": -1},
        {"speed": -1},
        {"complete_share": 0},
        {"outcomes": "answered=1"},
        {"outcomes": "completed=0"},
        {"outcomes": "completed=2,failed=-1"},
    ],
)
def test_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError, match=r"."):
        Settings(**bad)


def test_every_setting_is_a_command_line_option_with_the_same_default():
    options = vars(parser().parse_args([]))
    assert {name: options[name] for name in option_names()} == {
        name: getattr(Settings(), name) for name in option_names()
    }


def test_settings_that_are_not_the_default_are_shown_without_the_key(api):
    assert Settings().unusual() == {}
    assert Settings(api_key="x", read_lag=5, totals="page").unusual() == {"read_lag": 5, "totals": "page"}
    assert api.admin("GET", "view")["unusual"] == {"rate_limit": "0"}


OFFICE = CallingHours("America/New_York", "09:00", "17:30", (1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-06-01T12:00:00+00:00", "2026-06-01T13:00:00+00:00"),  # Monday 08:00 local: waits for 09:00
        ("2026-06-01T15:00:00+00:00", "2026-06-01T15:00:00+00:00"),  # inside
        ("2026-06-01T21:30:00+00:00", "2026-06-02T13:00:00+00:00"),  # 17:30 local is over
        ("2026-06-05T23:00:00+00:00", "2026-06-08T13:00:00+00:00"),  # Friday evening: Monday
        ("2026-11-01T12:00:00+00:00", "2026-11-02T14:00:00+00:00"),  # after the clock change 09:00 is 14:00 UTC
    ],
)
def test_calls_wait_for_the_calling_hours_of_the_zone(moment, expected):
    assert OFFICE.opening(at(moment))[0] == at(expected)


def test_a_day_whose_quota_is_used_up_is_skipped():
    opens, _, day = OFFICE.opening(at("2026-06-01T15:00:00+00:00"))
    assert opens == at("2026-06-01T15:00:00+00:00")
    assert OFFICE.opening(opens, skip_day=day)[0] == at("2026-06-02T13:00:00+00:00")


def test_without_hours_calls_may_start_at_any_time():
    moment = at("2026-06-07T02:00:00+00:00")
    assert CallingHours("UTC").opening(moment)[0] == moment


def test_a_roster_gives_back_every_contact_across_its_blocks():
    contacts = [
        {"phone_number": f"+1212555{i:04d}", "first_name": f"P{i}", "custom_fields": {"n": str(i)}, "email": None}
        for i in range(1201)
    ]
    roster = Roster()
    assert roster.add(contacts) == 1201
    found = dict(roster.rows([0, 499, 500, 999, 1000, 1200]))
    for index, contact in found.items():
        assert contact == {k: v for k, v in contacts[index].items() if v is not None}
    assert list(roster.numbers()) == [each["phone_number"] for each in contacts]


def test_a_roster_keeps_a_number_once_unless_told_otherwise():
    twice = [{"phone_number": "+12125550100"}, {"phone_number": "+12125550100"}]
    assert Roster().add(twice) == 1
    assert Roster(allow_duplicates=True).add(twice) == 2
