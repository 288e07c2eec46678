"""What can go wrong with a list of contacts. No message holds a phone number, a name or an e-mail address."""

from __future__ import annotations

from typing import ClassVar


class ContactsError(Exception):
    """Parent of every error of this package."""

    #: Whether trying again later, unchanged, can help.
    retryable: ClassVar[bool] = False


class MissingRegionError(ContactsError, ValueError):
    """Nobody said in which region numbers without a ``+`` are read."""

    def __init__(self) -> None:
        super().__init__(
            "Say in which region numbers without a + are read, there is no default: "
            'region="US" (an ISO 3166 code), region=RegionColumn("country") (a column that holds such codes) '
            "or region=None (only numbers that start with + are taken)."
        )


class UnknownRegionError(ContactsError, ValueError):
    """The stated region is not an ISO 3166 code that has phone numbers."""


class MissingColumnError(ContactsError, ValueError):
    """The mapping names a column which the rows do not have."""


class TooManyRejectedError(ContactsError):
    """More rows were refused than ``max_rejected`` allows. The files were written before this was raised."""


class DuplicateContactError(ContactsError, ValueError):
    """A number stands twice where it may stand once."""


class StaleSuppressionError(ContactsError):
    """A do-not-call list is older than its stated greatest age, or its age is not known."""

    retryable: ClassVar[bool] = True


class UnreadableSuppressionError(ContactsError):
    """A do-not-call list holds entries that cannot be read, so somebody on it might be called."""


class EmptySuppressionError(ContactsError):
    """A do-not-call list gave no entry that can be used, so everybody on it would be called."""

    retryable: ClassVar[bool] = True


class TooManySplitsError(ContactsError):
    """The column to split by holds more values than allowed."""


class ManifestError(ContactsError, ValueError):
    """This is no manifest of a contacts file, or one of a version this package does not know."""


class ContactsFileError(ContactsError):
    """
    A contacts file is not what its manifest says (changed, cut short), or holds no proper contacts.
    """
