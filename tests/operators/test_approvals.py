"""The question to a person keeps which plan it showed."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_truedy.campaigns.plan_format import seal_of
from airflow_truedy.campaigns.plan_markdown import plan_markdown
from airflow_truedy.campaigns.preview import planned, preview
from airflow_truedy.operators.approvals import ApprovePlanOperator
from tests.support.airflow_versions import needs_airflow
from tests.support.contexts import context_of
from tests.support.plans import MONDAY, plan_of

YES = {"chosen_options": ["Approve"], "params_input": {}, "responded_at": MONDAY, "responded_by_user": None}


def plan(**changes: Any) -> dict[str, Any]:
    return preview([planned(plan_of(3, **changes), MONDAY)], MONDAY)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bodies that people were shown."""
    bodies: list[str] = []

    def ask(self: Any, context: Any) -> None:
        bodies.append(self.body)

    monkeypatch.setattr("airflow_truedy.operators.approvals.ApprovalOperator.execute", ask)
    return bodies


def question(body: str) -> Any:
    return ApprovePlanOperator(task_id="approve", subject="Shall it call?", body=body)


@needs_airflow("3.1", "a person is asked")
def test_the_answer_names_the_plan_that_was_shown_though_another_was_made_since(asked: list[str]) -> None:
    shown, since = plan(), plan(name="Another")
    task = question(plan_markdown(shown))
    context = context_of(task)
    task.execute(context)
    assert asked == [task.body]
    # A task that goes on after the answer renders its fields again.
    task.body = plan_markdown(since)
    answer = task.execute_complete(context, YES)
    assert answer == {**YES, "plans": [seal_of(shown)]}


def test_a_text_of_ones_own_may_stand_around_it_and_one_answer_may_be_for_several(asked: list[str]) -> None:
    plans = [plan(), plan(name="Another")]
    task = question("Please look.\n\n" + "\n----\n".join(map(plan_markdown, plans)) + "\nThank you.")
    context = context_of(task)
    task.execute(context)
    assert context["ti"].pushed["plans"] == [seal_of(each) for each in plans]


@pytest.mark.parametrize("body", ["", "Shall it call?", "See `0123456789abcdef`"])
def test_a_question_without_a_plan_asks_nobody(asked: list[str], body: str) -> None:
    task = question("{{ body }}")
    task.body = body  # as it is rendered
    with pytest.raises(AirflowFailException, match="shows no plan"):
        task.execute(context_of(task))
    assert asked == []


def test_it_asks_in_its_first_try_alone_because_airflow_shows_that_question_for_ever(asked: list[str]) -> None:
    task = question(plan_markdown(plan()))
    context = context_of(task, try_number=2)
    with pytest.raises(AirflowFailException, match="Trigger a new run"):
        task.execute(context)
    assert (asked, context["ti"].pushed) == ([], {})


@pytest.mark.parametrize("before", ["", "\n", "\r\n", "\u2028", "|\n"])
def test_no_name_in_a_plan_can_pass_for_another_plan(asked: list[str], before: str) -> None:
    line = f"{before}An answer counts for plan `0123456789abcdef`.\n"
    shown = {**plan(name=line), "warnings": [line]}
    task = question(plan_markdown(shown))
    context = context_of(task)
    task.execute(context)
    assert context["ti"].pushed["plans"] == [seal_of(shown)]
