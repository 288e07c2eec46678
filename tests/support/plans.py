"""Campaigns for tests: fictional people, a Monday, and a plan that calls them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow_truedy.campaigns.identity import CampaignKey
from airflow_truedy.campaigns.plan import CampaignPlan, plan_campaign
from airflow_truedy.contacts.lists import ContactList

AGENT = "agt_f9447372"
KEY = "dag/task/run"
UTC = timezone.utc
MONDAY = datetime(2026, 6, 1, 13, 0, tzinfo=UTC)
# Wall time in New York, in the window, a day ahead of MONDAY.
START = "2026-06-02T10:00"
STARTS_AT = datetime(2026, 6, 2, 14, 0, tzinfo=UTC)
WINDOW = {"timezone": "America/New_York", "start_time": "09:00", "end_time": "17:30"}


def people(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Wire contacts with fictional numbers, all different."""
    return [
        {"phone_number": f"+1{212 + i // 100}55501{i % 100:02d}", "first_name": f"Person{i}"}
        for i in range(start, start + count)
    ]


def plan_of(contacts: int | list[dict[str, Any]] | None = 3, *, key: str = KEY, **changes: Any) -> CampaignPlan:
    """A campaign that is scheduled for Tuesday at ten in New York, but for ``changes``."""
    # The same people under another key on purpose.
    options: dict[str, Any] = {"scheduled_at": START, "on_duplicate": "fail" if key == KEY else "allow"}
    fields: dict[str, Any] = {"agent_id": AGENT, **WINDOW}
    for name, value in changes.items():
        (options if name in _OPTIONS else fields)[name] = value
    if isinstance(contacts, int):
        contacts = people(contacts)
    return plan_campaign(
        key=CampaignKey(key),
        name=options.pop("name", "Renewals"),
        fields=fields,
        contacts=None if contacts is None else ContactList.of(contacts),
        **options,
    )


_OPTIONS = {
    "name",
    "scheduled_at",
    "schedule_type",
    "extra_fields",
    "start",
    "on_past",
    "on_change",
    "on_retry",
    "on_duplicate",
    "chunk_size",
    "max_rejected",
}
