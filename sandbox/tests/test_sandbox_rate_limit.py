"""The quota: a fixed window of real time, 429 with the moment it ends."""

from __future__ import annotations


def test_what_is_over_the_quota_is_refused_until_the_next_window(make_api):
    api = make_api(rate_limit=3)
    api.wall = 1780318810.0  # ten seconds into a minute
    assert [api.ask("GET", "agents").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    answer = api.ask("GET", "agents")
    error = answer.json()["error"]
    assert error["code"] == "rate_limit_exceeded"
    assert error["details"] == {"limit": 3, "reset_at": "2026-06-01T13:01:00.000000Z"}
    assert answer.json()["meta"]["ts"] == "2026-06-01T13:00:10Z"
    assert "retry-after" not in answer.headers
    assert api.admin("GET", "requests")["rate_limit"] == {"limit": 3, "used": 6, "refused": 3}
    api.wall += 50
    assert api.ask("GET", "agents").status_code == 200


def test_a_refused_request_does_no_work(make_api):
    api = make_api(rate_limit=1)
    api.draft(1)
    assert api.ask("POST", "batch-calls", {"name": "x", "agent_id": "agt_f9447372"}).status_code == 429
    assert len(api.admin("GET", "state")["batch_calls"]) == 1


def test_retry_after_is_sent_by_setting(make_api):
    api = make_api(rate_limit=1, rate_window=30, retry_after_header=True)
    api.wall = 1780318810.0
    api.ask("GET", "agents")
    assert api.ask("GET", "agents").headers["retry-after"] == "20"


def test_retry_after_of_a_429_by_fault_is_the_one_of_the_fault(make_api):
    api = make_api(retry_after_header=True)
    api.admin("POST", "faults", {"kind": "rate_limited", "seconds": 7})
    assert api.ask("GET", "agents").headers["retry-after"] == "7"


def test_the_window_is_real_time_however_fast_the_clock_runs(make_api):
    api = make_api(rate_limit=1)
    api.ask("GET", "agents")
    api.advance(3600)
    assert api.ask("GET", "agents").status_code == 429


def test_requests_without_the_key_use_up_nothing(make_api):
    api = make_api(rate_limit=1)
    api.ask("GET", "agents", headers={"Authorization": "Bearer wrong"})
    assert api.ask("GET", "agents").status_code == 200


def test_a_rate_limit_of_0_is_none(make_api):
    api = make_api(rate_limit=0)
    assert {api.ask("GET", "agents").status_code for _ in range(200)} == {200}
