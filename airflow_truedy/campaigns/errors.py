"""What can go wrong with a campaign that is not the API's fault; each message says what to do."""

from __future__ import annotations

from typing import ClassVar


class CampaignError(Exception):
    """
    Base of all errors of a campaign's rules.

    ``retryable`` says whether the same task can succeed later without anybody changing anything.
    """

    retryable: ClassVar[bool] = False


class TimingError(CampaignError, ValueError):
    """A start, zone or calling window that is missing, impossible or ambiguous."""


class PastStartError(TimingError):
    """The stated start has passed and ``on_past`` is ``"fail"``."""


class WindowClosedError(TimingError):
    """
    A campaign that we had paused would go on outside its calling window; it stays paused.

    :param retry_after: seconds until the window opens.
    """

    retryable = True

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PayloadChangedError(CampaignError):
    """The campaign of this key exists with another payload (list, agent, window, ...)."""


class CountMismatchError(CampaignError):
    """The server does not hold as many contacts as were sent; the campaign was not started."""


class ReadBackError(CampaignError):
    """The server stored another start or zone than was sent; the campaign was paused, or kept the start it had."""


class CampaignEndedError(CampaignError):
    """The campaign of this key ended badly, and nobody said that a new one may be made."""


class NotHeldError(CampaignError):
    """The server started the campaign before it was complete and does not let us pause it."""


class LaunchInterruptedError(CampaignError):
    """The launch was told to stop (the task was killed); what exists on the server dials nobody."""

    retryable = True


class UnsettledError(CampaignError):
    """The server's answers contradicted each other for too long; nothing was started blindly."""

    retryable = True
