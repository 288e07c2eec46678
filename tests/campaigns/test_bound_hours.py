"""The hours that a manifest carries bind the campaign: as default, as limit, at the start and until its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.calling_hours import PartHours
from airflow_truedy.calling_hours.errors import RulesError
from airflow_truedy.campaigns import pausing
from airflow_truedy.campaigns.bound_hours import BoundHours
from airflow_truedy.campaigns.errors import TimingError, WindowClosedError
from airflow_truedy.campaigns.plan import CampaignPlan
from airflow_truedy.campaigns.timing import CallingWindow, Timing
from tests.support.ground import Ground
from tests.support.plans import HOURS, MONDAY, UTC, manifest_of, plan_of

NONE_STATED: dict[str, Any] = {"timezone": None, "start_time": None, "end_time": None}
HELD = {**NONE_STATED, "held_on_blocked_days": True}


def in_june(text: str) -> datetime:
    """Return a wall time of June 2026 in New York as an instant, such as ``02T10:00``."""
    return datetime.fromisoformat(f"2026-06-{text}:00-04:00").astimezone(UTC)


@pytest.fixture
def plan(tmp_path: Path) -> Any:
    def make(
        count: int = 3, hours: PartHours | None = HOURS, made_at: datetime = MONDAY, **changes: Any
    ) -> CampaignPlan:
        return plan_of(manifest_of(tmp_path, count, hours, made_at), **{**HELD, **changes})

    return make


class TestTheWindow:
    def test_it_is_that_of_the_people_where_none_is_stated(self, plan: Any) -> None:
        made = plan()
        assert (
            made.fields.items()
            >= {
                "timezone": "America/New_York",
                "start_time": "09:00",
                "end_time": "17:30",
                "working_days": [1, 2, 3, 4, 5],
            }.items()
        )

    @pytest.mark.parametrize(
        "narrower",
        [
            {"start_time": "10:00"},
            {"end_time": "12:00"},
            {"working_days": [2]},
            {"timezone": "America/Chicago", "start_time": "08:30", "end_time": "16:30"},
            {"timezone": "US/Eastern"},
        ],
    )
    def test_a_narrower_one_is_taken(self, plan: Any, narrower: dict[str, Any]) -> None:
        assert plan(scheduled_at="2026-06-02T10:30-04:00", **narrower).fields.items() >= narrower.items()

    @pytest.mark.parametrize(
        "wider",
        [
            {"start_time": "08:59"},
            {"end_time": "17:31"},
            {"working_days": [2, 6]},
            {"working_days": [1, 2, 3, 4, 5, 6, 7]},
            {"timezone": "America/Chicago"},
            {"timezone": "America/Los_Angeles", "start_time": "09:00", "end_time": "17:30"},
        ],
    )
    def test_a_wider_one_is_refused(self, plan: Any, wider: dict[str, Any]) -> None:
        with pytest.raises(TimingError, match=r"is wider than 09:00-17:30 America/New_York, Mon-Fri, .*us@0"):
            plan(**wider)

    def test_a_zone_that_is_no_place_cannot_be_compared(self, plan: Any) -> None:
        with pytest.raises(TimingError, match="'UTC' cannot be compared"):
            plan(timezone="UTC", start_time="14:00", end_time="15:00", scheduled_at="2026-06-02T14:00")

    @pytest.mark.parametrize("changes", [{"start_time": "9:30"}, {"working_days": [0]}, {"working_days": "ab"}])
    def test_what_the_api_would_refuse_is_named(self, plan: Any, changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidPayloadError, match=next(iter(changes))):
            plan(**changes)

    def test_people_without_hours_beside_the_list_are_refused(self, plan: Any) -> None:
        with pytest.raises(InvalidPayloadError, match=r"contact_ids.*whose hours nobody knows"):
            plan(contact_ids=["ctc_1"])

    def test_hours_that_cannot_be_read_are_refused(self, tmp_path: Path) -> None:
        manifest = manifest_of(tmp_path)
        del manifest["calling_hours"]["last_day"]
        with pytest.raises(RulesError):
            plan_of(manifest)

    def test_without_hours_in_the_manifest_they_have_to_be_stated(self, plan: Any) -> None:
        with pytest.raises(TimingError, match="need timezone"):
            plan(hours=None)

    @pytest.mark.parametrize("start", [True, False])
    def test_while_a_dag_is_parsed_they_may_still_come(self, start: bool) -> None:
        Timing(start_on=date(2026, 6, 2), start=start).check(unknown={"timezone", "start_time", "end_time"})


class TestTheStart:
    @pytest.mark.parametrize(
        ("day", "opening"),
        [
            (date(2026, 6, 2), "02T09:00"),
            # The blocked Friday, and the weekend behind it.
            (date(2026, 6, 5), "08T09:00"),
            (date(2026, 6, 6), "08T09:00"),
        ],
    )
    def test_on_a_day_it_is_the_first_allowed_opening(self, plan: Any, day: date, opening: str) -> None:
        assert plan(scheduled_at=None, start_on=day).moment == in_june(opening)

    def test_it_opens_with_the_own_window_where_that_is_narrower(self, plan: Any) -> None:
        made = plan(scheduled_at=None, start_on=date(2026, 6, 4), start_time="11:00", working_days=[1, 5])
        assert made.moment == in_june("08T11:00")

    def test_it_needs_no_hours_in_a_manifest(self) -> None:
        made = plan_of(scheduled_at=None, start_on=date(2026, 6, 6), working_days=[1, 2, 3, 4, 5])
        assert made.moment == in_june("08T09:00")

    def test_after_the_last_known_day_there_is_none(self, plan: Any) -> None:
        with pytest.raises(TimingError, match=r"known to 2026-07-31\. Make the list again"):
            plan(scheduled_at=None, start_on=date(2026, 8, 1))

    @pytest.mark.parametrize("both", [{"scheduled_at": "2026-06-02T10:00"}, {"schedule_type": "immediate"}])
    def test_it_is_stated_in_one_way(self, plan: Any, both: dict[str, Any]) -> None:
        with pytest.raises(TimingError, match="give one of them"):
            plan(**{"scheduled_at": None, **both, "start_on": date(2026, 6, 2)})

    def test_a_moment_on_a_blocked_day_is_refused_with_the_next_one(self, plan: Any) -> None:
        with pytest.raises(TimingError, match=r"Fri 2026-06-05 10:00.*'2026-06-08T09:00'; start_on='2026-06-08'"):
            plan(scheduled_at="2026-06-05T10:00")

    def test_at_once_is_checked_at_the_moment_of_the_request(self, plan: Any) -> None:
        made = plan(scheduled_at=None, schedule_type="immediate")
        assert made.start_step(in_june("04T17:29")).at is None
        for closed in ("04T17:30", "05T10:00", "06T10:00", "08T08:59"):
            with pytest.raises(TimingError):
                made.start_step(in_june(closed))
        assert made.start_step(in_june("04T10:00")).not_after == in_june("04T17:30")

    def test_a_late_start_is_none_on_a_blocked_day(self, plan: Any) -> None:
        made = plan(on_past="start_now")
        assert made.start_step(in_june("03T10:00")).at is None
        with pytest.raises(TimingError, match="nobody of its list may be called"):
            made.start_step(in_june("05T10:00"))

    def test_our_own_pause_is_not_undone_on_a_blocked_day(self, plan: Any) -> None:
        with pytest.raises(WindowClosedError, match="Mon 2026-06-08 09:00") as closed:
            plan().check_resume_at(in_june("05T10:00"), in_june("02T10:00"), called=1)
        assert closed.value.retry_after == 71 * 3600


class TestBlockedDays:
    """A campaign that starts on Tuesday the 2nd; Friday the 5th is blocked."""

    @pytest.mark.parametrize(
        ("count", "per_day", "start", "blocked"),
        [
            (3, None, "02T09:00", "Fri 2026-06-05"),
            (6, 2, "02T09:00", None),
            (7, 2, "02T09:00", "Fri 2026-06-05"),
            # A first day that has begun is one more.
            (6, 2, "02T09:01", "Fri 2026-06-05"),
            (4, 2, "02T09:01", None),
            (1, 1, "04T17:29", "Fri 2026-06-05"),
            # Behind it nothing is blocked until nothing is known any more.
            (40, 1, "08T09:00", None),
            (3, None, "08T09:00", "Mon 2026-08-03"),
        ],
    )
    def test_a_campaign_that_may_call_on_one_is_refused(
        self, plan: Any, count: int, per_day: int | None, start: str, blocked: str | None
    ) -> None:
        changes = {"scheduled_at": f"2026-06-{start}", "max_calls_per_day": per_day, "held_on_blocked_days": False}
        if blocked is None:
            plan(count, **changes)
        else:
            with pytest.raises(TimingError, match=f"may still be calling on {blocked}.*held_on_blocked_days=True"):
                plan(count, **changes)
            plan(count, **{**changes, "held_on_blocked_days": True})

    @pytest.mark.parametrize(("count", "known"), [(43, True), (44, False)])
    def test_one_on_which_it_is_held_is_a_day_more(self, plan: Any, count: int, known: bool) -> None:
        """From the 2nd of June to the 31st of July are 44 weekdays, one of them blocked."""
        changes = {"scheduled_at": "2026-06-02T09:00", "max_calls_per_day": 1}
        if known:
            plan(count, **changes)
        else:
            with pytest.raises(TimingError, match="known to 2026-07-31 only"):
                plan(count, **changes)

    @pytest.mark.parametrize("held", [True, False])
    def test_one_that_calls_on_days_of_which_nothing_is_known_is_refused_held_or_not(
        self, plan: Any, held: bool
    ) -> None:
        with pytest.raises(TimingError, match=r"calling on Mon 2026-08-03\..* known to 2026-07-31 only.*days_ahead"):
            plan(41, scheduled_at="2026-06-08T09:00", max_calls_per_day=1, held_on_blocked_days=held)

    def test_one_on_which_it_does_not_work_does_not_count(self, plan: Any) -> None:
        plan(7, max_calls_per_day=2, held_on_blocked_days=False, working_days=[1, 2, 3, 4])

    def test_an_immediate_start_is_judged_when_it_starts(self, plan: Any) -> None:
        made = plan(4, scheduled_at=None, schedule_type="immediate", max_calls_per_day=2, held_on_blocked_days=False)
        assert made.start_step(in_june("02T09:30")).at is None
        with pytest.raises(TimingError, match="Fri 2026-06-05"):
            made.start_step(in_june("03T09:30"))

    def test_a_draft_is_not_judged(self, plan: Any) -> None:
        plan(start=False, held_on_blocked_days=False)

    @given(day=st.integers(0, 70), days=st.integers(1, 60), minute=st.integers(0, 509))
    def test_it_agrees_with_a_walk_through_the_calendar(self, day: int, days: int, minute: int) -> None:
        hours = BoundHours(CallingWindow("America/New_York", time(9), time(17, 30), frozenset(range(1, 6))), HOURS)
        start = in_june("01T09:00") + timedelta(days=day, minutes=minute)
        if not hours.allow(start):
            return
        local, left = start.astimezone(UTC).date(), days
        expected = None
        while left and expected is None:
            if local.isoweekday() <= 5:
                left -= 1
                expected = local if str(local) == "2026-06-05" or local > date(2026, 7, 31) else None
            local += timedelta(days=1)
        assert next(hours.blocked_days(start, days), None) == expected


class TestTheAgeOfTheList:
    """Made on Monday at nine in New York, for Tuesday at ten: 25 hours."""

    def test_one_that_is_young_enough_at_the_start_is_taken(self, plan: Any) -> None:
        assert plan(max_contacts_age=25 * 3600).moment == in_june("02T10:00")

    def test_one_that_is_too_old_at_the_start_is_refused(self, plan: Any) -> None:
        with pytest.raises(TimingError, match=r"until Tue 2026-06-02 09:59 .*max_contacts_age.*clear the task"):
            plan(max_contacts_age=25 * 3600 - 60)

    def test_a_start_at_once_and_a_late_one_count_by_the_moment_of_the_request(self, plan: Any) -> None:
        at_once = plan(scheduled_at=None, schedule_type="immediate", max_contacts_age=7200)
        late = plan(on_past="start_now", max_contacts_age=26 * 3600)
        assert at_once.start_step(in_june("01T11:00")).at is None
        assert late.start_step(in_june("02T11:00")).at is None
        with pytest.raises(TimingError, match="max_contacts_age"):
            at_once.start_step(in_june("01T11:01"))
        with pytest.raises(TimingError, match="max_contacts_age"):
            late.start_step(in_june("02T11:01"))
        assert at_once.start_step(in_june("01T10:00")).not_after == in_june("01T11:00")
        assert late.start_step(in_june("01T10:00")).not_after == late.moment

    def test_our_own_pause_is_undone_whatever_its_age_by_then(self, make_ground: Any, plan: Any) -> None:
        ground: Ground = make_ground()
        made = plan(30, scheduled_at=None, schedule_type="immediate", max_contacts_age=3600, max_calls_per_day=3)
        batch = ground.run(made).batch
        ground.advance(2 * 86_400)
        pausing.pause_for_kill(ground.client, made.key, batch.id)
        again = ground.run(made)
        assert (again.batch.id, again.batch.status) == (batch.id, "active")

    @pytest.mark.parametrize("contacts", [3, None])
    def test_of_people_without_a_manifest_it_is_unknown(self, contacts: Any) -> None:
        with pytest.raises(InvalidPayloadError, match=r"max_contacts_age.*needs the manifest"):
            plan_of(contacts, contact_ids=["ctc_1"], max_contacts_age=3600)

    def test_it_needs_no_hours(self, tmp_path: Path) -> None:
        plan_of(manifest_of(tmp_path, hours=None), max_contacts_age=25 * 3600)
        with pytest.raises(TimingError, match="max_contacts_age"):
            plan_of(manifest_of(tmp_path, hours=None), max_contacts_age=3600)


def test_a_campaign_with_hours_starts_at_its_opening_and_nobody_is_rung_outside(make_ground: Any, plan: Any) -> None:
    ground: Ground = make_ground()
    batch = ground.run(plan(scheduled_at=None, start_on=date(2026, 6, 2))).batch
    assert (batch.status, batch.scheduled_at, batch.timezone) == ("scheduled", in_june("02T09:00"), "America/New_York")
    stored = ground.only.hours
    assert (stored.zone, stored.start_time, stored.end_time) == ("America/New_York", "09:00", "17:30")
    assert list(stored.working_days) == [1, 2, 3, 4, 5]
    ground.advance(2 * 86_400)
    assert ground.client.send(endpoints.get_batch_call(batch.id)).status == "completed"
    assert all(HOURS.allows(datetime.fromtimestamp(at, UTC)) for at in ground.only.dialer.starts)


def test_a_retry_after_the_start_finds_the_campaign_again(make_ground: Any, plan: Any) -> None:
    ground: Ground = make_ground()
    made = plan(scheduled_at=None, start_on=date(2026, 6, 2), max_contacts_age=86_400)
    first = ground.run(made)
    ground.advance(3 * 86_400)
    again = ground.run(plan(scheduled_at=None, start_on=date(2026, 6, 2), max_contacts_age=86_400))
    assert (again.attached, again.batch.id) == (True, first.batch.id)


def test_hours_replaced_by_narrower_ones_make_another_campaign(plan: Any) -> None:
    narrower = replace(HOURS, end_time="17:00")
    assert plan().fingerprint != plan(hours=narrower).fingerprint


def test_what_is_left_after_a_kill_is_not_called_on_a_blocked_day(ground: Ground, tmp_path: Path) -> None:
    listed = manifest_of(tmp_path, 30)

    def plan() -> CampaignPlan:  # Tuesday to Thursday; Friday, June 5th, is blocked.
        return plan_of(listed, scheduled_at="2026-06-02T09:00-04:00", max_calls_per_day=10, **NONE_STATED)

    batch = ground.run(plan()).batch
    ground.clock.change(to=datetime(2026, 6, 2, 20, tzinfo=UTC).timestamp())
    pausing.pause_for_kill(ground.client, plan().key, batch.id)
    ground.clock.change(to=datetime(2026, 6, 4, 20, tzinfo=UTC).timestamp())
    with pytest.raises(WindowClosedError, match="might still call on a day") as closed:
        ground.run(plan())
    assert ground.only.status == "paused"
    ground.advance(closed.value.retry_after)
    assert ground.run(plan()).batch.status == "active"
    assert ground.now() >= datetime(2026, 6, 6, 4, tzinfo=UTC)
