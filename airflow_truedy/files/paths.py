"""
Files in and out: pathlib paths and anything like them (``airflow.sdk.ObjectStoragePath``), known by their
methods.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from airflow_truedy.files.errors import FileError, MissingFileError

log = logging.getLogger(__name__)

#: From the address in a manifest to something that can be opened, e.g. ``ObjectStoragePath``.
Opener = Callable[[str], Any]
_BLOCK = 1 << 20


def local_path(path: Any) -> Path | None:
    """Return the path as a local one, or ``None`` when it is on an object store."""
    if isinstance(path, str):
        parts = urlsplit(path)
        if parts.scheme in ("", "file"):
            return Path(unquote(parts.path) if parts.scheme else path)
        return None
    # Asked first: with universal-pathlib before 0.3 (Airflow 3.0 and 3.1) a path in an object store is a Path too.
    protocol = getattr(path, "protocol", None)
    if protocol is None:
        return path if isinstance(path, Path) else None
    return Path(path.path) if protocol in ("", "file", "local") else None


def open_local(uri: str) -> Path:
    """
    The opener for files on this machine.

    :param uri: a path or a ``file://`` address.
    :raises FileError: an address of an object store.
    """
    path = local_path(uri)
    if path is None:
        scheme = urlsplit(uri).scheme
        raise FileError(f"A {scheme}:// address needs opener=ObjectStoragePath (from airflow.sdk)")
    return path


def publish(staged: Path, target: Any) -> None:
    """
    Put a finished file where it belongs, whole or not at all.

    It is copied to a name beside the target first, then moved. What is there already is replaced by a whole file or
    left as it is. On a local disk the file gets mode 0600 and folders that are made get 0700: they hold people.

    :param staged: the finished local file.
    :param target: where it goes: a local path, or a path of an object store with ``fs`` and ``path`` as fsspec knows
        them.
    """
    local = local_path(target)
    if local is None:
        _upload(staged, target)
        return
    _make_private_folders(local.parent)
    part = local.with_name(_part_of(local.name))
    try:
        with staged.open("rb") as source, create_private(part) as copy:
            shutil.copyfileobj(source, copy, _BLOCK)
            copy.flush()
            os.fsync(copy.fileno())
        part.replace(local)
    finally:
        part.unlink(missing_ok=True)


def create_private(path: Path) -> IO[bytes]:
    """
    Create a local file that nobody but its owner may read, open for writing.

    :raises FileExistsError: it is there already.
    """
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def _make_private_folders(folder: Path) -> None:
    # With parents=True, mkdir would give its mode to the last one only.
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def _upload(staged: Path, target: Any) -> None:
    # Some stores keep what came until an upload broke, so it goes beside the file that may be there already.
    store: Any = target.fs
    part = target.parent / _part_of(target.name)
    try:
        with staged.open("rb") as source, store.open(part.path, "wb") as copy:
            shutil.copyfileobj(source, copy, _BLOCK)
        # No mv: it takes [ and * in a name for a pattern, and needs the right to delete.
        store.cp_file(part.path, target.path)
    finally:
        remove(part)


def _part_of(name: str) -> str:
    return f".{name}.{uuid.uuid4().hex}.part"


def remove(path: Any) -> None:
    """Remove a file that holds people; where that is forbidden, log that it stays."""
    local = local_path(path)
    try:
        if local is None:
            path.fs.rm_file(path.path)
        else:
            local.unlink()
    except FileNotFoundError:
        pass
    except Exception as problem:
        log.warning("%s could not be removed (%s); it holds people.", path, type(problem).__name__)


def open_binary(path: Any) -> IO[bytes]:
    """
    Open a file for reading, by path or address of this machine.

    :raises MissingFileError: it is not there.
    """
    opened = local_path(path) or (open_local(path) if isinstance(path, str) else path)
    try:
        stream: IO[bytes] = opened.open("rb")
    except FileNotFoundError:
        raise MissingFileError(f"The file {path} is not there") from None
    return stream


class Digest(NamedTuple):
    """What tells whether a file is still the same: its sha256 in hex, and its size in bytes."""

    sha256: str
    size: int


def digest_of(path: Any) -> Digest:
    """
    Read a file to its end for its digest.

    :raises MissingFileError: it is not there.
    """
    digest, size = hashlib.sha256(), 0
    with closing(open_binary(path)) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return Digest(digest.hexdigest(), size)
