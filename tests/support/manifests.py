"""Manifests with made-up counts."""

from __future__ import annotations

from typing import Any

from airflow_truedy.contacts.contacts_file import Manifest


def counts_of(contacts: int, split: str | None = None, **counts: Any) -> Manifest:
    """A manifest of so many contacts; ``counts`` are of the other rows."""
    left_out = {name: counts.pop(name, 0) for name in ("duplicates", "suppressed", "rejected")}
    return Manifest(
        uri="/nowhere/people.jsonl.gz",
        rejects_uri="/nowhere/people.rejects.csv",
        rows_read=contacts + sum(left_out.values()),
        contacts=contacts,
        **left_out,
        sha256="",
        size=0,
        fingerprint="",
        region={},
        source="rows",
        created_at="2026-06-01T12:00:00+00:00",
        split={"column": "segment", "value": split} if split else None,
        **counts,
    )
