from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from airflow_truedy.api import errors
from airflow_truedy.campaigns import errors as campaign_errors
from airflow_truedy.contacts.errors import ContactsFileError
from airflow_truedy.hooks.settings import ConnectionFieldError
from airflow_truedy.retry_policy import TruedyRetryPolicy
from tests.support.airflow_versions import import_anew

pytest.importorskip("airflow.sdk.definitions.retry_policy", reason="Airflow knows retry policies from 3.3 on")
from airflow.sdk import RetryPolicy
from airflow.sdk.definitions.retry_policy import RetryAction

HOPELESS = [
    errors.AuthenticationError,
    errors.PaymentRequiredError,
    errors.PermissionDeniedError,
    errors.NotFoundError,
    errors.InvalidRequestError,
    errors.ConflictError,
    errors.InvalidPayloadError,
    errors.TooLateError,
    errors.ForbiddenByConnectionError,
    campaign_errors.TimingError,
    campaign_errors.PastStartError,
    campaign_errors.PayloadChangedError,
    campaign_errors.CountMismatchError,
    campaign_errors.ReadBackError,
    campaign_errors.CampaignEndedError,
    campaign_errors.NotPausedError,
    campaign_errors.DuplicateCampaignError,
    campaign_errors.TagLostError,
    campaign_errors.AgentNotReadyError,
    campaign_errors.WrongStateError,
    campaign_errors.PastStartSkip,
    campaign_errors.EverybodyLaunchedSkip,
    campaign_errors.NotApprovedError,
    campaign_errors.TooManyPartsError,
    campaign_errors.CallOutcomeUnknownError,
    ContactsFileError,
    partial(ConnectionFieldError, "crm"),
]
WORTH_ANOTHER_TRY = [
    errors.ServerError,
    errors.UnreachableError,
    errors.RequestTimeoutError,
    errors.UnreadableAnswerError,
    errors.InconsistentListError,
    errors.OutcomeUnknownError,
    campaign_errors.LaunchInterruptedError,
    campaign_errors.UnsettledError,
    campaign_errors.CallNotLookedUpError,
    campaign_errors.CallTimeoutError,
    ValueError,
    RuntimeError,
]


def decide(error: BaseException) -> Any:
    return TruedyRetryPolicy().evaluate(error, try_number=1, max_tries=3)


@pytest.mark.parametrize("kind", HOPELESS)
def test_what_no_retry_helps_fails_at_once(kind: Callable[[str], Exception]) -> None:
    decision = decide(kind("said"))
    assert decision.action is RetryAction.FAIL
    assert "said" in decision.reason


@pytest.mark.parametrize("kind", WORTH_ANOTHER_TRY)
def test_what_can_pass_keeps_the_tasks_own_delay(kind: type[Exception]) -> None:
    assert decide(kind("said")).action is RetryAction.DEFAULT


def test_a_rate_limit_waits_as_long_as_the_server_said() -> None:
    decision = decide(errors.RateLimitedError("said", retry_after=1234.5))
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == timedelta(seconds=1234.5)


def test_it_is_one_of_airflows_policies() -> None:
    assert isinstance(TruedyRetryPolicy(), RetryPolicy)


def test_every_error_of_ours_says_whether_a_retry_can_help() -> None:
    listed = {*HOPELESS, *WORTH_ANOTHER_TRY, errors.RateLimitedError, campaign_errors.WindowClosedError}
    for module, root in ((errors, errors.TruedyError), (campaign_errors, campaign_errors.CampaignError)):
        kinds = {value for value in vars(module).values() if isinstance(value, type) and issubclass(value, root)}
        assert kinds - {root} <= listed


def test_a_closed_window_is_waited_for() -> None:
    closed = campaign_errors.WindowClosedError("stays paused", retry_after=3600)
    decision = TruedyRetryPolicy().evaluate(closed, 1, 5)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(hours=1))


def test_airflow_before_3_3_imports_it_and_stores_the_same_text_at_each_parse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "airflow.sdk", types.ModuleType("airflow.sdk"))
    import_anew(monkeypatch, "airflow_truedy.retry_policy")
    older = importlib.import_module("airflow_truedy.retry_policy")
    assert older.TruedyRetryPolicy is not TruedyRetryPolicy
    assert str(older.TruedyRetryPolicy()) == str(TruedyRetryPolicy()) == "TruedyRetryPolicy()"
