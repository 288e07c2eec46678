"""
What can go wrong with a file. No message holds anything of what is in it.

FileError
├── RowsFileError      a file of rows cannot be read
└── MissingFileError   it is not there (yet); a retry may find it
"""

from __future__ import annotations

from typing import ClassVar


class FileError(Exception):
    """Parent of every error about a file."""

    #: Whether trying again later, unchanged, can help.
    retryable: ClassVar[bool] = False


class RowsFileError(FileError, ValueError):
    """A file of rows cannot be read: wrong encoding, no header, cut short, unknown kind."""


class MissingFileError(FileError):
    """A file is not there (yet)."""

    retryable: ClassVar[bool] = True
