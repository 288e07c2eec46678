"""Holds: what is stopped and in which order, whose pause it is, and when a campaign goes on again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import InvalidPayloadError, PaymentRequiredError
from airflow_truedy.api.models import BatchCallUpdate
from airflow_truedy.calling_hours import Blackout, CallingHours, PartHours, Placement, Placer, fewest_parts
from airflow_truedy.calling_hours.campaign_zone import ClosedDays
from airflow_truedy.calling_hours.errors import RulesError, UnknownZoneError
from airflow_truedy.campaigns import control, pausing
from airflow_truedy.campaigns.errors import UnsettledError
from airflow_truedy.campaigns.hold import check_word, held, hold, live, release
from airflow_truedy.campaigns.identity import (
    CampaignKey,
    bare_name,
    digest,
    holds_in,
    tag_of,
    with_holds,
    without_markers,
)
from airflow_truedy.campaigns.meant import Meant, Selection
from airflow_truedy.campaigns.steps import Settling
from airflow_truedy.campaigns.timing import CallingWindow
from tests.support.ground import Ground, Send, refused
from tests.support.plans import MONDAY, UTC, manifest_of, plan_of

LOS_ANGELES, NEW_YORK = "America/Los_Angeles", "America/New_York"
NOW = {"schedule_type": "immediate", "scheduled_at": None}
DAYTIME = CallingWindow.of("UTC", "09:00", "17:00", None)
ALL = Selection(MONDAY.date())


def started(ground: Ground, key: str, **changes: Any) -> Any:
    """Launch a campaign of its own; return it as the server keeps it."""
    settle = ground.app.state.world.settings.read_lag * 2
    batch = ground.run(plan_of(30, key=key, name=f"Campaign {key}", **changes), settle=settle).batch
    return next(each for each in ground.batches if each.id == batch.id)


def hold_all(ground: Ground, word: str = "stop", selection: Selection = ALL) -> Any:
    return hold(ground.client, selection.covers, word, ground.settling)


def release_all(ground: Ground, word: str = "stop", **options: Any) -> Any:
    found = held(ground.client, ALL.covers, word)
    return release(ground.client, found, word, **{"hours": DAYTIME, "settling": ground.settling, **options})


class TestTheMarker:
    NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)
    HOLDS = st.lists(st.sampled_from(["stop", "blackout", "a" * 20]), max_size=3, unique=True)

    @given(name=NAMES, holds=HOLDS, tagged=st.booleans(), killed=st.booleans())
    def test_it_is_found_again_and_fits_and_keeps_the_tag(
        self, name: str, holds: list[str], tagged: bool, killed: bool
    ) -> None:
        key = CampaignKey("k")
        before = key.tagged(name, digest("p")) if tagged else with_holds(name, ())
        if killed and tagged:
            before = key.with_pause_marker(before)
        marked = with_holds(before, holds)
        assert len(marked) <= 255
        assert list(holds_in(marked)) == holds
        assert with_holds(marked, holds) == marked
        assert bare_name(marked)[:20] == bare_name(before)[:20]
        assert holds_in(without_markers(marked)) == ()
        if tagged:
            tag = key.tag_in(marked)
            assert tag is not None
            # A held campaign is not to be resumed by the next try of a task that was killed.
            assert tag.paused_by_us == (killed and not holds)
            # The tag and the space before it; of a long name the end may be cut off.
            assert with_holds(marked, ())[-32:] == before[-32:]
            assert tag_of(marked) == ("airflow", key.short)

    def test_a_kill_after_a_hold_that_a_person_undid_is_the_kills(self) -> None:
        key = CampaignKey("k")
        killed = key.with_pause_marker(with_holds(key.tagged("n", digest("p")), ["stop"]))
        tag = key.tag_in(killed)
        assert tag is not None
        assert tag.paused_by_us
        assert holds_in(killed) == ()

    @pytest.mark.parametrize("word", ["", "Stop", "two words", "a" * 21, "stop)", "a,b"])
    def test_a_word_that_does_not_fit_into_it_is_refused(self, word: str) -> None:
        with pytest.raises(InvalidPayloadError, match=r"hold = .*1 to 20"):
            check_word(word)


class TestHold:
    def test_it_stops_those_that_call_first_and_tells_what_is_left(
        self, ground: Ground, caplog: pytest.LogCaptureFixture
    ) -> None:
        scheduled, active = started(ground, "a"), started(ground, "b", **NOW)
        ground.app.state.log.clear()
        with caplog.at_level(logging.INFO, "airflow_truedy.campaigns.hold"):
            report = hold_all(ground)
        assert (scheduled.status, active.status) == ("paused", "paused")
        assert report.to_dict() == {"held": 2, "left": 0, "stopped": [active.id, scheduled.id], "unmarked": []}
        paths = [each.path.rpartition("/v1")[2] for each in ground.app.state.log.all]
        # Nothing is between the list of those that call and the first pause.
        assert paths[:2] == ["/batch-calls", f"/batch-calls/{active.id}/pause"]
        told = [each.getMessage() for each in caplog.records if each.name == "airflow_truedy.campaigns.hold"]
        assert told[0].startswith("To stop: 1 that are active")
        assert told[1] == f"1 of 1: {active.id} is stopped. Not yet: none."

    def test_nobody_is_rung_after_it(self, ground: Ground) -> None:
        active = started(ground, "a", **NOW)
        hold_all(ground)
        rung = len(active.dialer.starts)
        ground.advance(3 * 86_400)
        live(ground.client, ALL.covers)
        assert len(active.dialer.starts) == rung

    def test_drafts_and_ended_ones_are_left_alone(self, ground: Ground) -> None:
        draft, ended = started(ground, "a", start=False), started(ground, "b")
        ground.force(ended, "failed")
        assert hold_all(ground).to_dict()["held"] == 0
        assert (draft.status, ended.status) == ("draft", "failed")

    def test_a_persons_pause_is_left_alone_and_never_undone(self, ground: Ground) -> None:
        batch = started(ground, "a")
        ground.do("pause_batch", batch)
        assert hold_all(ground).left == [batch.id]
        assert release_all(ground).released == []
        assert (batch.status, holds_in(batch.name)) == ("paused", ())

    def test_a_person_who_is_faster_keeps_the_pause(self, ground: Ground) -> None:
        batch = started(ground, "a")

        def person_first(request: Any, send: Any) -> Any:
            ground.do("pause_batch", batch)
            return send()

        ground.alter("POST", ".*/pause", person_first)
        assert hold_all(ground).left == [batch.id]
        assert holds_in(batch.name) == ()

    def test_what_airflow_did_not_launch_is_held_too(self, ground: Ground) -> None:
        batch = started(ground, "a")
        batch.name = "Made in the dashboard"
        hold_all(ground)
        assert batch.name == "Made in the dashboard held by Airflow (stop)"
        ground.advance(3600)
        assert release_all(ground).released == [batch.id]
        assert (batch.status, batch.name) == ("scheduled", "Made in the dashboard")

    def test_twice_is_as_once(self, ground: Ground) -> None:
        batch = started(ground, "a")
        hold_all(ground)
        name, writes = batch.name, len(ground.writes)
        assert hold_all(ground).to_dict() == {"held": 1, "left": 0, "stopped": [], "unmarked": []}
        assert (batch.name, len(ground.writes)) == (name, writes)

    @pytest.mark.parametrize("fault", ["lost_answer", "drop"])
    def test_a_lost_request_is_looked_at_again(self, ground: Ground, fault: str) -> None:
        batch = started(ground, "a", **NOW)
        ground.fault(fault, "POST", "/pause$")
        assert hold_all(ground).held == [batch.id]
        assert (batch.status, holds_in(batch.name)) == ("paused", ("stop",))

    def test_what_the_server_does_not_pause_fails_after_all_others_are_held(self, ground: Ground) -> None:
        stubborn, other = started(ground, "a", **NOW), started(ground, "b")
        ground.alter("POST", f"/batch-calls/{stubborn.id}/pause", refused())
        with pytest.raises(UnsettledError, match=rf"1 campaigns were NOT stopped: {stubborn.id}\. 1 are held"):
            hold_all(ground)
        assert (other.status, holds_in(other.name)) == ("paused", ("stop",))
        ground.heal()
        assert sorted(hold_all(ground).held) == sorted([stubborn.id, other.id])

    def test_one_that_starts_while_it_looks_is_found(self, ground: Ground) -> None:
        started(ground, "a", **NOW)
        later: list[Any] = []

        def launch_meanwhile(request: Any, send: Any) -> Any:
            answer = send()
            if not later:
                later.append(started(ground, "b", **NOW))
            return answer

        ground.alter("POST", ".*/pause", launch_meanwhile)
        assert len(hold_all(ground).held) == 2
        assert later[0].status == "paused"

    def test_one_that_is_deleted_meanwhile_does_not_matter(self, ground: Ground) -> None:
        gone, other = started(ground, "a", **NOW), started(ground, "b")

        def delete_after(request: Any, send: Any) -> Any:
            answer = send()
            ground.force(gone, "deleted")
            return answer

        ground.alter("POST", f"/batch-calls/{gone.id}/pause", delete_after)
        assert hold_all(ground).held == [other.id]

    def test_a_name_that_cannot_be_changed_is_told(self, ground: Ground) -> None:
        batch = started(ground, "a")
        ground.alter("PATCH", ".*", refused())
        assert hold_all(ground).unmarked == [batch.id]
        assert batch.status == "paused"

    def test_a_marker_that_the_server_cuts_is_taken_back(self, make_ground: Any) -> None:
        ground: Ground = make_ground(name_limit=50)
        batch = started(ground, "a")
        name = batch.name
        assert len(name) < 50
        assert hold_all(ground).unmarked == [batch.id]
        assert batch.name == name

    def test_an_error_of_the_whole_connection_ends_it_and_what_was_stopped_is_held(self, ground: Ground) -> None:
        one, other = started(ground, "a", **NOW), started(ground, "b")
        ground.alter("POST", f"/batch-calls/{other.id}/pause", refused(402, "payment_required"))
        with pytest.raises(PaymentRequiredError):
            hold_all(ground)
        assert (one.status, other.status) == ("paused", "scheduled")
        assert holds_in(one.name) == ("stop",)

    def test_a_lagging_server_is_waited_for(self, make_ground: Any) -> None:
        ground: Ground = make_ground(read_lag=8)
        batches = [started(ground, key, **NOW) for key in "ab"]
        assert sorted(hold_all(ground).held) == sorted(each.id for each in batches)


class TestSelection:
    @pytest.fixture
    def batches(self, ground: Ground) -> dict[str, Any]:
        zones = {"ny": NEW_YORK, "chi": "America/Chicago", "la": LOS_ANGELES, "phx": "America/Phoenix"}
        return {key: started(ground, key, timezone=zone) for key, zone in zones.items()}

    @pytest.mark.parametrize(
        ("conditions", "expected"),
        [
            ({}, {"ny", "chi", "la", "phx"}),
            ({"zones": ["America/Detroit"]}, {"ny"}),
            ({"zones": ["US/Pacific", "America/Chicago"]}, {"la", "chi"}),
            ({"states": ["US-FL"]}, {"ny", "chi"}),
            ({"states": ["US-CA"]}, {"la"}),
            ({"states": ["US-CA"], "zones": [NEW_YORK]}, {"la", "ny"}),
            ({"states": ["CA-QC"]}, {"ny"}),
            ({"names": ["Campaign c*"]}, {"chi"}),
            ({"names": ["Campaign ny", "Campaign la"], "zones": [NEW_YORK]}, {"ny"}),
            ({"names": ["campaign*"]}, set()),
            ({"tag_words": ["airflow"]}, {"ny", "chi", "la", "phx"}),
            ({"tag_words": ["crm"]}, set()),
        ],
    )
    def test_only_what_is_meant_is_held(
        self, ground: Ground, batches: dict[str, Any], conditions: dict[str, Any], expected: set[str]
    ) -> None:
        hold_all(ground, selection=Selection(MONDAY.date(), **conditions))
        assert {key for key, batch in batches.items() if batch.status == "paused"} == expected

    @pytest.mark.parametrize("zone", [None, "", "UTC", "Mars/Phobos"])
    def test_a_campaign_of_unknown_zone_is_in_every_zone(self, ground: Ground, zone: str | None) -> None:
        batch = started(ground, "a")
        ground.alter_data("GET", "/batch-calls", timezone=zone)
        hold_all(ground, selection=Selection(MONDAY.date(), states=["US-FL"]))
        assert batch.status == "paused"

    @pytest.mark.parametrize("states", [["FL"], ["US-XX"], ["Florida"], [""]])
    def test_a_state_that_does_not_exist_is_an_error(self, states: list[str]) -> None:
        with pytest.raises(RulesError, match="is not a state"):
            Selection(MONDAY.date(), states=states)

    def test_a_zone_that_does_not_exist_is_an_error(self) -> None:
        with pytest.raises(UnknownZoneError):
            Selection(MONDAY.date(), zones=["New York"])


class TestRelease:
    """The ground's clock is Monday, 9 in New York and 6 in Los Angeles."""

    def test_only_in_its_hours_by_its_own_clock(self, ground: Ground) -> None:
        east, west = (
            started(ground, "a", **NOW),
            started(
                ground, "b", timezone=LOS_ANGELES, scheduled_at=None, schedule_type="immediate", start_time="05:00"
            ),
        )
        hold_all(ground)
        report = release_all(ground)
        assert report.released == [east.id]
        assert report.kept == {
            west.id: "it is outside its hours, which begin "
            "Mon 2026-06-01 09:00 PDT (America/Los_Angeles), 2026-06-01T16:00:00Z"
        }
        assert (east.status, west.status) == ("active", "paused")
        assert (holds_in(east.name), holds_in(west.name)) == ((), ("stop",))
        ground.advance(3 * 3600)
        assert release_all(ground).released == [west.id]
        assert west.status == "active"

    def test_one_whose_start_is_ahead_goes_back_at_any_hour(self, ground: Ground) -> None:
        batch = started(ground, "a")
        hold_all(ground)
        ground.advance(12 * 3600)
        assert release_all(ground).released == [batch.id]
        assert batch.status == "scheduled"

    def test_of_two_holds_the_last_one_lets_it_go_on(self, ground: Ground) -> None:
        batch = started(ground, "a", **NOW)
        hold_all(ground, "blackout")
        hold_all(ground, "stop")
        assert holds_in(batch.name) == ("blackout", "stop")
        assert release_all(ground, "blackout").released == []
        assert (batch.status, holds_in(batch.name)) == ("paused", ("stop",))
        assert release_all(ground, "stop").released == [batch.id]
        assert batch.status == "active"

    def test_another_word_releases_nothing(self, ground: Ground) -> None:
        batch = started(ground, "a", **NOW)
        hold_all(ground, "stop")
        assert release_all(ground, "blackout").to_dict() == {"released": [], "kept": {}}
        assert batch.status == "paused"

    def test_the_pause_of_a_killed_task_is_kept_and_is_that_tasks_again(self, ground: Ground) -> None:
        plan = plan_of(3, key="a", **NOW)
        batch_id = ground.run(plan).batch.id
        pausing.pause_for_kill(ground.client, plan.key, batch_id)
        hold_all(ground)
        # The next try does not resume it while it is held.
        ground.run(plan)
        assert ground.only.status == "paused"
        assert release_all(ground).released == []
        assert (ground.only.status, holds_in(ground.only.name)) == ("paused", ())
        ground.run(plan)
        assert ground.only.status == "active"

    def test_a_person_takes_a_hold_over(self, ground: Ground) -> None:
        one, other = started(ground, "a", **NOW), started(ground, "b", **NOW)
        hold_all(ground)
        control.pause(ground.client, one.id)
        control.resume(ground.client, other.id)
        assert (holds_in(one.name), holds_in(other.name)) == ((), ())
        assert release_all(ground).released == []
        assert (one.status, other.status) == ("paused", "active")

    def test_a_marker_that_a_resume_in_the_dashboard_left_goes(self, ground: Ground) -> None:
        batch = started(ground, "a", **NOW)
        hold_all(ground)
        found = held(ground.client, ALL.covers, "stop")
        ground.do("resume_batch", batch)
        report = release(ground.client, found, "stop", hours=DAYTIME, settling=ground.settling)
        assert report.kept == {batch.id: "it is 'active', and this hold was taken away meanwhile"}

    def test_what_may_not_go_on_yet_stays_held(self, ground: Ground) -> None:
        batch = started(ground, "a", **NOW)
        hold_all(ground)
        assert release_all(ground, why_not=lambda _: "not today").kept == {batch.id: "not today"}
        assert holds_in(batch.name) == ("stop",)

    def test_hours_that_end_while_it_waits_leave_it_held(self, ground: Ground) -> None:
        batch = started(ground, "a", **NOW)
        hold_all(ground)
        closes = CallingWindow.of("UTC", "09:00", "09:30", None)

        def slow(request: Any, send: Any) -> Any:
            ground.advance(1800)
            return send()

        ground.alter("PATCH", ".*", slow)
        assert release_all(ground, hours=closes).kept == {
            batch.id: "its hours ended while the rate limit was waited out"
        }
        assert (batch.status, holds_in(batch.name)) == ("paused", ("stop",))

    def test_of_an_unknown_zone_nobody_knows_the_hours(self, ground: Ground) -> None:
        batch = started(ground, "a", **NOW)
        hold_all(ground)
        ground.alter_data("GET", "/batch-calls.*", timezone=...)
        assert "does not tell its zone" in release_all(ground).kept[batch.id]


class TestDaysWithoutCalls:
    """Independence Day, a Saturday, is kept on Friday the 3rd; a blackout on June 10th is Louisiana's."""

    POLICY = CallingHours(
        blackout=[
            Blackout(holidays=["us-federal"]),
            Blackout(dates=["2026-06-10"], jurisdictions=["US-LA"]),
        ],
    )

    @pytest.mark.parametrize(
        ("zone", "at", "jurisdictions", "expected"),
        [
            (NEW_YORK, "2026-07-02T21:59-04:00", (), None),
            (NEW_YORK, "2026-07-02T22:00-04:00", (), date(2026, 7, 3)),
            (LOS_ANGELES, "2026-07-02T22:00-04:00", (), None),
            (LOS_ANGELES, "2026-07-02T22:00-07:00", (), date(2026, 7, 3)),
            (NEW_YORK, "2026-07-04T23:59-04:00", (), date(2026, 7, 4)),
            (NEW_YORK, "2026-07-05T00:00-04:00", (), None),
            ("America/Chicago", "2026-06-10T12:00-05:00", (), date(2026, 6, 10)),
            ("America/Chicago", "2026-06-10T12:00-05:00", ("US-TX",), None),
            ("America/Chicago", "2026-06-10T12:00-05:00", ("US-TX", "US-LA"), date(2026, 6, 10)),
            # Pennsylvania keeps Flag Day. People of the United States may be in a campaign of any zone.
            (NEW_YORK, "2026-06-14T12:00-04:00", (), date(2026, 6, 14)),
            ("America/Toronto", "2026-06-14T12:00-04:00", (), date(2026, 6, 14)),
            (NEW_YORK, "2026-06-14T12:00-04:00", ("US",), date(2026, 6, 14)),
            (NEW_YORK, "2026-06-14T12:00-04:00", ("US-NY",), None),
            (NEW_YORK, "2026-06-14T12:00-04:00", ("US-NY", "US-PA"), date(2026, 6, 14)),
            (NEW_YORK, "2026-06-14T12:00-04:00", ("CA",), None),
            # Of an unknown zone it is any date that it is anywhere.
            (None, "2026-07-05T10:00Z", (), date(2026, 7, 4)),
            ("UTC", "2026-07-02T09:00Z", (), date(2026, 7, 3)),
            (None, "2026-07-06T13:00Z", (), None),
        ],
    )
    def test_they_are_found_by_the_zone(
        self, zone: str | None, at: str, jurisdictions: tuple[str, ...], expected: date | None
    ) -> None:
        instant = datetime.fromisoformat(at.replace("Z", "+00:00"))
        closed = ClosedDays(self.POLICY, MONDAY, jurisdictions)
        assert closed.first_between(zone, instant, instant + timedelta(hours=2)) == expected

    def test_a_guard_holds_on_every_day_that_a_list_by_the_same_policy_has_blocked(self) -> None:
        placer = Placer(self.POLICY, MONDAY)
        codes = ("205", "207", "601", "850", "801", "415", "213", "316", "504", "401", "717", "907", "808")
        placed = [each for code in codes if isinstance(each := placer.place_contact({}, f"+1{code}5550104"), Placement)]
        closed, blocked = ClosedDays(self.POLICY, MONDAY, ["US"]), 0
        parts = fewest_parts({each.window: 1 for each in placed}, placer.span, most=3)
        for window in set(parts.values()):
            part = PartHours.gather(window, [each for each in placed if parts[each.window] == window], placer)
            for day in part.blocked:
                if part.first_day < day < part.last_day:
                    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(part.timezone))
                    assert closed.first_between(part.timezone, noon, noon) == noon.date()
                    blocked += 1
        assert blocked > 5

    def test_with_a_guard_nobody_is_rung_outside_the_hours_of_any_list(self, ground: Ground, tmp_path: Path) -> None:
        """The week of Independence Day, every two hours, by the sandbox's own record of the calls."""
        begin = datetime(2026, 6, 29, 6, 30, tzinfo=UTC)
        ground.clock.change(to=begin.timestamp())
        placer = Placer(self.POLICY, begin)
        lists = []
        for count, code in enumerate(("213", "312", "205", "808", "401"), 30):
            placed = placer.place_contact({}, f"+1{code}5550104")
            assert isinstance(placed, Placement)
            hours = PartHours.gather(placed.window, [placed], placer)
            manifest = manifest_of(tmp_path, count, hours, begin)
            changes = {"timezone": None, "start_time": None, "end_time": None, "scheduled_at": None}
            plan = plan_of(
                manifest, key=code, start_on=date(2026, 7, 1), max_calls_per_day=9, **changes, held_on_blocked_days=True
            )
            ground.run(plan, settle=0)
            lists.append((ground.batches[-1], hours))
        closed = ClosedDays(self.POLICY, begin, ["US"])
        for hour in range(0, 9 * 24, 2):
            now = begin + timedelta(hours=hour)
            ground.clock.change(to=now.timestamp())
            meant = Meant(ALL, closed, now, timedelta(hours=3))
            hold(ground.client, meant.to_hold, "blackout", Settling(0))
            found = held(ground.client, ALL.covers, "blackout")
            release(
                ground.client,
                found,
                "blackout",
                hours=CallingWindow.of("UTC", "10:00", "16:00", None),
                why_not=meant.why_not_release,
                settling=Settling(0),
            )
        for batch, hours in lists:
            rung = [datetime.fromtimestamp(at, UTC) for at in batch.dialer.starts]
            assert len(rung) == len(batch.roster)
            assert [at for at in rung if not hours.allows(at)] == []
            # It did call before the holiday, and went on after it.
            assert min(rung).date() == date(2026, 7, 1)
            assert max(rung).date() > date(2026, 7, 4)

    def test_a_guard_holds_before_and_lets_go_on_after(self, ground: Ground) -> None:
        batch = started(ground, "a", **NOW, max_calls_per_day=4)
        far = started(ground, "b", scheduled_at="2026-06-29T10:00")
        policy = CallingHours(blackout=[Blackout(dates=["2026-06-03"])])

        def guard_at(text: str) -> None:
            now = datetime.fromisoformat(f"2026-06-{text}:00-04:00").astimezone(UTC)
            ground.clock.change(to=now.timestamp())
            meant = Meant(ALL, ClosedDays(policy, now, ["US"]), now, timedelta(hours=2))
            hold(ground.client, meant.to_hold, "blackout", ground.settling)
            found = held(ground.client, ALL.covers, "blackout")
            release(
                ground.client, found, "blackout", hours=DAYTIME, why_not=meant.why_not_release, settling=ground.settling
            )

        states = []
        for hour in ("02T21:00", "02T22:30", "03T10:00", "03T23:00", "04T08:00", "04T09:00"):
            guard_at(hour)
            states.append(batch.status)
        assert states == ["active", "paused", "paused", "paused", "paused", "active"]
        assert far.status == "scheduled"
        assert far.changed_at < datetime(2026, 6, 1, 14, tzinfo=UTC).timestamp()
        rung = {datetime.fromtimestamp(at, UTC).date() for at in batch.dialer.starts}
        assert date(2026, 6, 3) not in rung


class TestAnotherHoldComesMeanwhile:
    def test_a_release_waits_until_a_lagging_server_shows_the_marker(self, make_ground: Callable[..., Ground]) -> None:
        ground = make_ground(read_lag=5.0)
        batch = started(ground, "a", **NOW)
        for word in ("blackout", "stop"):
            ground.advance(20)
            hold_all(ground, word)
        ground.advance(1)
        assert list(release_all(ground, "blackout").kept) == [batch.id]
        assert batch.status == "paused"
        assert holds_in(batch.name) == ("stop",)

    @pytest.mark.parametrize("reads_before", [0, 1])
    def test_between_the_reads_of_a_release(self, ground: Ground, reads_before: int) -> None:
        batch = started(ground, "a", **NOW)
        hold_all(ground, "blackout")
        reads = []

        def stop_too(_: httpx.Request, send: Send) -> httpx.Response:
            reads.append(1)
            if len(reads) == reads_before + 1:
                hold_all(ground, "stop")
            return send()

        found = held(ground.client, ALL.covers, "blackout")
        ground.alter("GET", r"/batch-calls/[^/]+", stop_too)
        report = release(ground.client, found, "blackout", hours=DAYTIME, settling=ground.settling)
        assert list(report.kept) == [batch.id]
        assert batch.status == "paused"
        assert holds_in(batch.name) == ("stop",)


def test_a_killed_task_that_marks_its_pause_a_moment_later_is_held(ground: Ground) -> None:
    batch, key = started(ground, "a", **NOW), CampaignKey("a")
    marked = key.with_pause_marker(batch.name)
    ground.client.send(endpoints.pause_batch_call(batch.id))

    def sleep(seconds: float) -> None:
        ground.advance(seconds)
        if seconds == 15:  # The hold has seen a pause without a marker and looks again.
            ground.client.send(endpoints.update_batch_call(batch.id, BatchCallUpdate(name=marked)))

    report = hold(ground.client, ALL.covers, "stop", Settling(15, sleep))
    assert (report.held, report.left) == ([batch.id], [])
    assert holds_in(batch.name) == ("stop",)
    tag = key.tag_in(batch.name)
    assert tag is not None
    assert not tag.paused_by_us
