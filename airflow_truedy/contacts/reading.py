"""Contacts files read back: first checked against their manifest, then line by line."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_truedy.contacts.errors import ContactsFileError
from airflow_truedy.contacts.manifest import Manifest
from airflow_truedy.contacts.wire import Contact, contact_of
from airflow_truedy.files.paths import Opener, open_binary, open_local

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BLOCK = 1 << 20


def verify(manifest: Manifest, path: Any) -> None:
    """
    Check that a contacts file is, byte by byte, the one its manifest describes.

    :param manifest: the manifest.
    :param path: the file.
    :raises ContactsFileError: it is gone, cut short, or another.
    """
    digest, size = hashlib.sha256(), 0
    with closing(open_binary(path)) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    if size != manifest.size:
        kind = "cut short" if size < manifest.size else "changed"
        raise ContactsFileError(
            f"The contacts file {path} was {kind}: it has {size} bytes, its manifest says {manifest.size}"
        )
    if digest.hexdigest() != manifest.sha256:
        raise ContactsFileError(f"The contacts file {path} was changed: its sha256 is not that of its manifest")


def read_contacts(manifest: Manifest | Mapping[str, Any], opener: Opener = open_local) -> Iterator[Contact]:
    """
    Check a contacts file and read it.

    :param manifest: a manifest, or its ``dict`` as it comes out of XCom.
    :param opener: makes something to open from the manifest's address: ``ObjectStoragePath`` for object
        stores. Default: files on this machine.
    :raises ManifestError: this is no manifest.
    :raises ContactsFileError: the file is not the one that was written. Raised before the first contact.
    """
    known = manifest if isinstance(manifest, Manifest) else Manifest.from_dict(manifest)
    path = opener(known.uri)
    verify(known, path)
    return map(contact_of, read_lines(path))


def read_lines(path: Any) -> Iterator[bytes]:
    """
    The lines of a contacts file, without line ends, not checked against anything.

    :param path: the file.
    :raises ContactsFileError: its gzip data cannot be read to the end.
    """
    with closing(open_binary(path)) as stream, gzip.GzipFile(fileobj=stream, mode="rb") as lines:
        try:
            for line in lines:
                yield line.rstrip(b"\n")
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise ContactsFileError(f"The contacts file {path} is damaged or cut short") from None
