"""
What can go wrong with a list of contacts. No message holds a phone number, a name or an e-mail address.

ContactsError
├── UnknownRegionError           the stated region is not an ISO 3166 code that has phone numbers
├── MissingColumnError           a column or field that is named does not exist
├── TooManyRejectedError         more rows were refused than max_rejected allows
├── EmptyListError               no row became a contact, and on_empty says that this is an error
├── DuplicateContactError        a number occurs twice where it may occur once
├── SharedContactsError          somebody is in the campaign of another part of a split list; a retry leaves them out
├── TooManySplitsError           the column to split by holds more values than allowed
├── StaleSuppressionError        a do-not-call list is too old; a retry may find a newer one
├── EmptySuppressionError        a do-not-call list holds nobody; a retry may find it loaded
├── UnreadableSuppressionError   a do-not-call list holds entries that cannot be read
├── ManifestError                not a manifest, or one of another version
└── ContactsFileError            not the file that its manifest describes, or without proper contacts
"""

from __future__ import annotations

from typing import ClassVar


class ContactsError(Exception):
    """Parent of every error about a list of contacts."""

    #: Whether trying again later, unchanged, can help.
    retryable: ClassVar[bool] = False


class UnknownRegionError(ContactsError, ValueError):
    """The stated region is not an ISO 3166 code that has phone numbers."""


class MissingColumnError(ContactsError, ValueError):
    """The mapping names a column which the rows do not have."""


class TooManyRejectedError(ContactsError):
    """More rows were refused than ``max_rejected`` allows. The files have been written."""


class EmptyListError(ContactsError):
    """No row became a contact. The files have been written."""


class DuplicateContactError(ContactsError, ValueError):
    """A number occurs twice where it may occur once."""


class SharedContactsError(ContactsError):
    """A person is already in the campaign of another part of the same split list; nothing was sent."""

    retryable: ClassVar[bool] = True


class StaleSuppressionError(ContactsError):
    """A do-not-call list is older than its ``max_age``, or its age is unknown."""

    retryable: ClassVar[bool] = True


class UnreadableSuppressionError(ContactsError):
    """A do-not-call list holds entries that cannot be read, so somebody on it might be called."""


class EmptySuppressionError(ContactsError):
    """A do-not-call list has no usable entry, so everybody on it would be called."""

    retryable: ClassVar[bool] = True


class TooManySplitsError(ContactsError):
    """The column to split by holds more values than allowed."""


class ManifestError(ContactsError, ValueError):
    """This is not the manifest of a contacts file, or one of a version this package does not know."""


class ContactsFileError(ContactsError):
    """A contacts file differs from its manifest (changed, cut short), or holds something other than contacts."""
