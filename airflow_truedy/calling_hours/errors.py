"""
What can go wrong with calling hours. No message holds a phone number or an address.

::

    CallingHoursError
    ├── RulesError            a rule, a set of rules or a policy that cannot be used
    ├── StaleRulesError       the rules were looked up too long ago
    ├── UnknownZoneError      not the zone of a place
    └── MissingLibraryError   a library of the extra [calling-hours] is not installed
"""

from __future__ import annotations

from typing import ClassVar


class CallingHoursError(Exception):
    """Parent of every error of calling hours."""

    #: Whether trying again later, unchanged, can help.
    retryable: ClassVar[bool] = False


class RulesError(CallingHoursError, ValueError):
    """A rule, a set of rules or a policy cannot be used; the message names the record, the field and the value."""


class StaleRulesError(CallingHoursError):
    """The rules were looked up longer ago than the policy allows."""


class UnknownZoneError(CallingHoursError, ValueError):
    """This is not the IANA zone of a place."""


class MissingLibraryError(CallingHoursError):
    """A library is not installed that this policy needs."""
