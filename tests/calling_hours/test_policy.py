"""What a user may decide, and what is refused when the policy is made."""

from __future__ import annotations

import logging
from datetime import date, datetime, timezone
from typing import Any

import pytest

from airflow_truedy.calling_hours import Blackout, CallingHours, PlaceHours, RuleSet
from airflow_truedy.calling_hours.errors import RulesError, StaleRulesError
from airflow_truedy.calling_hours.zones import Span

SPAN = Span(date(2026, 12, 20), date(2027, 1, 10))


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "robot"},
        {"earliest": "9:00"},
        {"latest": "24:00"},
        {"earliest": "10:00", "latest": "10:00"},
        {"days": []},
        {"days": [0]},
        {"days": [True]},
        {"margin": -1},
        {"margin": 1000},
        {"days_ahead": 0},
        {"warn_after": 10, "fail_after": 5},
    ],
)
def test_a_value_that_cannot_be_used_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(RulesError, match=next(iter(values))):
        CallingHours(**values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"dates": ["24.12.2026"]},
        {"dates": ["2026-12-24/2026-12-20"]},
        {"dates": ["2026-12-24/"], "jurisdictions": "x", "holidays": ["us-federal"]},
    ],
)
def test_a_blackout_that_says_nothing_clear_is_refused(values: dict[str, Any]) -> None:
    if values.get("holidays"):
        assert Blackout(**values).days == {date(2026, 12, 24)}
        return
    with pytest.raises(RulesError):
        Blackout(**values)


def open_at(policy: CallingHours, text: str, *jurisdictions: str) -> bool:
    places = frozenset({"US", *jurisdictions})
    hours = PlaceHours(["America/New_York"], places, policy, RuleSet.shipped(), SPAN)
    return hours.may_call(datetime.fromisoformat(text).astimezone(timezone.utc))


def test_a_blackout_holds_where_it_says() -> None:
    policy = CallingHours(
        blackout=[
            Blackout(dates=["2026-12-28/2026-12-30", date(2027, 1, 5)]),
            Blackout(holidays=["us-federal"], jurisdictions=["US-GA"]),
        ]
    )
    assert [open_at(policy, f"2026-12-{day}T12:00-05:00") for day in (27, 28, 29, 30, 31)] == [
        True,
        False,
        False,
        False,
        True,
    ]
    assert not open_at(policy, "2027-01-05T12:00-05:00")
    assert open_at(policy, "2026-12-25T12:00-05:00", "US-OH")
    assert not open_at(policy, "2026-12-25T12:00-05:00", "US-GA")


def test_own_limits_hold_where_the_person_is() -> None:
    policy = CallingHours(earliest="10:00", latest="18:00", days=[1, 2, 3], margin=10)
    inside = ["2026-12-21T10:10-05:00", "2026-12-23T17:49-05:00"]
    outside = ["2026-12-21T10:09-05:00", "2026-12-23T17:50-05:00", "2026-12-24T12:00-05:00"]
    assert [open_at(policy, text) for text in inside] == [True, True]
    assert [open_at(policy, text) for text in outside] == [False, False, False]


def test_old_rules_warn_and_then_fail(caplog: pytest.LogCaptureFixture) -> None:
    policy = CallingHours(warn_after=10, fail_after=20)
    with caplog.at_level(logging.WARNING):
        policy.check_age(date(2026, 12, 5))
        assert caplog.messages == []
        policy.check_age(date(2026, 12, 6))
    assert "looked up on 2026-11-25, 11 days ago" in caplog.text
    with pytest.raises(StaleRulesError, match="21 days ago; fail_after is 20"):
        policy.check_age(date(2026, 12, 16))


def test_a_policy_can_be_one_blackout_and_compared() -> None:
    one = Blackout(dates="2026-12-24")
    assert CallingHours(blackout=one) == CallingHours(blackout=[one])
