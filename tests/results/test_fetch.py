from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from airflow_truedy.api.models import BatchCallContact
from airflow_truedy.campaigns.status import call_status
from airflow_truedy.results.columns import COLUMNS, Contacted
from airflow_truedy.results.fetch import Reading, ResultsReader
from airflow_truedy.results.outcomes import outcome_group
from airflow_truedy.results.staging import Staging
from tests.support.ground import Ground, Send
from tests.support.plans import plan_of

A_WEEK = 7 * 86_400.0


# A list of 30 that counts 30 is asked once more: servers that count the rows of a page instead look just like it.
class Taken:
    """One reading: its rows, how long it waited, what it asked."""

    def __init__(self, ground: Ground, known: Any = (), **reading: Any) -> None:
        self.pauses: list[float] = []
        before = len(ground.app.state.log.all)
        with Staging() as staging:
            self.reader = ResultsReader(
                ground.client, Reading(threads=1, **reading), sleep=lambda s: self._sleep(ground, s), now=ground.now
            )
            staging.remember(known)
            self.reader.read(ground.only.id, staging)
            self.rows = [dict(zip(COLUMNS[1:], row, strict=True)) for row in staging.rows()]
            self.totals = staging.totals()
            self.unwritten = len(list(staging.rows(changed_only=True)))
        self.asked = Counter(_kind(each.path) for each in list(ground.app.state.log.all)[before:])

    def _sleep(self, ground: Ground, seconds: float) -> None:
        self.pauses.append(seconds)
        ground.advance(seconds)


def _kind(path: str) -> str:
    parts = path.removeprefix("/api/public/v1/").split("/")
    return "/".join("{id}" if part.startswith(("batch_", "call_")) else part for part in parts)


@pytest.fixture
def campaign(make_ground: Callable[..., Ground]) -> Callable[..., Ground]:
    def make(people: int = 30, after: float = A_WEEK, **settings: Any) -> Ground:
        ground = make_ground(**settings)
        ground.run(plan_of(people))
        ground.advance(after)
        return ground

    return make


def test_words_of_every_dialect_become_one() -> None:
    words = ["ended", "Completed", "no-answer", "in-progress", "calling", "ringing", "scheduled", None, "canceled"]
    assert [call_status(word) for word in words] == [
        *("completed", "completed", "no_answer", "in_progress", "in_progress", "in_progress"),
        *("pending", "pending", "cancelled"),
    ]


def test_a_word_that_no_page_lists_is_kept_and_counted_as_other() -> None:
    assert (call_status("Opted-Out"), outcome_group("opted_out")) == ("opted_out", "other")


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+12125550100", "+12125550100"),
        (" +1 (212) 555-0100", "+12125550100"),
        ("212 555 0100", "212 555 0100"),
        ("***00", "***00"),
        (None, None),
    ],
)
def test_a_number_is_one_however_a_server_groups_it(written: str | None, number: str | None) -> None:
    row = BatchCallContact.model_validate({"contact_id": "c", "phone_number": written})
    assert Contacted.of(row).phone_number == number


def test_every_contact_comes_with_the_details_of_its_call(campaign: Callable[..., Ground]) -> None:
    ground = campaign()
    taken = Taken(ground)
    assert [row["phone_number"] for row in taken.rows] == ground.numbers()
    assert {row["details"] for row in taken.rows} == {"complete"}
    shown = {row["call_id"]: row for row in taken.rows}
    for call in ground.client.pages(_calls()):
        row = shown[call.id]
        assert (row["duration_seconds"], row["cost_credits"], row["summary"]) == (
            *(call.duration_seconds, call.cost_credits, call.summary),
        )


def _calls() -> Any:
    from airflow_truedy.api import endpoints

    return endpoints.list_calls()


def test_many_calls_are_read_by_the_hundred(campaign: Callable[..., Ground]) -> None:
    taken = Taken(campaign(people=250))
    assert taken.asked == {"batch-calls/{id}": 1, "batch-calls/{id}/contacts": 3, "calls": 3}
    assert taken.reader.requests == 7


def test_few_calls_are_read_singly(campaign: Callable[..., Ground]) -> None:
    taken = Taken(campaign(people=4))
    assert taken.asked == {"batch-calls/{id}": 1, "batch-calls/{id}/contacts": 1, "calls/{id}": 4}


def test_a_list_that_leaves_summaries_out_is_no_substitute(campaign: Callable[..., Ground]) -> None:
    ground = campaign(people=12)

    def without_summaries(_: httpx.Request, send: Send) -> httpx.Response:
        body = send().json()
        for call in body["data"]:
            del call["summary"]
        return httpx.Response(200, json=body)

    ground.alter("GET", "/calls", without_summaries)
    taken = Taken(ground)
    assert taken.asked["calls/{id}"] == 12
    assert sum(row["summary"] is not None for row in taken.rows) > 0


def test_an_agent_with_many_other_calls_costs_little_more_than_a_request_a_call(
    campaign: Callable[..., Ground],
) -> None:
    ground = campaign(people=30)

    def others(request: httpx.Request, send: Send) -> httpx.Response:
        offset = int(request.url.params["offset"])
        rows = [{"id": f"other-{offset + i}", "status": "completed", "summary": None} for i in range(100)]
        paging = {"total": 100_000, "limit": 100, "offset": offset, "has_more": True}
        return httpx.Response(200, json={"data": rows, "meta": {}, "pagination": paging})

    ground.alter("GET", "/calls", others)
    taken = Taken(ground)
    assert (taken.reader.requests, taken.asked["calls/{id}"]) == (1 + 2 + 10 + 30, 30)
    assert taken.totals.details_missing == 0


def test_details_that_are_late_are_waited_for_and_only_they_are_read_again(campaign: Callable[..., Ground]) -> None:
    ground = campaign(details_delay=A_WEEK * 2, people=4)
    late = Taken(ground, settle_seconds=12)
    assert late.pauses == [5.0, 7.0]
    assert (late.asked["calls/{id}"], late.totals.details_missing) == (12, 4)
    assert {row["details"] for row in late.rows} == {"missing"}
    ground.advance(A_WEEK * 2)
    in_time = Taken(ground, known=_with_id(late.rows))
    assert (in_time.pauses, in_time.totals.details_missing) == ([], 0)


def test_details_come_in_during_the_wait(campaign: Callable[..., Ground]) -> None:
    ground = campaign(people=1, after=0)
    while ground.client.send(_batch(ground)).status != "completed":
        ground.advance(86_400 / 24 if not ground.only.dialer.placed else 1)
    taken = Taken(ground)
    assert taken.pauses
    assert (taken.totals.details_missing, taken.rows[0]["details"]) == (0, "complete")


def _batch(ground: Ground) -> Any:
    from airflow_truedy.api import endpoints

    return endpoints.get_batch_call(ground.only.id)


def test_a_call_that_was_deleted_is_missing_and_not_waited_for(campaign: Callable[..., Ground]) -> None:
    ground = campaign(people=3)
    ground.alter("GET", "/calls/.*", lambda *_: httpx.Response(404, json={"error": {"code": "not_found"}}))
    taken = Taken(ground)
    assert (taken.pauses, taken.totals.details_missing) == ([], 3)


def test_a_running_campaign_shows_who_is_still_to_be_called(campaign: Callable[..., Ground]) -> None:
    taken = Taken(campaign(people=30, after=25 * 3600 + 20))
    assert taken.totals.by_outcome["pending"] > 0
    assert taken.totals.by_outcome.get("in_progress", 0) > 0
    assert {row["details"] for row in taken.rows if row["call_status"] in ("pending", "in_progress")} == {"none"}


def test_without_details_no_call_is_read(campaign: Callable[..., Ground]) -> None:
    taken = Taken(campaign(), details=False)
    assert taken.asked == {"batch-calls/{id}": 1, "batch-calls/{id}/contacts": 2}


def test_transcripts_cost_one_request_for_each_answered_call(campaign: Callable[..., Ground]) -> None:
    taken = Taken(campaign(), transcripts=True)
    answered = [row for row in taken.rows if row["call_status"] == "completed"]
    assert taken.asked["calls/{id}/transcript"] == len(answered) > 0
    assert all("simulated call" in row["transcript"] for row in answered)
    assert all(row["transcript"] is None for row in taken.rows if row["call_status"] != "completed")


def test_the_transcript_of_an_earlier_call_does_not_replace_that_of_a_new_one(campaign: Callable[..., Ground]) -> None:
    first = Taken(campaign(), transcripts=True).rows
    earlier = [{**row, "call_id": f"call_of_old_{row['contact_id']}", "transcript": "an earlier call"} for row in first]
    for row in earlier:
        row["call_status"] = "no_answer"
    taken = Taken(campaign(), transcripts=True, known=earlier)
    answered = [row for row in taken.rows if row["call_status"] == "completed"]
    assert answered
    assert all("simulated call" in row["transcript"] for row in answered)


def test_calls_without_transcription_are_not_asked_again_and_again(campaign: Callable[..., Ground]) -> None:
    ground = campaign()
    ground.alter("GET", "/calls/.*/transcript", lambda *_: httpx.Response(404, json={"error": {"code": "not_found"}}))
    taken = Taken(ground, transcripts=True)
    assert taken.pauses == []
    assert taken.totals.details_missing == 0


def _with_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"batch_call_id": "b", **row} for row in rows]


def test_what_an_earlier_reading_knew_is_not_read_again(campaign: Callable[..., Ground]) -> None:
    ground = campaign(people=30, after=25 * 3600 + 150)
    first = Taken(ground)
    done = sum(row["details"] == "complete" for row in first.rows)
    assert 0 < done < 30
    ground.advance(A_WEEK)
    second = Taken(ground, known=_with_id(first.rows))
    third = Taken(ground, known=_with_id(second.rows))
    assert second.rows == Taken(ground).rows
    assert third.asked == {"batch-calls/{id}": 1, "batch-calls/{id}/contacts": 2}
    assert third.rows == second.rows


def test_rows_that_were_read_without_details_are_read_with_them_later(campaign: Callable[..., Ground]) -> None:
    ground = campaign(people=5)
    bare = Taken(ground, details=False)
    full = Taken(ground, known=_with_id(bare.rows))
    assert full.totals.details_missing == 0
    assert {row["details"] for row in full.rows} == {"complete"}


@pytest.mark.parametrize("late", ["cost_credits", "summary"])
def test_what_comes_late_is_asked_for_again_for_some_days(campaign: Callable[..., Ground], late: str) -> None:
    ground = campaign(people=4, after=86_400.0 * 2)
    lacking = True

    def without(_: httpx.Request, send: Send) -> httpx.Response:
        body = send().json()
        if lacking:
            body["data"][late] = None
        return httpx.Response(200, json=body)

    ground.alter("GET", "/calls/call_[^/]*", without)
    first = Taken(ground)
    spoken = [row for row in first.rows if row["call_status"] in ("completed", "voicemail")]
    assert spoken
    assert {row["details"] for row in spoken} == {"partial"}
    assert first.pauses == [], "it may never come"
    lacking = False
    second = Taken(ground, known=_with_id(first.rows))
    assert second.asked["calls/{id}"] == len(spoken)
    assert {row["details"] for row in second.rows} == {"complete"}
    assert any(row[late] is not None for row in second.rows)
    lacking = True
    ground.advance(A_WEEK)
    assert {row["details"] for row in Taken(ground).rows} == {"complete"}, "after some days it is not asked for again"


def test_a_corrected_number_and_a_time_told_late_are_changes(campaign: Callable[..., Ground]) -> None:
    ground = campaign(people=3)
    first = Taken(ground)
    assert Taken(ground, known=_with_id(first.rows)).unwritten == 0
    ground.alter_data("GET", "/batch-calls/.*/contacts", called_at="2026-06-09T12:00:00Z")
    assert Taken(ground, known=_with_id(first.rows)).unwritten == 3
    ground.alter_data("GET", "/batch-calls/.*/contacts", phone_number="+12125559999")
    assert Taken(ground, known=_with_id(first.rows)).unwritten == 3


def test_a_time_that_only_the_call_tells_stays_when_the_call_is_not_read_again(campaign: Callable[..., Ground]) -> None:
    ground = campaign(people=3)
    ground.alter_data("GET", "/batch-calls/.*/contacts", called_at=None)
    first = Taken(ground)
    assert all(row["called_at"] for row in first.rows)
    second = Taken(ground, known=_with_id(first.rows))
    assert (second.rows, second.unwritten) == (first.rows, 0)


def test_calls_count_although_the_server_does_not_tell_when_they_were(campaign: Callable[..., Ground]) -> None:
    ground = campaign(people=3)
    ground.alter_data("GET", "/batch-calls/.*/contacts", called_at=None, call_id=None, call_status="completed")
    assert Taken(ground, details=False).totals.called == 3


def test_a_lagging_list_does_not_make_a_call_that_ended_pending_again(campaign: Callable[..., Ground]) -> None:
    ground = campaign(people=3)
    first = Taken(ground)
    ground.alter_data("GET", "/batch-calls/.*/contacts", called_at=None, call_id=None, call_status="pending")
    assert Taken(ground, known=_with_id(first.rows)).rows == first.rows


def test_a_contact_without_an_id_is_known_by_its_number(campaign: Callable[..., Ground]) -> None:
    ground = campaign(people=3)

    def without_ids(_: httpx.Request, send: Send) -> httpx.Response:
        body = send().json()
        for row in body["data"]:
            row["contact_id"] = None
        return httpx.Response(200, json=body)

    ground.alter("GET", "/batch-calls/.*/contacts", without_ids)
    assert [row["contact_id"] for row in Taken(ground).rows] == ground.numbers()
