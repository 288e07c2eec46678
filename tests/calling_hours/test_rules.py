"""Rules and sets of rules: what is refused, what overrides what, and that the shipped ones are as they were found."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_truedy.calling_hours import Cap, HolidayDays, PlaceHours, Rule, RuleSet
from airflow_truedy.calling_hours.errors import RulesError
from airflow_truedy.calling_hours.policy import CallingHours
from airflow_truedy.calling_hours.zones import Span

SHIPPED = RuleSet.shipped()
OWN: dict[str, Any] = {
    "id": "own",
    "jurisdiction": "US-GA",
    "hours": {"mon-fri": ["09:00-17:00"]},
    "checked_on": "2026-11-25",
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"jurisdiction": "Georgia"}, "jurisdiction='Georgia'"),
        ({"jurisdiction": "us"}, "jurisdiction='us'"),
        ({"kinds": ["robot"]}, "kinds="),
        ({"kinds": []}, "kinds="),
        ({"hours": {"mon-fri": ["9-17"]}}, "'9-17' are not hours"),
        ({"hours": ["09:00-17:00"]}, "cannot be used"),
        ({"basis": "Central"}, "'Central' is not the IANA zone"),
        ({"confidence": "rumour"}, "confidence='rumour'"),
        ({"checked_on": "yesterday"}, "yesterday"),
        ({"valid_to": "2026"}, "2026"),
        ({"holidays": {"set": None, "added": ["24.12."]}}, "24.12."),
        ({"holidays": {"sets": "us-federal"}}, "unexpected keyword"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_rule_that_cannot_be_used_says_why(change: dict[str, Any], told: str) -> None:
    with pytest.raises(RulesError, match="own") as caught:
        Rule.from_dict({**OWN, **change})
    assert told in str(caught.value)


def test_a_rule_without_a_field_is_refused() -> None:
    with pytest.raises(RulesError, match="hours"):
        Rule.from_dict({name: value for name, value in OWN.items() if name != "hours"})


def test_every_shipped_rule_goes_through_a_file_and_back(tmp_path: Path) -> None:
    for rule in SHIPPED.rules:
        assert Rule.from_dict(rule.to_dict()) == rule
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"name": "mine", "rules": [OWN]}), encoding="utf-8")
    assert RuleSet.load(str(file)).rules == (Rule.from_dict(OWN),)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "x", "rules": [{}]}', '{"name": "x", "rules": [1]}'])
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rules.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RulesError):
        RuleSet.load(file)
    with pytest.raises(RulesError, match=r"missing\.json"):
        RuleSet.load(tmp_path / "missing.json")


def test_every_shipped_rule_says_where_it_is_from() -> None:
    for rule in SHIPPED.rules:
        assert rule.citation
        assert rule.sense
        assert rule.confidence in ("primary", "secondary")
        assert date.fromisoformat(rule.checked_on) >= date(2026, 11, 25)
        assert rule.url is None or rule.url.startswith(("https://", "http://"))
        if rule.jurisdiction.startswith("US-"):
            assert rule.confidence == "secondary" or "vendors" not in rule.citation


def monday(hours: PlaceHours, hour: int, minute: int = 0) -> bool:
    """Whether a Monday's minute is allowed, in winter, Central time."""
    return hours.may_call(datetime(2026, 12, 7, 6, tzinfo=timezone.utc) + timedelta(hours=hour, minutes=minute))


def hours_of(rules: RuleSet, state: str, kind: str = "automated") -> PlaceHours:
    span = Span(date(2026, 12, 1), date(2026, 12, 31))
    return PlaceHours(["America/Chicago"], frozenset({"US", state}), CallingHours(kind=kind), rules, span)


def test_the_tightest_rule_counts_and_a_live_call_has_other_rules() -> None:
    oklahoma = hours_of(SHIPPED, "US-OK")
    assert [monday(oklahoma, 8, 59), monday(oklahoma, 9), monday(oklahoma, 19, 59)] == [False, True, True]
    assert not monday(hours_of(SHIPPED, "US-OK"), 8)
    assert monday(hours_of(SHIPPED, "US-OK", "live"), 8)


def test_a_rule_with_a_zone_of_its_own_holds_by_that_clock_wherever_the_person_is() -> None:
    span = Span(date(2026, 12, 1), date(2026, 12, 31))
    hours = PlaceHours(["America/Los_Angeles"], frozenset({"US-MS"}), CallingHours(), SHIPPED, span)
    assert str(hours.window) == "08:00-18:00 America/Los_Angeles, Mon-Sat"


def test_an_own_rule_replaces_the_one_with_its_id_and_a_rule_can_be_left_out(tmp_path: Path) -> None:
    wide = Rule("us-tx", "US-TX", {"mon-sun": ["08:00-21:00"]}, "2026-11-25")
    file = tmp_path / "own.json"
    file.write_text(json.dumps({"name": "mine", "rules": [wide.to_dict()]}), encoding="utf-8")
    assert not monday(hours_of(SHIPPED, "US-TX"), 8)
    for own in ([wide], RuleSet("mine", (wide,)), file, str(file)):
        assert monday(hours_of(CallingHours(own_rules=own).rule_set(), "US-TX"), 8)
    assert monday(hours_of(CallingHours(without_rules=["us-tx"]).rule_set(), "US-TX"), 8)
    with pytest.raises(RulesError, match="us-xx"):
        CallingHours(without_rules=["us-xx"]).rule_set()


def test_rules_that_differ_have_another_version() -> None:
    wide = Rule("us-tx", "US-TX", {"mon-sun": ["08:00-21:00"]}, "2026-11-25")
    wider = Rule("us-tx", "US-TX", {"mon-sun": ["07:00-21:00"]}, "2026-11-25")
    versions = {policy.rule_set().version for policy in (CallingHours(), CallingHours(own_rules=[wide]))}
    versions.add(CallingHours(own_rules=[wider]).rule_set().version)
    assert len(versions) == 3
    assert SHIPPED.version.startswith("us-2026-11+world-2026-11@")


def test_holidays_can_be_added_and_removed() -> None:
    rule = Rule.from_dict(
        {**OWN, "holidays": {"set": "us-federal", "added": ["2026-12-07"], "removed": ["2026-12-25"]}}
    )
    hours = hours_of(CallingHours(own_rules=[rule]).rule_set(), "US-GA")
    assert not monday(hours, 10)
    assert hours.may_call(datetime(2026, 12, 25, 16, tzinfo=timezone.utc))
    assert rule.holidays == HolidayDays("us-federal", ("2026-12-07",), ("2026-12-25",))


def test_a_rule_twice_or_an_unknown_holiday_set_is_refused() -> None:
    rule = Rule.from_dict(OWN)
    with pytest.raises(RulesError, match="twice"):
        RuleSet("mine", (rule, rule))
    with pytest.raises(RulesError, match="no holiday set"):
        RuleSet("mine", (Rule.from_dict({**OWN, "holidays": {"set": "us-xx"}}),))


def test_caps_of_all_rules_are_handed_on() -> None:
    assert hours_of(SHIPPED, "US-FL").caps == [Cap(3, 24, "subject")]
    assert hours_of(SHIPPED, "US-GA").caps == []
