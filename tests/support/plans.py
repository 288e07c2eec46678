"""Campaigns for tests: fictional people, a Monday, and a plan that calls them."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow_truedy.calling_hours import PartHours
from airflow_truedy.campaigns.identity import CampaignKey
from airflow_truedy.campaigns.plan import CampaignPlan, Policy, plan_campaign
from airflow_truedy.campaigns.timing import Timing
from airflow_truedy.contacts.lists import ContactList
from airflow_truedy.contacts.prepare import prepare_contacts
from airflow_truedy.contacts.rules import ContactRules

AGENT = "agt_f9447372"
KEY = "dag/task/run"
UTC = timezone.utc
MONDAY = datetime(2026, 6, 1, 13, 0, tzinfo=UTC)
# Wall time in New York, in the window, a day ahead of MONDAY.
START = "2026-06-02T10:00"
STARTS_AT = datetime(2026, 6, 2, 14, 0, tzinfo=UTC)
WINDOW: dict[str, Any] = {"timezone": "America/New_York", "start_time": "09:00", "end_time": "17:30"}


def people(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Wire contacts with fictional numbers, all different."""
    return [
        {"phone_number": f"+1{212 + i // 100}55501{i % 100:02d}", "first_name": f"Person{i}"}
        for i in range(start, start + count)
    ]


def plan_of(
    contacts: int | list[dict[str, Any]] | dict[str, Any] | None = 3, *, key: str = KEY, **changes: Any
) -> CampaignPlan:
    """A campaign that is scheduled for Tuesday at ten in New York, but for ``changes``; of people or a manifest."""
    # The same people under another key on purpose.
    timing: dict[str, Any] = {"scheduled_at": START, **WINDOW}
    policy: dict[str, Any] = {"on_duplicate": "fail" if key == KEY else "allow"}
    options: dict[str, Any] = {"name": "Renewals"}
    fields: dict[str, Any] = {"agent_id": AGENT}
    for name, value in changes.items():
        if hasattr(Timing, name):
            timing[name] = value
        elif hasattr(Policy, name):
            policy[name] = value
        else:
            (options if name in ("name", "chunk_size") else fields)[name] = value
    if isinstance(contacts, int):
        contacts = people(contacts)
    listed = None
    if contacts is not None:
        listed = ContactList.of(contacts) if isinstance(contacts, list) else ContactList.from_manifest(contacts)
    return plan_campaign(
        key=CampaignKey(key),
        fields=fields,
        contacts=listed,
        timing=Timing(**timing),
        policy=Policy(**policy),
        **options,
    )


# Of people who may be called on weekdays, but not on Friday, June 5th.
HOURS = PartHours(
    timezone="America/New_York",
    start_time="09:00",
    end_time="17:30",
    working_days=(1, 2, 3, 4, 5),
    blocked=("2026-06-05",),
    first_day="2026-06-01",
    last_day="2026-07-31",
    rules="us@0",
)


def manifest_of(
    folder: Path, count: int = 3, hours: PartHours | None = HOURS, made_at: datetime = MONDAY
) -> dict[str, Any]:
    """Return the manifest of a contacts file of so many people, as it comes out of XCom."""
    (manifest,) = prepare_contacts(people(count), folder / f"{count}.jsonl.gz", ContactRules(region=None))
    return {
        **manifest.to_dict(),
        "created_at": made_at.isoformat(),
        "calling_hours": hours and hours.to_dict(),
    }
