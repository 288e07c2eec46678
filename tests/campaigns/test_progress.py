from __future__ import annotations

import json

from airflow_truedy.campaigns.progress import NoStore, Progress
from tests.support.stores import Memory


def test_progress_comes_back_as_it_was_kept() -> None:
    store = Memory()
    progress = Progress("key", "print", "batch_1", sent=500, accepted=498, in_order=False, launched=True, generation=2)
    progress.save(store)
    assert Progress.load(store, "key", "print") == progress


def test_progress_keeps_the_fingerprint_it_was_made_from() -> None:
    store = Memory()
    Progress("key", "old").save(store)
    assert Progress.load(store, "key", "new").fingerprint == "old"


def test_progress_of_another_key_is_none_of_ours() -> None:
    store = Memory()
    Progress("other", "print", "batch_1").save(store)
    assert Progress.load(store, "key", "print") == Progress("key", "print")


def test_what_a_later_version_keeps_beside_it_is_ignored() -> None:
    store = Memory(json.dumps({"key": "key", "fingerprint": "print", "sent": 3, "a_later_field": 1}))
    assert Progress.load(store, "key", "print") == Progress("key", "print", sent=3)


def test_anything_else_in_the_store_means_a_fresh_start() -> None:
    for text in ("null", "[]", '"text"', "{}", "3"):
        assert Progress.load(Memory(text), "key", "print") == Progress("key", "print")


def test_no_store_forgets() -> None:
    store = NoStore()
    Progress("key", "print", "batch_1").save(store)
    assert store.get() is None


def test_what_is_kept_is_small_and_holds_nobody() -> None:
    store = Memory()
    Progress("a" * 12, "b" * 64, "batch_c3d4e5f6", sent=1_000_000, accepted=1_000_000).save(store)
    assert len(store.text) < 500
