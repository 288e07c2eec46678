"""A person's yes to a plan, and for how long it counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.errors import NotApprovedError
from airflow_truedy.campaigns.plan_format import seal_of
from airflow_truedy.formats import moment_of, utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The answer of Airflow's ApprovalOperator that lets a campaign start.
APPROVE = "Approve"
#: Under which name the answer of ApprovePlanOperator, and its question, keep the seals of the plans that were shown.
SEALS_KEY = "plans"


@dataclass(frozen=True)
class Approval:
    """
    A yes to a plan.

    :param given_at: when it was given.
    :param max_age: for how long it counts.
    """

    given_at: datetime
    max_age: timedelta

    @property
    def expires(self) -> datetime:
        """The last moment at which a request that it allows may be sent."""
        return self.given_at + self.max_age

    def check(self, now: datetime, start: datetime | None) -> None:
        """
        Refuse to start anything after it has expired, or later than at the approved start.

        :param start: the approved start; ``None`` for one as soon as the task runs.
        :raises NotApprovedError: saying since when.
        """
        if start is not None and now >= start:
            raise NotApprovedError(
                f"The approved start, {utc_text(start)}, has passed. Nothing was started, because a later start is not "
                "what was approved, whatever on_past states. Approve a plan with a later start."
            )
        if now > self.expires:
            raise NotApprovedError(
                f"The plan was approved at {utc_text(self.given_at)}, and max_approval_age ({self.max_age}) ended at "
                f"{utc_text(self.expires)}. Nothing was started. Trigger a new run of the Dag, "
                "and approve its plan."
            )


def approval_of(plan: Mapping[str, Any], answer: Mapping[str, Any] | None, max_age: timedelta) -> Approval:
    """
    Return the approval of a plan.

    :param plan: what ``PlanBatchCallsOperator`` returned.
    :param answer: what ``ApprovePlanOperator`` returned, or Airflow's ``ApprovalOperator``, which does not tell what it
        showed: then it must be younger than the plan, and the plan the first of its run. Without an answer the age
        counts from the making of the plan.
    :raises NotApprovedError: the answer is another than "Approve", or to another plan.
    """
    made_at = _instant(plan.get("made_at"), "The approved plan", "made_at")
    if answer is None:
        return Approval(made_at, max_age)
    chosen = answer.get("chosen_options")
    if chosen not in (APPROVE, [APPROVE], (APPROVE,)):
        raise NotApprovedError(f"The answer to the plan is {chosen!r}, not {APPROVE!r}. This try started nothing.")
    given_at = _instant(answer.get("responded_at"), "The approval", "responded_at")
    # Airflow goes on showing the question of a task's first try. Its own operator does not tell which plan that showed.
    is_the_first = given_at >= made_at and plan.get("made_in_try", 1) == 1
    if not (seal_of(plan) in (answer[SEALS_KEY] or ()) if SEALS_KEY in answer else is_the_first):
        raise NotApprovedError(
            f"The answer of {utc_text(given_at)} is not, or not surely, to the plan of {utc_text(made_at)}: nobody has "
            "approved this one. This try started nothing. Trigger a new run of the Dag, and approve its plan."
        )
    return Approval(given_at, max_age)


def _instant(value: Any, what: str, field: str) -> datetime:
    try:
        moment = value if isinstance(value, datetime) else moment_of(value)
    except (ValueError, TypeError, AttributeError):
        raise NotApprovedError(f"{what} tells no {field}, so its age is unknown. This try started nothing.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
