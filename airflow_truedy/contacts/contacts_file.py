"""
The contacts file: one contact on each line, gzip, and the manifest that describes it.

A line is the contact as the API takes it, JSON in UTF-8, followed by the customer's own key and the recorded consent,
if any; neither is ever sent. The same contacts give the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from airflow_truedy.contacts.errors import ContactsFileError, ManifestError
from airflow_truedy.files.paths import digest_of, open_binary
from airflow_truedy.files.writer import StagedFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: A contact as the API takes it.
Contact = dict[str, Any]

ENDING = ".jsonl.gz"
KIND = "truedy.contacts"
VERSION = 1
FORMAT = "jsonl+gzip"
_LINES_AT_ONCE = 1_000
_KEY = b',"contact_key":'
#: Behind the key. No field of a contact but ``custom_fields`` holds an object.
_CONSENT = b',"consent":{'
#: At the end of the line; a custom field of this name ends two brackets before it.
_find_key = re.compile(rb',"contact_key":("(?:[^"\\]|\\.)*")\}$').search
#: Level 1 costs a fifth of the default and makes files about a tenth larger.
_COMPRESSION = 1


def line_of(contact: Mapping[str, Any], contact_key: str = "") -> bytes:
    """
    Return a contact as a line, without its end.

    :param contact: see the keys in :mod:`airflow_truedy.contacts`.
    :param contact_key: the customer's own key, which comes last on the line and is never sent. Default: none.
    :raises ValueError: a text that cannot be written as UTF-8, or holds a NUL character, which no database keeps.
    """
    line = to_json(contact)
    if "\0" in contact_key or (b"\\u0000" in line and _holds_nul(contact)):
        raise ValueError("a text holds a NUL character")
    return line[:-1] + _KEY + to_json(contact_key) + b"}" if contact_key else line


def _holds_nul(contact: Mapping[str, Any]) -> bool:
    custom = contact.get("custom_fields", {})
    return any("\0" in str(text) for text in (*contact.values(), *custom, *custom.values()))


def with_consent(line: bytes, consent: bytes) -> bytes:
    """
    Return the line of a contact with the consent that is relied on.

    :param consent: a JSON object without objects in it.
    """
    return line[:-1] + _CONSENT + consent[1:] + b"}"


def split_line(line: bytes) -> tuple[bytes, str]:
    """Return the line of a contact as it is sent, and the customer's own key; empty if there is none."""
    at = line.rfind(_CONSENT)
    if at >= 0:
        line = line[:at] + b"}"
    found = _find_key(line) if _KEY in line else None
    return (line[: found.start()] + b"}", from_json(found[1])) if found else (line, "")


@dataclass(frozen=True)
class Manifest:
    """
    What a contacts file holds, who made it and how to know that it is still the same. It goes into XCom, so it holds
    nothing of a person.

    :param uri: where the contacts file is.
    :param rejects_uri: where the file of rows that were rejected is.
    :param rows_read: rows taken from the source.
    :param contacts: rows that became contacts.
    :param duplicates: rows dropped because another row has their number.
    :param suppressed: rows dropped because their number is on a do-not-call list.
    :param rejected: rows refused; ``rejected_by_reason`` says why, by the codes of :class:`Reason`.
        ``contacts + duplicates + suppressed + rejected`` is ``rows_read``.
    :param sha256: of the bytes of the contacts file; ``size`` is their number.
    :param fingerprint: sha256 of the contacts as they are sent, whatever the compression and their keys.
    :param region: in which region numbers without ``+`` were read.
    :param source: what the rows were read from, without secrets.
    :param created_at: ISO 8601, UTC: taken before the do-not-call lists are read, so the check is never older than it.
    :param made_by: Dag, task and run that made the file, as the caller named them.
    :param split: column and value when the file is one part of a split list.
    :param calling_hours: when its people may be called:
        :class:`~airflow_truedy.calling_hours.part_hours.PartHours` as plain values, which ``PartHours.from_dict``
        reads. ``None``: nobody asked for it.
    :param consent: the columns of consent, and the digest of what was relied on. ``None``: nobody asked for it.
    """

    uri: str
    rejects_uri: str
    rows_read: int
    contacts: int
    duplicates: int
    suppressed: int
    rejected: int
    sha256: str
    size: int
    fingerprint: str
    region: Mapping[str, str]
    source: str
    created_at: str
    rejected_by_reason: Mapping[str, int] = field(default_factory=dict)
    made_by: Mapping[str, Any] = field(default_factory=dict)
    split: Mapping[str, str] | None = None
    calling_hours: Mapping[str, Any] | None = None
    consent: Mapping[str, Any] | None = None
    format: str = FORMAT
    kind: str = KIND
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.contacts + self.duplicates + self.suppressed + self.rejected != self.rows_read:
            raise ManifestError("contacts + duplicates + suppressed + rejected is not rows_read")

    @property
    def part(self) -> list[Any] | None:
        """
        Return which part of which list of a run this is, the same whenever the list is made again in that run.

        ``None`` if the list is whole. A follow-up is, although it has the hours of a part: no task made it by them.
        """
        hours = (self.calling_hours if self.made_by.get("run_id") else None) or {}
        if self.split is None and not hours:
            return None
        named = [hours.get(name) for name in ("timezone", "start_time", "end_time", "working_days")]
        return [*map(self.made_by.get, ("task_id", "map_index")), self.split and self.split["value"], *named]

    @property
    def how_to_make_again(self) -> str:
        """Say what to do when its file is gone or is not the one that was written."""
        made_by = self.made_by
        maker = (
            f"task {made_by['task_id']!r} of run {made_by.get('run_id')!r}" if made_by.get("task_id") else "its maker"
        )
        return f"Run {maker} again (clear it with its downstream tasks), which makes the list anew."

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for XCom."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Manifest:
        """
        Read a manifest back.

        :param value: what :meth:`to_dict` gave; keys of later versions are ignored.
        :raises ManifestError: something else, or of a version that cannot be read.
        """
        if not isinstance(value, Mapping) or value.get("kind") != KIND:
            raise ManifestError(f'This is not the manifest of a contacts file: its "kind" is not "{KIND}"')
        if value.get("version") != VERSION or value.get("format") != FORMAT:
            raise ManifestError(
                f"This manifest has version {value.get('version')!r} and format {value.get('format')!r}; "
                f"this package reads version {VERSION} and format {FORMAT!r}"
            )
        try:
            manifest = cls(**{item.name: value[item.name] for item in fields(cls) if item.name in value})
        except TypeError as error:
            raise ManifestError(f"This manifest is not complete: {error}") from None
        counts = (manifest.rows_read, manifest.contacts, manifest.size)
        if not all(isinstance(count, int) for count in counts) or not isinstance(manifest.uri, str):
            raise ManifestError("This manifest holds a count that is not a number, or an address that is not text")
        return manifest

    def check(self, path: Any) -> None:
        """
        Check that a file is, byte by byte, the one that this manifest describes.

        :raises MissingFileError: it is gone.
        :raises ContactsFileError: it is cut short, or another.
        """
        found = digest_of(path)
        if found.size != self.size:
            kind = "cut short" if found.size < self.size else "changed"
            raise ContactsFileError(
                f"The contacts file {path} was {kind}: it has {found.size} bytes, its manifest says {self.size}"
            )
        if found.sha256 != self.sha256:
            raise ContactsFileError(f"The contacts file {path} was changed: its sha256 is not that of its manifest")


class ContactsFile:
    """
    A contacts file in the making.

    :param staged: the local file to make.
    :ivar count: contacts in it; ``sha256``, ``size``, ``fingerprint`` and ``consents`` are known once it is closed.
    :ivar consents: sha256 of the contacts with the consent that each relies on: their lines without the own keys.
    """

    def __init__(self, staged: Path) -> None:
        self.staged = staged
        self._file = StagedFile(staged, _COMPRESSION)
        self._content, self._consents = hashlib.sha256(), hashlib.sha256()
        self._lines: list[bytes] = []
        self.count = 0

    def add(self, line: bytes) -> None:
        """Add a contact, as one line without its end."""
        self._lines.append(line)
        if len(self._lines) >= _LINES_AT_ONCE:
            self._write()

    def close(self) -> None:
        """Finish the file."""
        self._write()
        self._file.close()
        self.sha256, self.size = self._file.sha256, self._file.size
        self.fingerprint, self.consents = self._content.hexdigest(), self._consents.hexdigest()

    def _write(self) -> None:
        if self._lines:
            block = b"\n".join(self._lines) + b"\n"
            sent = self._lines
            if _KEY in block or _CONSENT in block:
                sent = [split_line(line)[0] for line in self._lines]
            if _CONSENT in block:
                pairs = zip(sent, self._lines, strict=True)
                self._consents.update(
                    b"".join(bare[:-1] + line[line.rfind(_CONSENT) :] + b"\n" for bare, line in pairs)
                )
            self._content.update(b"\n".join(sent) + b"\n")
            self._file.write(block)
            self.count += len(self._lines)
            self._lines = []


def read_lines(path: Any) -> Iterator[bytes]:
    """
    Yield the lines of a contacts file, without their ends, not checked against anything.

    :raises ContactsFileError: its gzip data cannot be read to the end.
    """
    with closing(open_binary(path)) as stream, gzip.GzipFile(fileobj=stream, mode="rb") as lines:
        try:
            for line in lines:
                yield line.rstrip(b"\n")
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise ContactsFileError(f"The contacts file {path} is damaged or cut short") from None
