"""
What a contacts file holds, who made it and how to know that it is still the same: all that goes into XCom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from airflow_truedy.contacts.errors import ManifestError

KIND = "truedy.contacts"
VERSION = 1
FORMAT = "jsonl+gzip"


@dataclass(frozen=True)
class Manifest:
    """
    Describes one contacts file without holding anything of a person.

    :param uri: where the contacts file is.
    :param rejects_uri: where the file of rows that became no contact is.
    :param rows_read: rows taken from the source.
    :param contacts: rows that became contacts.
    :param duplicates: rows dropped because another row has their number.
    :param suppressed: rows dropped because their number is on a do-not-call list.
    :param rejected: rows refused; ``rejected_by_reason`` says why, by the codes of :class:`Reason`.
        ``contacts + duplicates + suppressed + rejected`` is ``rows_read``.
    :param sha256: of the bytes of the contacts file; ``size`` is their number.
    :param fingerprint: sha256 of the contacts themselves, whatever the compression.
    :param region: in which region numbers without ``+`` were read.
    :param source: what the rows were read from, without secrets.
    :param created_at: ISO 8601, UTC.
    :param made_by: Dag, task and run that made the file, as the caller named them.
    :param split: column and value when the file is one part of a split list.
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
    format: str = FORMAT
    kind: str = KIND
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.contacts + self.duplicates + self.suppressed + self.rejected != self.rows_read:
            raise ManifestError("contacts + duplicates + suppressed + rejected is not rows_read")

    @property
    def how_to_make_again(self) -> str:
        """What to do when its file is gone or is not the one that was written."""
        made_by = self.made_by
        maker = (
            f"task {made_by['task_id']!r} of run {made_by.get('run_id')!r}" if made_by.get("task_id") else "its maker"
        )
        return f"Run {maker} again (clear it with its downstream tasks), which makes the list anew."

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, for XCom."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Manifest:
        """
        Read a manifest back.

        :param value: what :meth:`to_dict` gave; keys of later versions are ignored.
        :raises ManifestError: something else, or of a version that cannot be read.
        """
        if not isinstance(value, Mapping) or value.get("kind") != KIND:
            raise ManifestError(f'This is no manifest of a contacts file: its "kind" is not "{KIND}"')
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
            raise ManifestError("This manifest holds a count that is no number, or an address that is no text")
        return manifest
