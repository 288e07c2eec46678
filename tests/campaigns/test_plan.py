from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.campaigns.errors import PastStartError, PastStartSkip, TimingError
from airflow_truedy.campaigns.timing import Timing
from tests.support.plans import MONDAY, START, STARTS_AT, WINDOW, people, plan_of

UTC = timezone.utc


class TestNoSilentDefault:
    @pytest.mark.parametrize(
        ("stated", "asks_for"),
        [
            ({}, "When does the campaign start"),
            ({"schedule_type": "scheduled"}, "needs scheduled_at"),
            ({"schedule_type": "scheduled", "start": False}, "needs scheduled_at"),
            ({"schedule_type": "immediate", "scheduled_at": START}, "contradicts scheduled_at"),
            ({"scheduled_at": START}, "need timezone"),
            ({"scheduled_at": START, "start": False}, "need timezone"),
            ({"scheduled_at": "2026-06-02T14:00Z"}, "need timezone"),
            ({"schedule_type": "immediate", "start_time": "09:00"}, "need timezone"),
            ({"schedule_type": "immediate", "end_time": "17:00"}, "need timezone"),
            ({"schedule_type": "immediate", "working_days": [1]}, "need timezone"),
            ({"start": False, "working_days": [1]}, "need timezone"),
            ({"scheduled_at": START, "timezone": "UTC"}, "daily calling window"),
            ({"scheduled_at": START, "timezone": "UTC", "start_time": "09:00"}, "daily calling window"),
            ({"scheduled_at": START, "timezone": "UTC", "end_time": "09:00"}, "daily calling window"),
            ({"schedule_type": "immediate"}, "needs a zone and a daily calling window"),
            ({"schedule_type": "immediate", "timezone": "UTC"}, "daily calling window"),
            ({"schedule_type": "immediate", "timezone": "UTC", "start_time": "09:00"}, "daily calling window"),
        ],
    )
    def test_what_is_left_out_is_asked_for(self, stated: dict[str, Any], asks_for: str) -> None:
        with pytest.raises(TimingError, match=asks_for):
            Timing(**stated).check()

    @pytest.mark.parametrize(
        "stated",
        [
            {"schedule_type": "immediate", "start": False},
            {"start": False},
            {"schedule_type": "immediate", **WINDOW, "working_days": [1]},
            {"scheduled_at": START, **WINDOW},
            {"scheduled_at": START, "schedule_type": "scheduled", **WINDOW},
            {"scheduled_at": START, "timezone": "UTC", "start": False},
        ],
    )
    def test_what_says_enough_is_taken(self, stated: dict[str, Any]) -> None:
        Timing(**stated).check()

    @given(st.sets(st.sampled_from([field.name for field in fields(Timing)])), st.booleans())
    def test_nothing_with_a_clock_goes_without_a_zone(self, stated: set[str], start: bool) -> None:
        try:
            Timing(start=start).check(unknown=stated)
        except TimingError:
            return
        clocks = {"scheduled_at", "start_on", "start_time", "end_time", "working_days"}
        assert "timezone" in stated or not clocks & stated

    def test_every_enum_and_the_zone_are_sent_explicitly(self) -> None:
        body = plan_of(2, scheduled_at=None, start=False, timezone=None, start_time=None, end_time=None)
        sent = body.create_request().body()
        assert sent["phone_rotation_strategy"] == "random"
        assert sent["contact_source"] == "manual"
        assert sent["schedule_type"] == "immediate"
        assert sent["timezone"] == "UTC"
        assert "scheduled_at" not in sent

    def test_a_scheduled_campaign_sends_its_moment_in_utc(self) -> None:
        sent = plan_of(2).create_request().body()
        assert sent["schedule_type"] == "scheduled"
        assert sent["scheduled_at"] == "2026-06-02T14:00:00Z"
        assert sent["timezone"] == "America/New_York"

    def test_a_folder_is_stated_as_the_source(self) -> None:
        plan = plan_of(None, contact_folder_id="folder_abc123")
        assert plan.create_request().body()["contact_source"] == "folder"


class TestWhatIsRefusedBeforeAnyRequest:
    @pytest.mark.parametrize("name", ["", "x" * 256])
    def test_a_name_outside_1_to_255_characters(self, name: str) -> None:
        with pytest.raises(InvalidPayloadError, match="1 to 255"):
            plan_of(name=name)

    @pytest.mark.parametrize("name", [20260601, None, ["Renewals"]])
    def test_a_name_that_is_no_text(self, name: Any) -> None:
        with pytest.raises(InvalidPayloadError, match="name"):
            plan_of(name=name)

    def test_a_name_of_255_characters_is_shortened_to_hold_the_tag(self) -> None:
        plan = plan_of(name="x" * 255)
        assert len(plan.tagged_name) <= 255
        assert "…" in plan.tagged_name

    def test_nobody_to_call(self) -> None:
        with pytest.raises(InvalidPayloadError, match="someone to call"):
            plan_of(None)
        with pytest.raises(InvalidPayloadError, match=r"contacts = '0 contacts': is empty.*nobody to call"):
            plan_of([])

    def test_a_contact_named_twice(self) -> None:
        with pytest.raises(InvalidPayloadError, match=r"contact_ids.*must not repeat a contact"):
            plan_of(None, contact_ids=["ctc_1", "ctc_1"])

    def test_a_time_that_does_not_exist(self) -> None:
        with pytest.raises(TimingError, match="does not exist"):
            plan_of(scheduled_at="2026-03-08T02:30")

    @pytest.mark.parametrize("start", [{"scheduled_at": START}, {"scheduled_at": None, "schedule_type": "immediate"}])
    def test_a_zone_that_is_no_regions_clock(self, start: dict[str, Any]) -> None:
        with pytest.raises(TimingError, match="'EST' has no daylight saving time"):
            plan_of(timezone="EST", **start)
        with pytest.raises(TimingError, match="'EST' has no daylight saving time"):
            plan_of(timezone="EST", scheduled_at="2026-06-02T14:00:00Z")

    def test_an_extra_field_that_has_its_own_parameter(self) -> None:
        with pytest.raises(InvalidPayloadError, match="own parameter"):
            plan_of(extra_fields={"timezone": "UTC"})

    def test_a_folder_beside_contacts_that_need_several_requests(self) -> None:
        # Only one request is all or nothing, and a folder's size is not known: parts of the list could be missed.
        plan_of(4, contact_folder_id="folder_abc123", chunk_size=4)
        with pytest.raises(InvalidPayloadError, match="beside contact_folder_id"):
            plan_of(5, contact_folder_id="folder_abc123", chunk_size=4)

    def test_an_extra_field_goes_over_the_wire_as_it_is(self) -> None:
        plan = plan_of(extra_fields={"retry_failed": True})
        assert plan.create_request().body()["retry_failed"] is True


class TestOnPast:
    def test_a_moment_ahead_is_sent_whatever_on_past_says(self) -> None:
        for on_past in ("fail", "start_now", "skip"):
            assert plan_of(on_past=on_past).start_step(STARTS_AT - timedelta(seconds=1)).at == STARTS_AT

    def test_a_passed_moment_fails(self) -> None:
        for now in (STARTS_AT, STARTS_AT + timedelta(days=7)):
            with pytest.raises(PastStartError, match="has passed") as refused:
                plan_of().start_step(now)
            assert not isinstance(refused.value, PastStartSkip)
            assert not refused.value.retryable

    def test_a_passed_moment_skips_by_wish(self) -> None:
        with pytest.raises(PastStartSkip):
            plan_of(on_past="skip").start_step(STARTS_AT)

    def test_a_passed_moment_starts_now_by_wish_inside_the_window(self) -> None:
        assert plan_of(on_past="start_now").start_step(STARTS_AT + timedelta(hours=1)).at is None

    def test_a_late_start_outside_the_window_is_refused_with_the_next_opening(self) -> None:
        with pytest.raises(TimingError, match="such as '2026-06-03T09:00'"):
            plan_of(on_past="start_now").start_step(STARTS_AT + timedelta(hours=10))

    def test_an_immediate_start_outside_window_or_days_is_refused(self) -> None:
        plan = plan_of(scheduled_at=None, schedule_type="immediate", working_days=[1])
        assert plan.start_step(MONDAY).at is None
        for moment in (MONDAY - timedelta(hours=1), MONDAY + timedelta(hours=9), MONDAY + timedelta(days=1)):
            with pytest.raises(TimingError, match="outside its calling window"):
                plan.start_step(moment)

    def test_an_immediate_start_at_any_hour_is_stated(self) -> None:
        plan = plan_of(scheduled_at=None, schedule_type="immediate", start_time="00:00", end_time="23:59")
        for hour in range(24):
            assert plan.start_step(MONDAY + timedelta(hours=hour)).at is None


class TestStartInTheWindow:
    @pytest.mark.parametrize(
        "start",
        [
            {"scheduled_at": "2026-06-02T09:30+00:00"},
            {"scheduled_at": "2026-06-02T02:00"},
            {"scheduled_at": "2026-06-02T08:59:59"},
            {"scheduled_at": "2026-06-02T17:30"},
            {"scheduled_at": "2026-06-07T10:00", "working_days": [1, 2, 3, 4, 5]},
        ],
    )
    def test_a_start_outside_window_or_days_is_refused_with_the_next_opening(self, start: dict[str, Any]) -> None:
        with pytest.raises(TimingError, match=r"outside the calling window.*such as '2026-06-0[238]T09:00'"):
            plan_of(**start)

    @pytest.mark.parametrize("start", ["2026-06-02T09:00", "2026-06-02T17:29:59", "2026-06-07T10:00"])
    def test_a_start_inside_is_taken(self, start: str) -> None:
        assert plan_of(scheduled_at=start).moment is not None

    def test_a_draft_without_a_window_may_name_any_start(self) -> None:
        assert plan_of(scheduled_at="2026-06-02T02:00", start=False, start_time=None, end_time=None).moment

    def test_a_request_that_starts_calls_has_a_last_moment(self) -> None:
        plan = plan_of(scheduled_at=None, schedule_type="immediate")
        assert plan.start_step(MONDAY).not_after == MONDAY.replace(hour=21, minute=30)
        assert plan_of().start_step(MONDAY).not_after == STARTS_AT


class TestFingerprint:
    @pytest.mark.parametrize(
        "change",
        [
            {"name": "Other"},
            {"agent_id": "agt_5e1ec7ed"},
            {"scheduled_at": "2026-06-02T10:01"},
            {"timezone": "America/Chicago"},
            {"start_time": "09:01"},
            {"end_time": "17:31"},
            {"working_days": [1, 2]},
            {"max_calls_per_day": 5},
            {"phone_number_ids": ["num_1"]},
            {"phone_rotation_strategy": "sequential"},
            {"contact_source": "csv"},
            {"contact_ids": ["ctc_1"]},
            {"contact_folder_id": "folder_1"},
            {"extra_fields": {"retry_failed": True}},
        ],
    )
    def test_it_changes_with_what_the_campaign_is(self, change: dict[str, Any]) -> None:
        assert plan_of(**change).fingerprint != plan_of().fingerprint

    def test_it_changes_with_a_contact_and_with_their_order(self) -> None:
        three = people(3)
        prints = {
            plan_of(people).fingerprint
            for people in (three, three[::-1], three[:2], [*three[:2], {**three[2], "email": "a@example.com"}])
        }
        assert len(prints) == 4

    @pytest.mark.parametrize(
        "change",
        [
            {"on_past": "skip"},
            {"on_change": "rebuild"},
            {"on_retry": "new"},
            {"chunk_size": 1},
            {"max_rejected": 1},
            {"key": "another"},
            {"max_calls_per_day": None},
            {"phone_rotation_strategy": "random"},
            {"scheduled_at": "2026-06-02T14:00:00Z"},
            {"scheduled_at": datetime(2026, 6, 2, 10)},
            {"schedule_type": "scheduled"},
            {"extra_fields": {}},
        ],
    )
    def test_it_stays_with_how_the_same_campaign_is_said_or_handled(self, change: dict[str, Any]) -> None:
        assert plan_of(**change).fingerprint == plan_of().fingerprint

    def test_it_is_the_same_in_every_process_also_for_values_without_an_order(self) -> None:
        program = (
            "from tests.support.plans import plan_of; "
            "p = plan_of(phone_number_ids={'num_1', 'num_2', 'num_3', 'num_4'}); "
            "print(p.fingerprint, p.create_request().to_json())"
        )
        prints = {
            subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, "PYTHONPATH": os.getcwd(), "PYTHONHASHSEED": seed},
                capture_output=True,
                check=True,
            ).stdout
            for seed in ("1", "2")
        }
        assert len(prints) == 1


class TestCounts:
    def test_contacts_and_contact_ids_are_expected_together(self) -> None:
        assert plan_of(3).expected_contacts == 3
        assert plan_of(3, contact_ids=["ctc_1", "ctc_2"]).expected_contacts == 5
        assert plan_of(None, contact_ids=["ctc_1"]).expected_contacts == 1

    def test_only_the_server_knows_a_folders_count(self) -> None:
        assert plan_of(None, contact_folder_id="folder_1").expected_contacts is None
        assert plan_of(3, contact_folder_id="folder_1").expected_contacts is None

    @pytest.mark.parametrize(
        ("max_rejected", "count", "allowed"),
        [
            (0, 50, 0),
            (1, 50, 1),
            (1.0, 50, 50),
            (7, 50, 7),
            (0.1, 50, 5),
            (0.1, 9, 0),
            (0.5, 3, 1),
            (0.29, 100, 29),
            (0.0, 9, 0),
        ],
    )
    def test_a_number_is_a_number_and_a_share_is_a_share(self, max_rejected: float, count: int, allowed: int) -> None:
        assert plan_of(count, max_rejected=max_rejected).may_refuse == allowed

    @pytest.mark.parametrize("wrong", [{"max_rejected": 1.5}, {"extra_fields": ["a"]}, {"extra_fields": "text"}])
    def test_what_is_neither_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(InvalidPayloadError, match=next(iter(wrong))):
            plan_of(3, **wrong)


def test_a_plan_shows_nobody() -> None:
    shown = repr(plan_of(3, extra_fields={"note": "Person0 +12125550100"}))
    assert "Person" not in shown
    assert "2125550" not in shown


# Every row of the create page, with a value that goes over the wire and one that is refused before any request.
ROWS: list[tuple[str, Any, Any, str]] = [
    ("name", "March follow-up campaign", "", "1 to 255"),
    ("agent_id", "agt_f9447372", "", "at least 1 character"),
    ("phone_number_ids", ["num_11111111-1111-1111-1111-111111111111"], "num_1", "must be a list"),
    ("phone_rotation_strategy", "round_robin", "roundrobin", "must be one of"),
    ("contact_source", "csv", "sheet", "must be one of"),
    ("contact_folder_id", "folder_abc123", 5, "must be text"),
    ("contact_ids", ["ctc_aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"], [""], "at least 1 character"),
    ("schedule_type", "scheduled", "later", "one of"),
    ("scheduled_at", "2026-06-02T10:00", "2026-06-02", "date without a time"),
    ("max_calls_per_day", 500, 0, "at least 1"),
    ("timezone", "America/New_York", "New York", "IANA"),
    ("start_time", "09:00", "99:99", "HH:MM"),
    ("end_time", "17:30", "08:59", "after start_time"),
    ("working_days", [1, 2, 3, 4, 5], [0, 8], "from 1 .* to 7"),
]


@pytest.mark.parametrize(("field", "good", "bad", "rule"), ROWS, ids=[row[0] for row in ROWS])
def test_a_good_value_of_each_field_is_sent(field: str, good: Any, bad: Any, rule: str) -> None:
    sent = plan_of(**{field: good}).create_request().body()
    if field == "name":
        assert sent["name"].startswith(good)
    else:
        assert sent[field] == ("2026-06-02T14:00:00Z" if field == "scheduled_at" else good)


@pytest.mark.parametrize(("field", "good", "bad", "rule"), ROWS, ids=[row[0] for row in ROWS])
def test_a_bad_value_of_each_field_is_refused_naming_field_value_and_rule(
    field: str, good: Any, bad: Any, rule: str
) -> None:
    with pytest.raises((InvalidPayloadError, TimingError), match=rule) as refused:
        plan_of(**{field: bad})
    assert field in str(refused.value)
    shown = bad[0] if isinstance(bad, list) else bad
    assert str(shown) in str(refused.value)
