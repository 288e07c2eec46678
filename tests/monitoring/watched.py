"""Batch calls as the server would answer them, for tests of waiting."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow_truedy.api.models import BatchCall
from airflow_truedy.campaigns.identity import CampaignKey

# Monday 09:30 in New York.
MONDAY = datetime(2026, 6, 1, 13, 30, tzinfo=timezone.utc)
NOW = MONDAY.timestamp()
KEY = CampaignKey("a campaign")
NAME = KEY.tagged("Renewals", "0123456789abcdef")


def batch(status: str = "active", called: int | None = 0, total: int | None = 100, **fields: Any) -> BatchCall:
    """A batch call whose counters fit together unless told otherwise."""
    answer: dict[str, Any] = {
        "id": "batch_1",
        "name": NAME,
        "status": status,
        "total_contacts": total,
        "called": called,
        "completed": called,
        "failed": 0,
        "pending": None if total is None or called is None else total - called,
        **fields,
    }
    return BatchCall.model_validate(answer)
