from __future__ import annotations

from typing import Any

import pytest

from airflow_truedy.api.models import BatchCall
from airflow_truedy.campaigns.identity import CampaignKey
from airflow_truedy.campaigns.status import State
from airflow_truedy.ui.campaign import Campaign
from tests.ui.conftest import batch

KEY = CampaignKey("a campaign")
TAGGED = KEY.tagged("Renewals", "0123456789abcdef")


def campaign(**fields: Any) -> Campaign:
    return Campaign.of(BatchCall.model_validate(batch(**fields)))


def test_the_tag_is_taken_out_of_the_name() -> None:
    one = campaign(name=TAGGED, status="running")
    assert (one.name, one.key, one.state, one.paused_by_us) == ("Renewals", KEY.short, State.ACTIVE, False)
    paused = campaign(name=KEY.with_pause_marker(TAGGED), status="paused")
    assert (paused.name, paused.key, paused.paused_by_us) == ("Renewals", KEY.short, True)


@pytest.mark.parametrize("name", ["Call Ann at +1 212 555 0100", "ann@example.com", "2125550100 [airflow x]"])
def test_nobody_is_in_the_name(name: str) -> None:
    one = campaign(name=name)
    assert "555" not in one.name
    assert "ann@" not in one.name
    assert one.key is None


def test_only_the_tag_of_an_airflow_counts_as_paused_by_it() -> None:
    assert not campaign(name="Mine paused by Airflow", status="paused").paused_by_us


def test_older_servers_count_only_the_ends() -> None:
    assert campaign(called=None, completed=3, failed=2).called == 5
    assert campaign(called=None, completed=None, failed=None).called is None
