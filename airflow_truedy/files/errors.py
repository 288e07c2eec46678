"""
What can go wrong with a source of rows. No message holds anything of what is in it.

FileError
├── RowsFileError      a file or query cannot be read, or a file cannot be written
├── MissingFileError   it is not there (yet); a retry may find it
└── QueryError         a database could not be reached or refused; a retry may help
"""

from __future__ import annotations

from typing import ClassVar


class FileError(Exception):
    """Parent of every error about a file or query."""

    #: Whether trying again later, unchanged, can help.
    retryable: ClassVar[bool] = False


class RowsFileError(FileError, ValueError):
    """Rows cannot be read: wrong encoding, no header, cut short, unknown kind, two columns of one name."""


class MissingFileError(FileError):
    """A file is not there (yet)."""

    retryable: ClassVar[bool] = True


class QueryError(FileError):
    """A database could not be reached, or refused a query."""

    retryable: ClassVar[bool] = True
