from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pendulum
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import DAG, TaskGroup
from airflow.sdk.bases.operator import ExecutorSafeguard
from truedy_sandbox.process import SandboxProcess

from airflow_truedy.api.errors import InvalidPayloadError, RateLimitedError, ServerError, UnreachableError
from airflow_truedy.calling_hours import CallingHours, PartHours
from airflow_truedy.campaigns.errors import TimingError, UnsettledError
from airflow_truedy.links.batch_calls import XCOM_KEY
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.contacts import SqlToContactsOperator
from tests.contacts.prepared import prepared_split
from tests.support.airflow_versions import needs_airflow
from tests.support.contexts import context_of
from tests.support.ground import Ground, Send, refused
from tests.support.plans import AGENT, manifest_of, people
from tests.support.stores import StateStore

UTC = timezone.utc
# Far ahead of the real clock, by which the operator goes.
SOON = (datetime.now(UTC) + timedelta(days=30)).replace(hour=15, minute=0, second=0, microsecond=0)
START = SOON.strftime("%Y-%m-%dT10:00")
WINDOW = {"timezone": "Etc/GMT+5", "start_time": "09:00", "end_time": "17:30"}
SCHEDULED: dict[str, Any] = {"scheduled_at": START, **WINDOW}
NOW: dict[str, Any] = {"schedule_type": "immediate", "timezone": "UTC", "start_time": "00:00", "end_time": "23:59"}


def operator(**parameters: Any) -> CreateBatchCallOperator:
    values = {"task_id": "launch", "name": "Renewals", "agent_id": AGENT, "contacts": people(3), **SCHEDULED}
    return CreateBatchCallOperator(**{**values, **parameters})


@pytest.fixture
def ground(make_ground: Callable[..., Ground], monkeypatch: pytest.MonkeyPatch) -> Ground:
    """A sandbox that the operator's hook reaches."""
    made = make_ground()
    monkeypatch.setattr("airflow_truedy.hooks.truedy.TruedyHook.client", made.client)
    monkeypatch.setattr("airflow_truedy.hooks.truedy.TruedyHook.close", lambda self: None)
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)
    connection = {"conn_type": "truedy", "host": "http://127.0.0.1", "password": "truedy_sandbox_key"}
    monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", json.dumps(connection))
    return made


@pytest.fixture
def make_ground() -> Iterator[Callable[..., Ground]]:
    made: list[Ground] = []

    def make(**settings: Any) -> Ground:
        made.append(Ground(**settings).__enter__())
        return made[-1]

    yield make
    for each in made:
        each.__exit__()


def execute(task: CreateBatchCallOperator, store: StateStore | None = None, **ti: Any) -> Any:
    """Render and run it as a task of Airflow does; ``pushed`` holds its XComs."""
    context = context_of(task, store, ds="2026-06-01", **ti)
    execute.pushed = context["ti"].pushed  # type: ignore[attr-defined]
    task.render_template_fields(context)
    return task.execute(context)


class TestWhileTheDagIsParsed:
    @pytest.mark.parametrize(
        ("parameters", "asks_for"),
        [
            ({"scheduled_at": START}, "timezone"),
            ({"scheduled_at": "{{ ds }}T09:00"}, "timezone"),
            ({"scheduled_at": START, "timezone": "UTC"}, "start_time"),
            ({"scheduled_at": "{{ ds }}T09:00", "timezone": "{{ zone }}"}, "start_time"),
            ({}, "When does the campaign start"),
            ({"schedule_type": "scheduled"}, "scheduled_at"),
            ({**NOW, "timezone": None, "working_days": [1]}, "timezone"),
            ({**NOW, "timezone": None, "start_time": "{{ x }}", "end_time": "17:00"}, "timezone"),
            ({"schedule_type": "immediate"}, "start_time"),
            ({**SCHEDULED, "timezone": "New York"}, "IANA"),
            ({**SCHEDULED, "timezone": "America/New_York", "scheduled_at": "2026-03-08T02:30"}, "does not exist"),
            ({**SCHEDULED, "timezone": "America/New_York", "scheduled_at": "2026-11-01T01:30"}, "happens twice"),
            (
                {**SCHEDULED, "timezone": "America/New_York", "scheduled_at": datetime(2026, 3, 8, 2, 30)},
                "does not exist",
            ),
            ({**SCHEDULED, "scheduled_at": "2026-06-02"}, "without a time of day"),
            ({**SCHEDULED, "start_on": "2031-06-02"}, "scheduled_at and start_on: give one of them"),
            ({**NOW, "start_on": "{{ ds }}"}, "give one of them"),
            ({"start_on": "{{ ds }}"}, "start_on needs a zone and a daily calling window"),
            ({"start_on": "2031-06-02", "timezone": "UTC", "start_time": "09:00"}, "start_on needs"),
        ],
    )
    def test_an_unstated_or_impossible_start_is_an_error(self, parameters: dict[str, Any], asks_for: str) -> None:
        with pytest.raises(TimingError, match=asks_for):
            CreateBatchCallOperator(task_id="t", name="n", agent_id=AGENT, contacts=people(1), **parameters)

    @pytest.mark.parametrize(
        ("parameters", "field"),
        [
            ({"schedule_type": "schedule"}, "schedule_type"),
            ({"on_past": "start"}, "on_past"),
            ({"on_change": "replace"}, "on_change"),
            ({"on_retry": "again"}, "on_retry"),
        ],
    )
    def test_a_word_that_is_none_of_the_choices_is_an_error(self, parameters: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidPayloadError, match=f"{field} = .*one of"):
            operator(**parameters)

    @pytest.mark.parametrize(
        ("parameters", "said"),
        [
            ({"start_time": "9am"}, "start_time = '9am': must be a time of day as HH:MM"),
            ({"end_time": "24:00"}, "end_time = '24:00': must be a time of day as HH:MM"),
            ({"end_time": "09:00"}, "end_time = '09:00': must be after start_time"),
            ({"end_time": "24:00", "start_time": "{{ params.opens }}"}, "end_time = '24:00'"),
            ({"working_days": [0]}, "working_days = .0.: must be days from 1"),
            ({"working_days": "[1, 1]"}, "working_days = .*none twice"),
            ({"working_days": []}, "working_days = .*at least one"),
            ({"working_days": [True]}, "working_days"),
        ],
    )
    def test_an_impossible_window_is_an_error(self, parameters: dict[str, Any], said: str) -> None:
        with pytest.raises(InvalidPayloadError, match=said):
            operator(**parameters)

    @pytest.mark.parametrize("hour", ["02:00", "08:59", "17:30", "20:00"])
    def test_a_start_outside_its_window_is_an_error(self, hour: str) -> None:
        with pytest.raises(TimingError, match="outside the calling window"):
            operator(scheduled_at=f"{START[:10]}T{hour}")
        operator(scheduled_at=f"{START[:10]}T{hour}", end_time="{{ params.closes }}")

    @pytest.mark.parametrize(
        "parameters",
        [
            NOW,
            {**SCHEDULED, "start_time": "{{ params.opens }}", "working_days": ["{{ params.day }}"]},
            # START may be any day of the week.
            {**SCHEDULED, "working_days": set(range(1, 8))},
            {**SCHEDULED, "working_days": "1, 2, 3, 4, 5, 6, 7"},
            {"start": False},
            {"start": "{{ params.start }}"},
            SCHEDULED,
            {**SCHEDULED, "scheduled_at": "{{ data_interval_end.add(days=1).at(9) }}", "timezone": "{{ params.zone }}"},
            {**SCHEDULED, "scheduled_at": pendulum.datetime(2026, 6, 2, 10, tz="America/New_York")},
            {**NOW, "on_past": "{{ params.on_past }}", "schedule_type": "{{ params.when }}"},
        ],
    )
    def test_what_is_stated_or_templated_is_taken(self, parameters: dict[str, Any]) -> None:
        CreateBatchCallOperator(task_id="t", name="n", agent_id=AGENT, contacts=people(1), **parameters)

    @pytest.mark.parametrize(
        ("contacts", "may_bring"),
        [
            ("{{ ti.xcom_pull('extract') }}", True),
            ({"uri": "s3://b/1", "calling_hours": {"timezone": "UTC"}}, True),
            ({"uri": "s3://b/1", "calling_hours": None}, False),
            ({"uri": "s3://b/1"}, False),
            ("s3://b/1", False),
            (people(1), False),
        ],
    )
    def test_hours_may_be_left_out_where_the_list_may_bring_them(self, contacts: Any, may_bring: bool) -> None:
        for start in ({"start_on": "{{ ds }}"}, {"scheduled_at": START}, {"schedule_type": "immediate"}):
            stated = {"task_id": "t", "name": "n", "agent_id": AGENT, "contacts": contacts, **start}
            if may_bring:
                CreateBatchCallOperator(**stated)
            else:
                with pytest.raises(TimingError):
                    CreateBatchCallOperator(**stated)

    @pytest.mark.parametrize("calling_hours", [None, CallingHours()])
    def test_of_another_task_its_rules_tell_whether_hours_come(self, calling_hours: Any) -> None:
        stated = {"task_id": "t", "name": "n", "agent_id": AGENT, "start_on": "{{ ds }}"}
        with DAG("hours", schedule=None):
            extract = SqlToContactsOperator(
                task_id="e", conn_id="c", sql="SELECT 1", region=None, output_path="/x", calling_hours=calling_hours
            )
            if calling_hours:
                CreateBatchCallOperator(contacts=extract.output, **stated)
            else:
                with pytest.raises(TimingError):
                    CreateBatchCallOperator(contacts=extract.output, **stated)

    @pytest.mark.parametrize("day", ["2031-06-02T09:00", "20310602", "2031-13-01", "monday", 20310602, SOON])
    def test_a_start_on_anything_but_a_date_is_an_error(self, day: Any) -> None:
        with pytest.raises(InvalidPayloadError, match=r"start_on = .*must be a date such as 2026-12-01"):
            operator(scheduled_at=None, start_on=day)

    @pytest.mark.parametrize(
        ("contacts", "hint"),
        [
            (None, "contacts = None: is missing, so there is nobody to call"),
            ([{"uri": "s3://b/1"}, {"uri": "s3://b/2"}], "make a task of each with .partial(...).expand(contacts=...)"),
        ],
    )
    def test_what_is_surely_no_list_of_people_is_told_with_what_to_write(self, contacts: Any, hint: str) -> None:
        with pytest.raises(InvalidPayloadError, match=re.escape(hint)) as told:
            operator(contacts=contacts)
        assert str(told.value).startswith("task 'launch': contacts = ")

    def test_a_task_in_place_of_its_output_is_told_with_what_to_write(self) -> None:
        with DAG("d", schedule=None), pytest.raises(InvalidPayloadError, match=r"write its output, such as up\.output"):
            operator(contacts=operator(task_id="up"))

    def test_the_task_is_named_with_its_group(self) -> None:
        with DAG("d", schedule=None), TaskGroup("g"), pytest.raises(TimingError, match=r"^task 'g\.launch': "):
            operator(scheduled_at="tomorrow")

    def test_an_unknown_parameter_is_an_error(self) -> None:
        with pytest.raises(TypeError, match="shedule_at"):
            operator(shedule_at=START)

    @needs_airflow("3.1", "a method dry_run of operators")
    def test_airflows_own_dry_run_method_is_still_one(self) -> None:
        assert callable(operator(dry_run=True).dry_run)


class TestExecute:
    def test_it_returns_a_small_summary_and_leads_to_the_campaign(self, ground: Ground) -> None:
        result = execute(operator())
        assert result == {
            "batch_call_id": ground.only.id,
            "name": ground.only.name,
            "status": "scheduled",
            "scheduled_at": SOON.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "timezone": "Etc/GMT+5",
            "total_contacts": 3,
            "url": f"http://127.0.0.1/#{ground.only.id}",
            "request_id": result["request_id"],
        }
        assert result["request_id"]
        assert json.loads(json.dumps(result)) == result
        assert execute.pushed == {XCOM_KEY: f"http://127.0.0.1/#{ground.only.id}"}  # type: ignore[attr-defined]

    def test_the_link_is_there_as_soon_as_the_draft_is_and_stays_when_the_task_fails(self, ground: Ground) -> None:
        links = []
        task = operator(chunk_size=2)

        def breaks(request: Any, send: Any) -> Any:
            links.append(dict(execute.pushed))  # type: ignore[attr-defined]
            return refused(422, "code", "broken")(request, send)

        ground.alter("POST", ".*/contacts", breaks)
        with pytest.raises(AirflowFailException, match="broken"):
            execute(task)
        assert links[0] == execute.pushed == {XCOM_KEY: f"http://127.0.0.1/#{ground.only.id}"}  # type: ignore[attr-defined]

    def test_the_address_is_the_last_line_of_the_log(
        self, ground: Ground, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.INFO)
        execute(operator())
        last = (caplog.text + capfd.readouterr().out).strip().splitlines()[-1]
        assert f"http://127.0.0.1/#{ground.only.id}" in last

    def test_rendered_text_gets_its_types_back(self, ground: Ground) -> None:
        execute(
            operator(
                contacts=json.dumps(people(5)),
                chunk_size=2,
                max_calls_per_day="{{ 500 }}",
                working_days="{{ [1, 2, 3, 4, 5, 6, 7] }}",
                start="{{ true }}",
                phone_number_ids="",
                max_rejected="{{ 0.5 }}",
                extra_fields="{{ none }}",
                campaign_key="",
            )
        )
        assert ground.only.hours.max_calls_per_day == 500
        assert ground.only.hours.working_days == (1, 2, 3, 4, 5, 6, 7)
        assert len(ground.numbers()) == 5
        assert "[airflow " in ground.only.name

    @pytest.mark.parametrize("field", ["campaign_key", "start_time", "end_time", "working_days"])
    @pytest.mark.parametrize("nothing", ["{{ none }}", "{{ '' }}"])
    @pytest.mark.parametrize("native", [False, True])
    def test_what_decides_whom_and_when_to_call_may_not_render_to_nothing(
        self, ground: Ground, field: str, nothing: str, native: bool
    ) -> None:
        with DAG("d", schedule=None, render_template_as_native_obj=native):
            task = operator(**{field: nothing})
        with pytest.raises(AirflowFailException, match=f"{field}.*rendered to nothing"):
            execute(task)
        assert ground.requests == []

    def test_the_hours_of_the_manifest_count(self, ground: Ground, tmp_path: Path) -> None:
        day = SOON.date() - timedelta(days=SOON.weekday())
        hours = PartHours(
            "America/New_York", "09:00", "17:30", (1, 2, 3), (str(day),), str(day), str(day + timedelta(days=9)), "us@0"
        )
        manifest = manifest_of(tmp_path, hours=hours, made_at=datetime.now(UTC))
        timing = {"scheduled_at": None, "timezone": None, "start_time": None, "end_time": None}
        on = {**timing, "start_on": "{{ params.day }}", "max_calls_per_day": 3, "contacts": manifest}
        result = execute(operator(**on), params={"day": str(day)})
        tuesday = datetime.combine(day + timedelta(days=1), time(9), ZoneInfo("America/New_York"))
        assert datetime.fromisoformat(result["scheduled_at"].replace("Z", "+00:00")) == tuesday
        assert result["timezone"] == "America/New_York"
        with pytest.raises(AirflowFailException, match="is wider than 09:00-17:30 America/New_York"):
            execute(operator(**{**on, "end_time": "18:00"}), params={"day": str(day)})
        with pytest.raises(AirflowFailException, match="max_contacts_age"):
            execute(operator(**on, max_contacts_age=timedelta(days=1)), params={"day": str(day)})

    def test_names_that_native_rendering_makes_numbers_are_text_again(self, ground: Ground) -> None:
        with DAG("d", schedule=None, render_template_as_native_obj=True):
            task = operator(name="{{ 20260601 }}", contacts=[{"phone_number": "+12125550100"}])
        execute(task)
        assert ground.only.name.startswith("20260601 [airflow ")
        assert ground.numbers() == ["+12125550100"]

    @pytest.mark.parametrize(
        ("other", "same"),
        [
            ({}, True),
            ({"try_number": 2}, True),
            ({"map_index": 0}, False),
            ({"run_id": "x"}, False),
            ({"dag_id": "x"}, False),
        ],
    )
    def test_a_task_instance_is_one_campaign(self, ground: Ground, other: dict[str, Any], same: bool) -> None:
        execute(operator(on_duplicate="allow"))
        execute(operator(on_duplicate="allow"), **other)
        assert (len(ground.batches) == 1) == same

    def test_a_campaign_key_joins_what_the_task_instances_would_part(self, ground: Ground) -> None:
        execute(operator(campaign_key="june-{{ ds }}"), run_id="one")
        execute(operator(campaign_key="june-{{ ds }}"), run_id="two")
        assert len(ground.batches) == 1

    def test_progress_is_kept_in_the_task_state_store(self, ground: Ground) -> None:
        store = StateStore()
        execute(operator(), store)
        ((key, kept),) = store.items()
        assert key == "truedy_campaign"
        assert kept["batch_call_id"] == ground.only.id
        assert kept["launched"] is True
        before = len(ground.requests)
        execute(operator(), store)
        assert len(ground.requests) - before == 1

    def test_without_durable_the_store_is_not_touched(self, ground: Ground) -> None:
        store = StateStore()
        execute(operator(durable=False), store)
        assert store == {}

    def test_the_log_counts_and_names_nobody(
        self, ground: Ground, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        execute(operator(chunk_size=2))
        told = caplog.text + capfd.readouterr().out
        assert "with 3 contacts" in told
        assert "Person" not in told
        assert "2125550" not in told

    def test_a_second_run_with_the_same_people_and_start_is_stopped(self, ground: Ground) -> None:
        execute(operator())
        with pytest.raises(AirflowFailException, match=r"DuplicateCampaignError.*same contacts"):
            execute(operator(), run_id="second click")
        assert len(ground.batches) == 1

    def test_a_kill_stops_the_launch_before_its_next_step(
        self, ground: Ground, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task = operator(chunk_size=1)
        ground.alter("POST", ".*/contacts", lambda _, send: (task.on_kill(), send())[1])
        with pytest.raises(Exception, match="interrupted") as stopped:
            execute(task)
        assert not isinstance(stopped.value, AirflowFailException)
        assert ground.only.status == "draft"

    def test_a_kill_before_anything_happened_is_harmless(self) -> None:
        operator().on_kill()


class TestDryRun:
    def test_it_writes_nothing_and_tells_what_would_be_sent(
        self, ground: Ground, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.INFO)
        planned = execute(operator(dry_run=True, chunk_size=2))
        assert planned["would"] == "create and schedule"
        assert (planned["people"], planned["requests_with_contacts"]) == (3, 2)
        assert ground.writes == []
        assert json.loads(json.dumps(planned)) == planned
        told = caplog.text + capfd.readouterr().out + json.dumps(planned)
        assert "nothing was written" in told
        assert "Person" not in told
        assert "2125550" not in told

    def test_it_refuses_what_the_real_run_would(self, ground: Ground) -> None:
        with pytest.raises(AirflowFailException, match="PastStartError"):
            execute(operator(dry_run=True, scheduled_at="2020-06-02T10:00"))

    def test_it_skips_what_the_real_run_would(self, ground: Ground) -> None:
        with pytest.raises(AirflowSkipException):
            execute(operator(dry_run=True, scheduled_at="2020-06-02T10:00", on_past="skip"))


class TestEnds:
    def test_a_passed_start_fails_for_good_and_sends_nothing(self, ground: Ground) -> None:
        with pytest.raises(AirflowFailException, match=r"PastStartError.*has passed"):
            execute(operator(scheduled_at="2020-06-02T10:00"))
        assert ground.writes == []

    def test_a_passed_start_skips_by_wish(self, ground: Ground) -> None:
        with pytest.raises(AirflowSkipException, match="has passed"):
            execute(operator(scheduled_at="2020-06-02T10:00", on_past="{{ 'skip' }}"))
        assert ground.writes == []

    @pytest.mark.parametrize("contacts", [[], "[]", "{{ [] }}"])
    def test_an_empty_list_fails_for_good_or_skips_by_wish(self, ground: Ground, contacts: Any) -> None:
        with pytest.raises(AirflowFailException, match=r"0 contacts': is empty, .*on_empty='skip'"):
            execute(operator(contacts=contacts))
        with pytest.raises(AirflowSkipException, match="nobody to call"):
            execute(operator(contacts=contacts, on_empty="skip"), StateStore())
        assert ground.requests == []

    def test_a_list_that_became_empty_since_an_earlier_attempt_is_told(self, ground: Ground) -> None:
        store = StateStore()
        execute(operator(), store)
        with pytest.raises(AirflowFailException, match="is empty"):
            execute(operator(contacts=[], on_empty="skip"), store)

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422])
    def test_what_no_retry_helps_fails_for_good(self, ground: Ground, status: int) -> None:
        ground.alter("POST", "/batch-calls", refused(status, "code", "said the server"))
        with pytest.raises(AirflowFailException, match="said the server"):
            execute(operator())

    @pytest.mark.parametrize(("status", "kind"), [(429, RateLimitedError), (500, ServerError), (503, ServerError)])
    def test_what_can_pass_is_left_to_airflows_retries(
        self, ground: Ground, status: int, kind: type[Exception]
    ) -> None:
        ground.alter("GET", "/batch-calls", refused(status, "code", "later"))
        with pytest.raises(kind):
            execute(operator())

    def test_lost_answers_for_ever_are_left_to_airflows_retries(self, ground: Ground) -> None:
        ground.fault("drop", "POST", "batch-calls$", times=None)
        with pytest.raises(UnsettledError):
            execute(operator())

    def test_a_changed_payload_fails_for_good(self, ground: Ground) -> None:
        execute(operator())
        with pytest.raises(AirflowFailException, match="PayloadChangedError"):
            execute(operator(contacts=people(4)))

    def test_bad_contacts_fail_for_good_and_send_nothing(self, ground: Ground) -> None:
        with pytest.raises(AirflowFailException, match="Contact 1"):
            execute(operator(contacts=[{"phone_number": "0800"}]))
        assert ground.requests == []

    def test_an_unusable_connection_fails_for_good(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)
        monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", json.dumps({"conn_type": "truedy"}))
        with pytest.raises(AirflowFailException, match="no API key"):
            execute(operator())

    def test_the_log_shows_one_traceback_and_it_leads_to_the_cause(self, ground: Ground) -> None:
        with pytest.raises(AirflowFailException, match=r"^PastStartError: ") as failed:
            execute(operator(scheduled_at="2020-06-02T10:00"))
        printed = "".join(traceback.format_exception(failed.value))
        assert printed.count("Traceback (most recent call last)") == 1
        assert "in start_step" in printed


# Every row of POST /batch-calls: what is sent, and what is refused before any request, while the Dag is parsed or, as
# what a template renders and where the kind is right, in the run.
ROWS: list[tuple[str, Any, Any]] = [
    ("name", "March follow-up campaign", ""),
    ("name", "x" * 255, "x" * 256),
    ("agent_id", "agt_5e1ec7ed", ""),
    ("phone_number_ids", [], "num_1"),
    ("phone_number_ids", None, [""]),
    ("phone_rotation_strategy", "sequential", "alphabetical"),
    ("contact_source", "csv", "sheet"),
    ("contact_folder_id", None, 5.5),
    ("contact_ids", None, "ctc_1"),
    ("contacts", people(2), [{"phone_number": "555"}]),
    ("schedule_type", "scheduled", "{{ 'later' }}"),
    ("scheduled_at", SOON, "{{ 'soon' }}"),
    ("max_calls_per_day", "500", "0"),
    ("max_calls_per_day", 1, "many"),
    ("max_contacts_age", None, "{{ 'a day' }}"),
    ("held_on_blocked_days", True, "maybe"),
    ("timezone", "Etc/GMT+5", "{{ 'Mars/Phobos' }}"),
    ("start_time", "08:59", "{{ '24:00' }}"),
    ("end_time", "23:59", "{{ '9:00' }}"),
    ("working_days", [1, 2, 3, 4, 5, 6, 7], "{{ [1, 1] }}"),
    ("working_days", "[1, 2, 3, 4, 5, 6, 7]", "{{ [0] }}"),
    ("start", "{{ false }}", "no"),
    ("max_rejected", "0.5", "nan"),
    ("chunk_size", "1", "1.5"),
    ("tag_word", "crm", "two words"),
    ("extra_fields", {"retry_failed": True}, {"name": "x"}),
    ("dry_run", "true", "maybe"),
]


@pytest.mark.parametrize(("field", "good", "bad"), ROWS)
def test_a_good_value_goes_through(ground: Ground, field: str, good: Any, bad: Any) -> None:
    result = execute(operator(**{field: good}))
    assert result["batch_call_id"] or result["dry_run"]


@pytest.mark.parametrize(("field", "good", "bad"), ROWS)
def test_a_bad_value_is_refused_before_any_request(ground: Ground, field: str, good: Any, bad: Any) -> None:
    with pytest.raises((AirflowFailException, InvalidPayloadError)) as failed:
        execute(operator(**{field: bad}))
    assert ground.requests == []
    said = str(failed.value)
    assert field.removeprefix("contact_") in said or "Contact 1" in said
    assert "555" not in said.replace("x555", "")


def test_a_dag_runs_end_to_end_in_airflow(tmp_path: Path) -> None:
    """``dag.test()``: Airflow's own task runner, its database, its task state store; one answer is lost."""
    (tmp_path / "people.json").write_text(json.dumps(people(7)))
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "dag.py").write_text(
        f"""
from airflow.sdk import DAG, task
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator

with DAG("d", schedule=None, template_searchpath={str(tmp_path)!r}) as dag:
    @task(show_return_value_in_logs=False)
    def segments():
        return [{people(4)!r}, {people(2, start=50)!r}]

    common = dict(agent_id={AGENT!r}, chunk_size=2, **{SCHEDULED!r})
    CreateBatchCallOperator(task_id="file", name="File", contacts="people.json", **common)
    CreateBatchCallOperator.partial(task_id="mapped", name="Mapped", **common).expand(contacts=segments())

if __name__ == "__main__":
    import json
    run = dag.test()
    print("RESULT", json.dumps({{"state": run.state, "tasks": sorted(
        [ti.task_id, ti.map_index, ti.state, ti.try_number] for ti in run.get_task_instances())}}))
"""
    )
    with SandboxProcess(rate_limit=0) as sandbox:
        sandbox.fault("lost_answer", "POST", "batch-calls$")
        connection = {**json.loads(sandbox.connection()), "extra": {"requests_per_minute": 0, "settle": 0.05}}
        environment = {
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW_CONN_TRUEDY_DEFAULT": json.dumps(connection),
            "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        }
        for command in (["-m", "airflow", "db", "migrate"], [str(tmp_path / "dags" / "dag.py")]):
            ended = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True)
            assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
        batches = sandbox.state()["batch_calls"]
    result = json.loads(
        next(line for line in ended.stdout.splitlines() if line.startswith("RESULT")).removeprefix("RESULT ")
    )
    assert result["state"] == "success", ended.stdout[-3000:]
    assert sorted((batch["status"], batch["total_contacts"]) for batch in batches) == [
        ("scheduled", 2),
        ("scheduled", 4),
        ("scheduled", 7),
    ]
    # Airflow 3.0 shows, at debug level, what the Dag's own function returns.
    told = "\n".join(line for line in (ended.stdout + ended.stderr).splitlines() if "msg=SetXCom(" not in line)
    assert "2125550" not in told
    assert "Person" not in told


class TestPartsOfASplitList:
    def manifests(self, folder: Path, zones: dict[int, str]) -> list[dict[str, Any]]:
        made_by = {"dag_id": "dag", "run_id": "run", "task_id": "extract", "map_index": -1}
        rows = [{"phone_number": f"+12125550{at:03d}", "zone": zone} for at, zone in zones.items()]
        to = folder / "contacts.jsonl.gz"
        made = prepared_split(rows, to, region=None, split_by="zone", made_by=made_by)
        return [manifest.to_dict() for manifest in made]

    @pytest.mark.parametrize("has_store", [True, False])
    def test_a_part_that_moves_to_another_map_index_is_the_same_campaign(
        self, ground: Ground, tmp_path: Path, has_store: bool
    ) -> None:
        stores = [StateStore() if has_store else None for _ in range(4)]
        for at, part in enumerate(self.manifests(tmp_path, {0: "b", 1: "c", 2: "d"})):
            execute(operator(contacts=part, name=f"Renewals {at}"), stores[at], map_index=at)
        assert len(ground.batches) == 3
        # The names change with the map indexes, so the payloads do: red, and nobody is called twice.
        cleared = self.manifests(tmp_path, {0: "b", 1: "c", 2: "d", 3: "a"})
        execute(operator(contacts=cleared[0], name="Renewals 0"), stores[0], map_index=0, try_number=2)
        for at, part in list(enumerate(cleared))[1:]:
            with pytest.raises(AirflowFailException, match="was made from another payload"):
                execute(operator(contacts=part, name=f"Renewals {at}"), stores[at], map_index=at)
            execute(operator(contacts=part, name=f"Renewals {at - 1}"), stores[at], map_index=at)
        assert sorted(number for batch in ground.batches for number in ground.numbers(batch)) == [
            f"+12125550{at:03d}" for at in range(4)
        ]

    def test_who_changed_parts_stays_in_the_campaign_that_was_made(self, ground: Ground, tmp_path: Path) -> None:
        first = self.manifests(tmp_path, {0: "b", 1: "c"})
        execute(operator(contacts=first[0], name="b"), map_index=0)
        cleared = self.manifests(tmp_path, {0: "c", 1: "c"})
        execute(operator(contacts=cleared[0], name="c"), map_index=0)
        assert [ground.numbers(batch) for batch in ground.batches] == [["+12125550000"], ["+12125550001"]]
        everybody = self.manifests(tmp_path, {0: "d", 1: "d"})
        with pytest.raises(AirflowSkipException, match=r"Everybody in this part .* campaign of another part") as skip:
            execute(operator(contacts=everybody[0], name="d"), map_index=0)
        assert len(ground.batches) == 2
        told = Path(str(skip.value).rpartition(" of another part: ")[2]).read_text(encoding="utf-8")
        assert told.count("in_another_part") == 2

    def test_the_summary_counts_who_is_left_out_and_names_nobody(
        self, ground: Ground, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        whole = execute(operator(contacts=self.manifests(tmp_path, {0: "b", 1: "c"})[0], name="b"), map_index=0)
        assert "left_out" not in whole
        summary = execute(operator(contacts=self.manifests(tmp_path, {0: "c", 1: "c"})[0], name="c"), map_index=0)
        assert (summary["left_out"], summary["total_contacts"]) == (1, 1)
        assert "in_another_part" in Path(summary["left_out_uri"]).read_text(encoding="utf-8")
        assert "2125550000" not in caplog.text + json.dumps(summary)

    @pytest.mark.parametrize("status", [402, 403, 404, 422, 429])
    def test_a_refused_create_holds_nobody(self, ground: Ground, tmp_path: Path, status: int) -> None:
        ground.alter("POST", "/batch-calls", refused(status))
        with pytest.raises((AirflowFailException, RateLimitedError)):
            execute(operator(contacts=self.manifests(tmp_path, {0: "b", 1: "c"})[0], name="b"), map_index=0)
        ground.heal()
        summary = execute(operator(contacts=self.manifests(tmp_path, {0: "c", 1: "c"})[0], name="c"), map_index=0)
        assert summary["total_contacts"] == 2
        assert len(ground.batches) == 1

    def test_a_create_that_was_never_sent_holds_nobody(self, ground: Ground, tmp_path: Path) -> None:
        def unreachable(request: httpx.Request, send: Send) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        ground.alter("POST", "/batch-calls", unreachable)
        with pytest.raises(UnreachableError):
            execute(operator(contacts=self.manifests(tmp_path, {0: "b", 1: "c"})[0], name="b"), map_index=0)
        ground.heal()
        summary = execute(operator(contacts=self.manifests(tmp_path, {0: "c", 1: "c"})[0], name="c"), map_index=0)
        assert summary["total_contacts"] == 2

    @pytest.mark.parametrize("is_made", [True, False])
    def test_a_create_that_may_have_been_made_keeps_its_people(
        self, ground: Ground, tmp_path: Path, is_made: bool
    ) -> None:
        def answer(request: httpx.Request, send: Send) -> httpx.Response:
            if is_made:
                send()
            return refused(422 if is_made else 409, "conflict")(request, send)

        ground.alter("POST", "/batch-calls", answer)
        with pytest.raises(AirflowFailException):
            execute(operator(contacts=self.manifests(tmp_path, {0: "b", 1: "c"})[0], name="b"), map_index=0)
        ground.heal()
        summary = execute(operator(contacts=self.manifests(tmp_path, {0: "c", 1: "c"})[0], name="c"), map_index=0)
        assert (summary["total_contacts"], summary["left_out"]) == (1, 1)
