from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import XCom

from airflow_truedy.links.batch_calls import XCOM_KEY, BatchCallLink, campaign_url

API = "https://api.truedy.ai/api/public/v1"


@pytest.mark.parametrize(
    ("base_url", "dashboard_url", "address"),
    [
        (API, None, "https://app.truedy.ai/campaigns/batch_1"),
        (API, "", "https://app.truedy.ai/campaigns/batch_1"),
        (API, "https://calls.test/{batch_call_id}/view", "https://calls.test/batch_1/view"),
        ("http://127.0.0.1:8123/api/public/v1", None, "http://127.0.0.1:8123/#batch_1"),
    ],
)
def test_the_address_is_the_dashboards(base_url: str, dashboard_url: str | None, address: str) -> None:
    assert campaign_url(base_url, "batch_1", dashboard_url) == address


def test_an_id_cannot_break_out_of_the_address() -> None:
    assert campaign_url(API, "../x?y#z") == "https://app.truedy.ai/campaigns/..%2Fx%3Fy%23z"


@pytest.mark.parametrize(
    ("kept", "shown"), [("https://app.truedy.ai/campaigns/b", "https://app.truedy.ai/campaigns/b"), (None, "")]
)
def test_the_button_leads_to_what_the_task_kept(kept: str | None, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def get_value(**wanted: Any) -> str | None:
        asked.update(wanted)
        return kept

    monkeypatch.setattr(XCom, "get_value", get_value)
    ti_key: Any = object()
    link: Any = BatchCallLink()
    assert link.get_link(None, ti_key=ti_key) == shown
    assert asked == {"key": XCOM_KEY, "ti_key": ti_key}
    assert link.name == "Truedy campaign"
