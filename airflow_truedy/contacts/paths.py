"""
Files in and out: pathlib paths and anything like them (``airflow.sdk.ObjectStoragePath``), known by their
methods.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from airflow_truedy.contacts.errors import ContactsFileError, MissingFileError

#: From the address in a manifest to something that can be opened, e.g. ``ObjectStoragePath``.
Opener = Callable[[str], Any]


def local_path(path: Any) -> Path | None:
    """The path as a local one, or ``None`` when it is on an object store."""
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
    :raises ContactsFileError: an address of an object store.
    """
    path = local_path(uri)
    if path is None:
        scheme = urlsplit(uri).scheme
        raise ContactsFileError(f"A {scheme}:// address needs opener=ObjectStoragePath (from airflow.sdk)")
    return path


def publish(spool: Path, target: Any) -> None:
    """
    Put a finished file where it belongs, whole or not at all.

    On a local disk by renaming; on an object store by one upload, which appears when it is complete.

    :param spool: the finished local file.
    :param target: where it goes; what is there is replaced.
    """
    local = local_path(target)
    if local is None:
        _upload(spool, target)
        return
    local.parent.mkdir(parents=True, exist_ok=True)
    part = local.with_name(f".{local.name}.{uuid.uuid4().hex}.part")
    try:
        with spool.open("rb") as source, part.open("xb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        part.replace(local)
    finally:
        part.unlink(missing_ok=True)


def _upload(spool: Path, target: Any) -> None:
    try:
        with spool.open("rb") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    except BaseException:
        # Some stores keep what came until the break; a manifest is never made for it, but it need not lie
        # there.
        _try_to_remove(target)
        raise


def _try_to_remove(target: Any) -> None:
    try:
        target.unlink(missing_ok=True)
    except Exception:  # noqa: S110 - the first error is the one to show
        pass


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


def sibling(path: Any, name: str) -> Any:
    """Another file in the same folder."""
    return path.parent / name
