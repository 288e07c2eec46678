from __future__ import annotations

import pytest

from airflow_truedy.campaigns.status import State


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("draft", State.DRAFT),
        ("Scheduled", State.SCHEDULED),
        ("active", State.ACTIVE),
        ("running", State.ACTIVE),
        ("in-progress", State.ACTIVE),
        ("in_progress", State.ACTIVE),
        (" paused ", State.PAUSED),
        ("completed", State.COMPLETED),
        ("failed", State.FAILED),
        ("cancelled", State.CANCELLED),
        ("canceled", State.CANCELLED),
        ("scheduling", State.UNKNOWN),
        ("archived", State.UNKNOWN),
        ("", State.UNKNOWN),
        (None, State.UNKNOWN),
    ],
)
def test_every_dialect_is_read(word: str | None, state: State) -> None:
    assert State.of(word) is state


def test_only_a_draft_is_known_to_have_called_nobody() -> None:
    assert [state for state in State if not state.may_have_called] == [State.DRAFT]


def test_an_unknown_state_is_no_end() -> None:
    assert {state for state in State if state.is_terminal} == {State.COMPLETED, State.FAILED, State.CANCELLED}
    assert {state for state in State if state.ended_badly} == {State.FAILED, State.CANCELLED}
