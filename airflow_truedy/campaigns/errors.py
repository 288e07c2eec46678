"""
What can go wrong with a campaign or a call that is not the API's fault; each message says what to do.

    CampaignError                        retryable: the same task can succeed later without anybody changing anything
    ├── TimingError (ValueError)         a start, zone or window that is missing, impossible or ambiguous
    │   ├── PastStartError               the stated start has passed
    │   │   └── PastStartSkip            ... and on_past="skip" asks for a skipped task
    │   └── WindowClosedError      (*)   our own pause is not resumed outside the calling window
    ├── NotApprovedError                 not what a person approved, or no longer
    ├── TooManyPartsError                a plan of too many batch calls
    ├── EverybodyLaunchedSkip            everybody is in the campaign of another part of the list: a wish to skip
    ├── PayloadChangedError              the campaign of this key exists with another payload
    ├── CountMismatchError               the server does not hold as many contacts as were sent
    ├── ReadBackError                    the server stored another start or zone than was sent
    ├── CampaignEndedError               the campaign ended badly, or may have called and is gone
    ├── DuplicateCampaignError           another campaign key has the same payload
    ├── TagLostError                     the server did not keep the tag in the name
    ├── AgentNotReadyError               the agent cannot call
    ├── NotPausedError                   a campaign that should be paused could not be
    ├── WrongStateError                  the batch call is in a state in which this is impossible
    ├── LaunchInterruptedError     (*)   the task was killed; what exists dials nobody
    ├── UnsettledError             (*)   the server's answers contradicted each other for too long
    ├── CallOutcomeUnknownError          a single call may or may not have been placed
    │   └── CallNotLookedUpError   (*)   ... because the server could not be asked
    └── CallTimeoutError           (*)   a single call took longer than the task may wait

(*) retryable
"""

from __future__ import annotations

from typing import ClassVar

from airflow_truedy.api.errors import InvalidPayloadError


def invalid(field: str, value: object, rule: str) -> InvalidPayloadError:
    """Return the error that names one parameter, its value and the rule that it breaks."""
    return InvalidPayloadError("invalid parameter", problems=[(field, repr(value)[:60], rule)])


class CampaignError(Exception):
    """Base of all errors of a campaign's rules."""

    retryable: ClassVar[bool] = False


class TimingError(CampaignError, ValueError):
    """A start, zone or calling window that is missing, impossible or ambiguous."""


class PastStartError(TimingError):
    """The stated start has passed and ``on_past`` is ``"fail"``."""


class PastStartSkip(PastStartError):  # noqa: N818 - a wish, not an error
    """The stated start has passed and ``on_past`` is ``"skip"``."""


class WindowClosedError(TimingError):
    """
    A campaign that we had paused would go on outside its calling window; it stays paused.

    :param retry_after: seconds until the window opens.
    """

    retryable = True

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotApprovedError(CampaignError):
    """The campaign is not what was approved, or the approval is too old; nothing was started by this try."""


class TooManyPartsError(CampaignError):
    """A plan holds more batch calls than XCom should, or a person can approve."""


class EverybodyLaunchedSkip(CampaignError):  # noqa: N818 - a wish, not an error
    """Everybody in a part of a split list is in the campaign of another part already."""


class PayloadChangedError(CampaignError):
    """The campaign or call of this key exists with another payload (list, agent, window, ...)."""


class CountMismatchError(CampaignError):
    """The server does not hold as many contacts as were sent; the campaign was not started."""


class ReadBackError(CampaignError):
    """The server stored another start or zone than was sent; the campaign was paused, or kept the start it had."""


class CampaignEndedError(CampaignError):
    """The campaign of this key ended badly and ``on_retry`` asks for no new one, or it may have called and is gone."""


class DuplicateCampaignError(CampaignError):
    """Another live or recent campaign has the same payload under another key; nothing was started."""


class TagLostError(CampaignError):
    """The server did not keep the tag in the batch call's name, so the campaign could not be found again."""


class AgentNotReadyError(CampaignError):
    """The agent does not exist, is not active, or has no number to call from; nothing was uploaded."""


class NotPausedError(CampaignError):
    """A campaign that should be paused goes on, because the server does not let us pause it."""


class WrongStateError(CampaignError):
    """The batch call is in a state in which what was asked for is impossible, or would mean something else."""


class LaunchInterruptedError(CampaignError):
    """The launch was told to stop (the task was killed); what exists on the server dials nobody."""

    retryable = True


class UnsettledError(CampaignError):
    """The server's answers contradicted each other for too long; nothing was started blindly."""

    retryable = True


class CallOutcomeUnknownError(CampaignError):
    """A call may or may not have been placed and the server's list does not tell. Nothing was sent again."""


class CallNotLookedUpError(CallOutcomeUnknownError):
    """
    As above, because the server could not be asked; the next try asks again.

    :param retry_after: seconds until the server answers again; ``None`` where it did not say.
    """

    retryable = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CallTimeoutError(CampaignError):
    """The call took longer than the task may wait; the next try waits on, without calling again."""

    retryable = True
