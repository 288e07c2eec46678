from __future__ import annotations

import json
import logging
from datetime import datetime, time, timedelta, timezone
from typing import Any

import pytest

from airflow_truedy.api.errors import (
    AuthenticationError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    TruedyError,
    UnreachableError,
)
from airflow_truedy.campaigns.timing import CallingWindow
from airflow_truedy.monitoring.monitor import CampaignMonitor, MonitorSettings, MonitorState
from airflow_truedy.monitoring.outcome import OutcomeReason, SuccessRules, Verdict
from tests.monitoring.watched import KEY, MONDAY, NAME, NOW, batch

OFFICE = CallingWindow("America/New_York", time(9), time(17, 30), frozenset({1, 2, 3, 4, 5}))
HOUR = 3600.0


def watch(**settings: Any) -> CampaignMonitor:
    return CampaignMonitor(MonitorSettings("batch_1", **settings), now=NOW)


def texts(look: Any, level: int = logging.DEBUG) -> str:
    return "\n".join(note.text for note in look.notes if note.level >= level)


# --- States


@pytest.mark.parametrize("status", ["draft", "scheduled", "active", "running", "paused"])
def test_every_state_that_is_no_end_is_waited_out(status: str) -> None:
    waiting = watch()
    for minute in range(1000):
        assert waiting.take(batch(status), NOW + 60 * minute).outcome is None


def test_the_end_is_seen_and_tells_how_long_it_took() -> None:
    waiting = watch()
    waiting.take(batch("active", 10), NOW)
    outcome = waiting.take(batch("completed", 100), NOW + 600).outcome
    assert outcome is not None
    assert (outcome.verdict, outcome.duration) == (Verdict.SUCCESS, 600.0)


def test_an_unknown_state_keeps_waiting_with_one_warning_for_each_word() -> None:
    waiting = watch()
    warnings = [
        texts(waiting.take(batch(word), NOW + step), logging.WARNING)
        for step, word in enumerate(["dialing", "dialing", "cooling", "cooling"])
    ]
    assert ["dialing" in warnings[0], warnings[1], "cooling" in warnings[2], warnings[3]] == [True, "", True, ""]


def test_counters_that_lag_behind_the_end_are_read_again_before_they_are_believed() -> None:
    waiting = watch(rules=SuccessRules(min_called=0.9))
    waiting.take(batch("active", 10), NOW)
    assert waiting.take(batch("completed", 40), NOW + 60).outcome is None
    assert waiting.due == NOW + 75
    outcome = waiting.take(batch("completed", 100), NOW + 75).outcome
    assert outcome is not None
    assert outcome.verdict is Verdict.SUCCESS


@pytest.mark.parametrize("rules", [SuccessRules(), SuccessRules(min_called=0.9), SuccessRules(max_failed=0.0)])
def test_counters_that_stay_as_they_are_are_believed_the_second_time(rules: SuccessRules) -> None:
    waiting = watch(rules=rules)
    ended = batch("completed", 40, failed=3)
    assert waiting.take(ended, NOW).outcome is None
    outcome = waiting.take(ended, NOW + 15).outcome
    assert outcome is not None
    assert outcome.verdict is (Verdict.WARNING if rules == SuccessRules() else Verdict.FAILURE)


def test_a_campaign_that_failed_needs_no_second_reading() -> None:
    outcome = watch().take(batch("failed", 3), NOW).outcome
    assert outcome is not None
    assert outcome.reason is OutcomeReason.FAILED


def test_a_deadline_does_not_wait_for_counters() -> None:
    late = watch(deadline=NOW, rules=SuccessRules(min_called=0.9)).take(batch("completed", 40), NOW + 1).outcome
    assert late is not None
    assert late.reason is OutcomeReason.PARTIAL


def test_an_answer_about_another_batch_call_is_not_believed() -> None:
    waiting = watch()
    poll = waiting.take(batch("completed", 100, id="batch_2"), NOW)
    assert poll.outcome is None
    assert "another batch call" in texts(poll, logging.WARNING)
    assert waiting.take(batch("active", 1), NOW + 60).outcome is None
    for minute in range(2, 63):
        outcome = waiting.take(batch("completed", 100, id="batch_2"), NOW + 60 * minute).outcome
    assert outcome is not None
    assert (outcome.reason, outcome.batch_call_id) == (OutcomeReason.UNREADABLE, "batch_1")


# --- Pauses


def test_a_pause_is_waited_out_by_default() -> None:
    waiting = watch()
    assert waiting.take(batch("paused"), NOW).outcome is None
    assert waiting.take(batch("paused"), NOW + 30 * 86400).outcome is None


def test_a_pause_that_is_too_long_fails() -> None:
    waiting = watch(max_paused=HOUR)
    waiting.take(batch("active"), NOW)
    assert waiting.take(batch("paused"), NOW + 10).outcome is None
    assert waiting.take(batch("paused"), NOW + 3600).outcome is None
    assert waiting.due == NOW + 3610, "the next look is at the limit, not a whole interval later"
    outcome = waiting.take(batch("paused"), NOW + 3610).outcome
    assert outcome is not None
    assert outcome.reason is OutcomeReason.PAUSED


def test_two_short_pauses_are_not_one_long_one() -> None:
    waiting = watch(max_paused=HOUR)
    for minutes, status in [(0, "paused"), (50, "active"), (55, "paused"), (100, "paused")]:
        assert waiting.take(batch(status), NOW + 60 * minutes).outcome is None


def test_a_pause_of_our_own_kill_handler_sends_the_task_back_to_resume_it() -> None:
    marked = batch("paused", name=KEY.with_pause_marker(NAME))
    outcome = watch(key=KEY).take(marked, NOW).outcome
    assert outcome is not None
    assert outcome.verdict is Verdict.RESUME


def test_a_pause_of_our_own_is_waited_out_while_the_window_is_closed() -> None:
    evening = MONDAY.replace(hour=23)
    marked: dict[str, Any] = {"status": "paused", "name": KEY.with_pause_marker(NAME)}
    waiting = watch(key=KEY, window=OFFICE, max_paused=HOUR)
    for hours in (0, 5, 13):
        assert waiting.take(batch(**marked), (evening + timedelta(hours=hours)).timestamp()).outcome is None
    morning = waiting.take(batch(**marked), (evening + timedelta(hours=14)).timestamp()).outcome
    assert morning is not None
    assert morning.verdict is Verdict.RESUME
    # Before its start it only goes back to its place.
    ahead = batch(**marked, scheduled_at=evening + timedelta(days=1))
    early = watch(key=KEY, window=OFFICE).take(ahead, evening.timestamp()).outcome
    assert early is not None
    assert early.verdict is Verdict.RESUME


def test_a_pause_of_our_own_is_not_resumed_before_the_moment_that_the_launch_named() -> None:
    marked: dict[str, Any] = {"status": "paused", "name": KEY.with_pause_marker(NAME)}
    settings = watch(key=KEY, resume_from=NOW + HOUR).settings
    waiting = CampaignMonitor(MonitorSettings.from_json(settings.to_json()), now=NOW)
    for seconds in (0, 60, HOUR - 1):
        assert waiting.take(batch(**marked), NOW + seconds).outcome is None
    outcome = waiting.take(batch(**marked), NOW + HOUR).outcome
    assert outcome is not None
    assert outcome.verdict is Verdict.RESUME
    # A person moved its start: until then a resume calls nobody.
    ahead = batch(**marked, scheduled_at=MONDAY + timedelta(days=2))
    early = watch(key=KEY, resume_from=NOW + HOUR).take(ahead, NOW).outcome
    assert early is not None
    assert early.verdict is Verdict.RESUME


def test_a_pause_of_ours_that_outlasts_max_paused_is_not_looked_at_each_second() -> None:
    now = MONDAY.replace(hour=23).timestamp()
    morning = now + 14 * HOUR
    waiting = watch(key=KEY, window=OFFICE, max_paused=HOUR)
    looks = 0
    while now < morning:
        waiting.take(batch("paused", name=KEY.with_pause_marker(NAME)), now)
        now, looks = waiting.due, looks + 1
    assert looks < 14 * HOUR / waiting.settings.interval


def test_a_pause_is_looked_at_less_often_while_nobody_would_be_called() -> None:
    evening = MONDAY.replace(hour=23).timestamp()
    waiting = watch(window=OFFICE)
    waiting.take(batch("paused"), evening)
    waiting.take(batch("paused"), evening + 60)
    assert waiting.due > evening + 60 + 2 * waiting.settings.interval


def test_a_pause_of_a_person_and_a_pause_seen_by_a_sensor_are_waited_out() -> None:
    assert watch(key=KEY).take(batch("paused"), NOW).outcome is None
    marked = batch("paused", name=KEY.with_pause_marker(NAME))
    assert watch().take(marked, NOW).outcome is None


# --- Stall alarm


def looks(waiting: CampaignMonitor, begin: datetime, minutes: range, **fields: Any) -> list[Any]:
    return [waiting.take(batch(**fields), (begin + timedelta(minutes=m)).timestamp()).outcome for m in minutes]


def test_a_campaign_that_stands_still_in_its_window_is_a_failure() -> None:
    waiting = watch(stall_after=HOUR, window=OFFICE)
    outcomes = looks(waiting, MONDAY, range(0, 61, 5), called=7)
    assert outcomes[:-1] == [None] * 12
    assert outcomes[-1].reason is OutcomeReason.STALLED


def test_a_night_and_a_weekend_are_no_stall() -> None:
    waiting = watch(stall_after=HOUR, window=OFFICE)
    friday_evening = datetime(2026, 6, 5, 21, 0, tzinfo=timezone.utc)  # 17:00 in New York
    until_monday_0920 = int(timedelta(days=2, hours=16, minutes=20).total_seconds() // 60)
    assert set(looks(waiting, friday_evening, range(0, until_monday_0920, 10), called=7)) == {None}


@pytest.mark.parametrize("days", [frozenset({1, 2, 3, 4, 5}), frozenset()])
def test_a_night_between_two_polls_is_not_counted_as_calling_time(days: frozenset[int]) -> None:
    window = CallingWindow("America/New_York", time(9), time(17, 30), days)
    waiting = watch(stall_after=HOUR, window=window, interval=HOUR)
    evening = MONDAY.replace(hour=21, minute=20).timestamp()  # 17:20 in New York
    morning = MONDAY.replace(hour=13, minute=10).timestamp() + 86_400  # 09:10 the day after
    assert waiting.take(batch(called=7), evening).outcome is None
    assert waiting.take(batch(called=7), morning).outcome is None
    assert waiting.state.still == 20 * 60


@pytest.mark.parametrize("moving", [{"called": 8}, {"failed": 1}, {"status": "running"}])
def test_any_movement_starts_the_stall_clock_anew(moving: dict[str, Any]) -> None:
    waiting = watch(stall_after=HOUR, window=OFFICE)
    looks(waiting, MONDAY, range(0, 56, 5), called=7)
    looks(waiting, MONDAY, range(56, 57), **{"called": 7, **moving})
    assert set(looks(waiting, MONDAY, range(57, 115, 5), **{"called": 7, **moving})) == {None}


def test_a_pause_and_a_start_ahead_are_no_stall() -> None:
    waiting = watch(stall_after=HOUR)
    assert set(looks(waiting, MONDAY, range(0, 300, 10), status="paused")) == {None}
    later = MONDAY + timedelta(days=2)
    assert set(looks(waiting, MONDAY, range(300, 900, 10), status="scheduled", scheduled_at=later)) == {None}


def test_a_campaign_that_never_starts_is_a_stall() -> None:
    waiting = watch(stall_after=HOUR)
    outcomes = looks(waiting, MONDAY, range(0, 70, 10), status="scheduled", scheduled_at=MONDAY)
    assert outcomes[-1].reason is OutcomeReason.STALLED


def test_a_triggerer_that_was_down_is_no_stall() -> None:
    waiting = watch(stall_after=HOUR)
    assert waiting.take(batch(called=7), NOW).outcome is None
    assert waiting.take(batch(called=7), NOW + 5 * HOUR).outcome is None


# --- Deadline


def test_the_deadline_ends_the_wait_and_a_finished_campaign_beats_it() -> None:
    late = watch(deadline=NOW + 100)
    outcome = late.take(batch(), NOW + 100).outcome
    assert outcome is not None
    assert outcome.reason is OutcomeReason.TIMEOUT
    finished = watch(deadline=NOW + 100).take(batch("completed", 100), NOW + 500).outcome
    assert finished is not None
    assert finished.verdict is Verdict.SUCCESS


def test_the_deadline_holds_while_nothing_can_be_read() -> None:
    waiting = watch(deadline=NOW + 100)
    assert waiting.trouble(UnreachableError("no route"), NOW + 60).outcome is None
    assert waiting.due == NOW + 100
    outcome = waiting.trouble(UnreachableError("no route"), NOW + 100).outcome
    assert outcome is not None
    assert outcome.reason is OutcomeReason.TIMEOUT


def test_no_look_comes_after_the_deadline() -> None:
    waiting = watch(deadline=NOW + 100)
    waiting.take(batch(), NOW + 60)
    assert waiting.due == NOW + 100


# --- Trouble


@pytest.mark.parametrize("error", [ServerError("x"), UnreachableError("x"), RateLimitedError("x", retry_after=1)])
def test_a_blip_never_ends_the_wait(error: TruedyError) -> None:
    waiting = watch()
    for minute in range(59):
        assert waiting.trouble(error, NOW + 60 * minute).outcome is None
    assert waiting.take(batch(), NOW + 59 * 60).outcome is None
    assert waiting.trouble(error, NOW + 65 * 60).outcome is None, "the hour begins anew"


def test_an_hour_without_an_answer_gives_up_and_a_retry_may_wait_on() -> None:
    waiting = watch()
    waiting.trouble(ServerError("broken"), NOW)
    outcome = waiting.trouble(ServerError("broken"), NOW + HOUR).outcome
    assert outcome is not None
    assert (outcome.reason, outcome.retryable) == (OutcomeReason.UNREADABLE, True)


@pytest.mark.parametrize("error", [AuthenticationError("revoked"), ValueError("no API key")])
def test_a_refusal_gives_up_sooner_and_for_good(error: Exception) -> None:
    waiting = watch()
    assert waiting.trouble(error, NOW).outcome is None
    outcome = waiting.trouble(error, NOW + 300).outcome
    assert outcome is not None
    assert (outcome.reason, outcome.retryable) == (OutcomeReason.REFUSED, False)


def test_trouble_is_told_once_and_so_is_its_end() -> None:
    waiting = watch()
    said = [texts(waiting.trouble(ServerError("broken"), NOW + 60 * n)) for n in range(3)]
    assert "broken" in said[0]
    assert said[1:] == ["", ""]
    assert "can be read again" in texts(waiting.take(batch(), NOW + 300))
    assert "read again" not in texts(waiting.take(batch(), NOW + 360))


def test_a_deleted_campaign_is_a_failure_that_no_retry_repeats() -> None:
    waiting = watch()
    waiting.take(batch(called=5), NOW)
    assert waiting.trouble(NotFoundError("gone"), NOW + 60).outcome is None
    assert waiting.due < NOW + 120, "it is looked at sooner"
    outcome = waiting.trouble(NotFoundError("gone"), NOW + 75).outcome
    assert outcome is not None
    assert (outcome.reason, outcome.retryable) == (OutcomeReason.DELETED, False)
    assert "5 of 100 called" in outcome.message


def test_two_404s_in_a_moment_may_be_one_replica() -> None:
    waiting = watch()
    waiting.take(batch(called=5), NOW)
    for second in range(15):
        assert waiting.trouble(NotFoundError("gone"), NOW + 60 + second).outcome is None
    assert waiting.trouble(NotFoundError("gone"), NOW + 75).outcome is not None


def test_one_404_of_a_proxy_does_not_delete_a_campaign() -> None:
    waiting = watch()
    for minute in range(0, 100, 2):
        assert waiting.trouble(NotFoundError("gone"), NOW + 60 * minute).outcome is None
        assert waiting.take(batch(), NOW + 60 * minute + 15).outcome is None


# --- When to look


def test_the_usual_interval_between_looks() -> None:
    waiting = watch(window=OFFICE)
    waiting.take(batch("active", 1), NOW)
    assert waiting.due == NOW + 60


def test_before_the_start_the_looks_stretch_but_never_miss_it() -> None:
    waiting = watch(window=OFFICE)
    scheduled = {"status": "scheduled", "scheduled_at": MONDAY + timedelta(minutes=15)}
    waiting.take(batch(**scheduled), NOW - 1)
    waiting.take(batch(**scheduled), NOW)
    assert waiting.due == NOW + 600
    waiting.take(batch(**scheduled), NOW + 600)
    assert waiting.due == NOW + 900


def test_outside_the_window_the_looks_stretch_unless_calls_still_end() -> None:
    evening = MONDAY.replace(hour=22).timestamp()
    waiting = watch(window=OFFICE)
    waiting.take(batch(called=5), evening)
    assert waiting.due == evening + 60
    waiting.take(batch(called=6), evening + 60)
    assert waiting.due == evening + 120
    waiting.take(batch(called=6), evening + 120)
    assert waiting.due == evening + 120 + 600


def test_near_the_end_the_looks_come_sooner() -> None:
    waiting = watch()
    waiting.take(batch(called=0), NOW)
    waiting.take(batch(called=30), NOW + 60)
    assert waiting.due == NOW + 120
    waiting.take(batch(called=60), NOW + 120)
    assert waiting.due == NOW + 180
    waiting.take(batch(called=90), NOW + 180)
    assert waiting.due == NOW + 200, "ten calls are left at one in two seconds"
    waiting.take(batch(called=99), NOW + 200)
    assert waiting.due == NOW + 215, "never sooner than a quarter"


# --- Progress


def test_a_line_is_written_only_when_something_changed() -> None:
    waiting = watch(window=OFFICE)
    lines = [texts(waiting.take(batch(called=n), NOW + 60 * i)) for i, n in enumerate([0, 0, 10, 10, 10, 25])]
    assert [bool(line) for line in lines] == [True, False, True, False, False, True]


def test_the_line_tells_counts_share_rate_and_expected_end() -> None:
    waiting = watch(window=OFFICE)
    waiting.take(batch(called=0), NOW)
    line = texts(waiting.take(batch(called=10), NOW + 60))
    assert "10 of 100 called" in line
    assert "(10%)" in line
    assert "600 calls an hour" in line
    assert "Mon 2026-06-01 09:40" in line


def test_the_expected_end_leaves_nights_and_weekends_out() -> None:
    # 70 calls an hour; 8.5 hours a day: 1000 calls take one day and most of the next.
    waiting = watch(window=OFFICE)
    friday = datetime(2026, 6, 5, 13, 0, tzinfo=timezone.utc).timestamp()
    waiting.take(batch(called=0, total=1000), friday)
    for ten in range(1, 7):
        look = waiting.take(batch(called=70 * ten // 6, total=1000), friday + ten * 600)
    assert "Mon 2026-06-08 14:47" in texts(look)


# --- What crosses the wire


def test_settings_and_memory_are_plain_json_and_come_back_the_same() -> None:
    settings = MonitorSettings("b", 30.0, NOW, 5.0, 6.0, OFFICE, SuccessRules(0.5, 3, "warn"), KEY)
    assert MonitorSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    waiting = CampaignMonitor(settings, now=NOW - 10)
    waiting.take(batch("dialing", 5), NOW - 5)
    assert MonitorState.from_json(json.loads(json.dumps(waiting.state.to_json()))) == waiting.state


def test_what_another_version_wrote_is_understood() -> None:
    settings = MonitorSettings.from_json({"batch_call_id": "b", "colour": "red", "rules": {"min_called": 3, "new": 1}})
    assert (settings.interval, settings.rules, settings.deadline) == (60.0, SuccessRules(3), None)
    assert MonitorState.from_json({"since": 5, "mood": "good", "counts": {"called": 3, "rung": 4}}).counts.called == 3


def test_a_wait_goes_on_where_its_memory_says() -> None:
    first = watch(max_paused=HOUR)
    first.take(batch("paused"), NOW)
    second = CampaignMonitor(first.settings, MonitorState.from_json(first.state.to_json()), now=NOW + 1800)
    outcome = second.take(batch("paused"), NOW + 3600).outcome
    assert outcome is not None
    assert (outcome.reason, outcome.duration) == (OutcomeReason.PAUSED, 3600.0)
