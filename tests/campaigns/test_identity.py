from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.campaigns.identity import (
    CampaignKey,
    bare_name,
    default_key,
    digest,
    is_named,
    renamed,
    with_holds,
    without_markers,
)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)
KEYS = st.text(min_size=1, max_size=80)
WORDS = st.from_regex(r"[a-z][a-z0-9_.-]{0,19}", fullmatch=True)
FINGERPRINTS = st.binary(max_size=8).map(digest)


@given(key=KEYS, word=WORDS, name=NAMES, fingerprint=FINGERPRINTS)
def test_the_tag_of_any_name_is_found_again_and_fits(key: str, word: str, name: str, fingerprint: str) -> None:
    campaign = CampaignKey(key, word)
    tagged = campaign.tagged(name, fingerprint)
    assert len(tagged) <= 255
    assert tagged[:30].startswith(name[:20])
    tag = campaign.tag_in(tagged)
    assert tag is not None
    assert not tag.paused_by_us
    assert fingerprint.startswith(tag.payload)
    assert not digest(fingerprint).startswith(tag.payload)


@given(key=KEYS, name=NAMES, fingerprint=FINGERPRINTS)
def test_the_mark_goes_on_and_off_and_the_name_stays_within_its_limit(key: str, name: str, fingerprint: str) -> None:
    campaign = CampaignKey(key)
    tagged = campaign.tagged(name, fingerprint)
    marked = campaign.with_pause_marker(tagged)
    tag = campaign.tag_in(marked)
    assert tag is not None
    assert tag.paused_by_us
    assert fingerprint.startswith(tag.payload)
    assert len(marked) <= 255
    assert campaign.with_pause_marker(marked) == marked
    assert without_markers(marked) == tagged


@given(one=KEYS, other=KEYS, name=NAMES)
def test_a_tag_is_only_its_own_keys(one: str, other: str, name: str) -> None:
    tagged = CampaignKey(one).tagged(name, digest("p"))
    assert (CampaignKey(other).tag_in(tagged) is not None) == (one == other)
    assert CampaignKey(one, "nightly").tag_in(tagged) is None


@pytest.mark.parametrize(
    "name", ["Renewals [EU] (wave 1)", "[airflow 3f9a1c2b7d10-9c2e41aa]", "a [airflow ", "]", "Übung 🎉", "\\d+.*"]
)
def test_names_that_look_like_tags_or_patterns_do_no_harm(name: str) -> None:
    key = CampaignKey("k")
    tagged = key.tagged(name, digest("p"))
    assert tagged.startswith(name)
    tag = key.tag_in(tagged)
    assert tag is not None
    assert digest("p").startswith(tag.payload)


def test_a_name_that_was_tagged_before_by_the_same_key_counts_by_its_last_tag() -> None:
    # Somebody passes a batch call's name on as the next one's.
    key = CampaignKey("k")
    twice = key.tagged(key.tagged("Renewals", digest("old")), digest("new"))
    tag = key.tag_in(twice)
    assert tag is not None
    assert digest("new").startswith(tag.payload)
    marked = key.with_pause_marker(twice)
    again = key.tag_in(marked)
    assert again is not None
    assert again.paused_by_us
    assert without_markers(marked) == twice


def test_a_name_without_a_tag_has_none_and_is_not_marked() -> None:
    key = CampaignKey("k")
    assert key.tag_in(None) is None
    assert key.tag_in("Renewals") is None
    assert key.with_pause_marker("Renewals") == "Renewals"


def test_the_tag_reads_as_documented() -> None:
    key = CampaignKey("k")
    assert key.tagged("Renewals", digest("p")) == f"Renewals [airflow {digest('k')[:12]}-{digest('p')[:8]}]"
    assert CampaignKey("k", "crm").tagged("Renewals", digest("p")).startswith("Renewals [crm ")


@given(
    one=st.tuples(KEYS, st.binary(max_size=20), st.integers(0, 9)),
    other=st.tuples(KEYS, st.binary(max_size=20), st.integers(0, 9)),
)
def test_idempotency_keys_are_equal_exactly_when_key_body_and_generation_are(
    one: tuple[str, bytes, int], other: tuple[str, bytes, int]
) -> None:
    first, second = (CampaignKey(text).idempotency_key(body, generation) for text, body, generation in (one, other))
    assert (first == second) == (one == other)
    assert uuid.UUID(first).version == 5
    assert CampaignKey(one[0]).idempotency_key(one[1], one[2]) == first


def test_an_idempotency_key_never_changes_between_releases() -> None:
    # A retry may run under a newer version of this package.
    assert CampaignKey("k").idempotency_key(b"{}", 0) == str(
        uuid.uuid5(uuid.UUID("6f1d2c1e-5b0a-5c7e-9a51-7b2f5c1c8d33"), f"k\n0\n{digest(b'{}')}")
    )


@given(parts=st.tuples(st.text(), st.text(), st.text(), st.integers(-1, 99)), other=st.tuples(st.text(), st.text()))
def test_default_keys_tell_task_instances_apart(parts: tuple[str, str, str, int], other: tuple[str, str]) -> None:
    key = default_key(*parts)
    assert key == default_key(*parts)
    assert key != default_key(*parts[:3], parts[3] + 1)
    if other != parts[:2]:
        assert key != default_key(*other, *parts[2:])


def test_parts_that_hold_separators_do_not_run_into_each_other() -> None:
    assert default_key("a", "b__c", "r", -1) != default_key("a__b", "c", "r", -1)
    assert default_key('a", "b', "c", "r", -1) != default_key("a", 'b", "c', "r", -1)


def test_a_name_passed_on_to_another_campaign_is_that_campaigns() -> None:
    first, second = CampaignKey("first"), CampaignKey("second")
    passed_on = second.tagged(f"{first.tagged('Renewals', digest('p'))} again", digest("q"))
    assert first.tag_in(passed_on) is None
    assert first.with_pause_marker(passed_on) == passed_on
    tag = second.tag_in(passed_on)
    assert tag is not None
    assert digest("q").startswith(tag.payload)


@given(key=KEYS, old=NAMES, new=NAMES, behind=st.text(max_size=20), paused=st.booleans())
def test_a_rename_keeps_the_tag_wherever_a_person_left_it(
    key: str, old: str, new: str, behind: str, paused: bool
) -> None:
    campaign = CampaignKey(key)
    tagged = campaign.tagged(old, digest("p"))
    tagged = campaign.with_pause_marker(tagged) if paused else tagged
    name = renamed(f"{tagged}{behind}", new)
    assert len(name) <= 255
    assert name[:30].startswith(new[:20])
    assert campaign.tag_in(name) == campaign.tag_in(tagged)


def test_a_rename_by_a_name_that_has_the_tag_already_adds_no_second_one() -> None:
    tagged = CampaignKey("k").tagged("Renewals", digest("p"))
    assert renamed(tagged, tagged) == tagged
    assert renamed("Renewals", "Other") == renamed(None, "Other") == "Other"


@given(key=KEYS, name=NAMES, behind=st.text(max_size=20))
def test_only_the_mark_is_taken_off_wherever_a_person_left_the_tag(key: str, name: str, behind: str) -> None:
    campaign = CampaignKey(key)
    tagged = campaign.tagged(name, digest("p"))
    marked = campaign.with_pause_marker(tagged)
    assert without_markers(f"{marked}{behind}") == f"{tagged}{behind}"
    assert without_markers(tagged) == tagged


@pytest.mark.parametrize(
    ("pattern", "is_meant"),
    [
        ("Renewals [EU]", True),
        ("Renewals [EU]*", True),
        ("Renewals*", True),
        ("Renewals [E]*", False),
        ("*[UE]", False),
    ],
)
def test_brackets_in_a_pattern_are_brackets(pattern: str, is_meant: bool) -> None:
    tagged = CampaignKey("k").tagged("Renewals [EU]", digest("p"))
    assert is_named(tagged, pattern) == is_meant
    assert is_named(with_holds(tagged, ["stop"]), pattern) == is_meant
    assert bare_name(with_holds(tagged, ["stop"])) == "Renewals [EU]"
