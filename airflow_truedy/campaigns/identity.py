"""The logical campaign's key, and the tag in its name by which a lost batch call is found again."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

_NAMESPACE = uuid.UUID("6f1d2c1e-5b0a-5c7e-9a51-7b2f5c1c8d33")
_KEY_DIGITS = 12
_PAYLOAD_DIGITS = 8
_LONGEST_NAME = 255
_PAUSE_MARKER = " paused by Airflow"
_HOLD_MARKER = " held by Airflow ({words})"
_HOLD = re.compile(r" held by Airflow \((?P<words>[^()]*)\)")
DEFAULT_WORD = "airflow"
_TAG = re.compile(
    rf"\[(?P<word>[^\s\[\]]+) (?P<key>[0-9a-f]{{{_KEY_DIGITS}}})-"
    rf"(?P<payload>[0-9a-f]{{{_PAYLOAD_DIGITS}}})\](?P<marker>{_PAUSE_MARKER})?"
)


def default_key(dag_id: str, task_id: str, run_id: str, place: Any) -> str:
    """
    Return the key of the campaign that one task instance stands for, whichever try runs it.

    :param place: what tells the instances of a mapped task apart: the map index, or of parts of a split list the list
        and the part, because map indexes move when parts come and go.
    """
    # JSON, because the parts may hold any separator.
    return json.dumps([dag_id, task_id, run_id, place])


def digest(text: str | bytes, digits: int = 64) -> str:
    """Return the first ``digits`` hexadecimal digits of the SHA-256 of ``text``."""
    data = text.encode() if isinstance(text, str) else text
    return hashlib.sha256(data).hexdigest()[:digits]


@dataclass(frozen=True)
class CampaignKey:
    """
    Identity of a logical campaign.

    The batch call's name ends in a tag such as ``[airflow 3f9a1c2b7d10-9c2e41aa]``: the key's digest and the
    payload's. It is all that survives when both the worker and the answer are lost, so it cannot be turned off.

    :param text: the key as stated; equal keys are one campaign.
    :param word: first word of the tag.
    :param run: Dag and run of a key that nobody stated; parts of one run are approved together.
    """

    text: str
    word: str = DEFAULT_WORD
    run: tuple[str, str] | None = field(default=None, compare=False)

    def _own_tag(self, name: str | None) -> re.Match[str] | None:
        tag = _last_tag(name)
        return tag if tag and (tag["word"], tag["key"]) == (self.word, self.short) else None

    @cached_property
    def short(self) -> str:
        """The key's digest as it stands in the tag."""
        return digest(self.text, _KEY_DIGITS)

    def idempotency_key(self, body: bytes, generation: int) -> str:
        """
        Return the ``X-Idempotency-Key`` of a create.

        The body is part of it, so that bytes sent again under one key are the same bytes. The generation counts
        drafts of this campaign that were thrown away: the server would replay the answer about a deleted one.
        """
        return str(uuid.uuid5(_NAMESPACE, f"{self.text}\n{generation}\n{digest(body)}"))

    def tagged(self, name: str, fingerprint: str, limit: int = _LONGEST_NAME) -> str:
        """
        Return ``name`` with the tag, shortened where both do not fit.

        :param limit: how many characters the server keeps of a name.
        """
        tag = f" [{self.word} {self.short}-{fingerprint[:_PAYLOAD_DIGITS]}]"
        # Room for the pause marker is kept, so that setting it never changes the rest of the name.
        room = limit - len(tag) - len(_PAUSE_MARKER)
        return f"{_shortened(name, max(room, 1))}{tag}"

    def with_pause_marker(self, tagged_name: str, *, paused_by_us: bool) -> str:
        """
        Return a batch call's name with the pause marker set or taken away; without our tag, unchanged.

        The marker stands behind the tag: a server that cuts names cuts the marker, never the tag.
        """
        # One that is to be resumed is not held: a hold that a person undid may have left its marker.
        tagged_name = with_holds(tagged_name, ()) if paused_by_us else tagged_name
        found = self._own_tag(tagged_name)
        if found is None:
            return tagged_name
        end = found.end("payload") + 1
        return tagged_name[:end] + (_PAUSE_MARKER if paused_by_us else "") + tagged_name[found.end() :]

    def tag_in(self, name: str | None) -> Tag | None:
        """Return this key's tag in a batch call's name, or ``None`` if the name carries none of ours."""
        found = self._own_tag(name)
        return Tag(payload=found["payload"], paused_by_us=bool(found["marker"])) if found else None


def _last_tag(name: str | None) -> re.Match[str] | None:
    # Only the last one counts: a batch call's name may have been passed on as the name of the next campaign.
    return next(reversed(list(_TAG.finditer(name or ""))), None)


def renamed(old_name: str | None, name: str, limit: int = _LONGEST_NAME) -> str:
    """Return ``name`` with the tag of the old name: without it, the task that launched the campaign would lose it."""
    found = _last_tag(old_name)
    if found is None or name.endswith(found[0]):
        return name
    room = limit - len(found[0]) - len(_PAUSE_MARKER) - 1
    return f"{_shortened(name, max(room, 1))} {found[0]}"


def has_same_tag(one: str | None, other: str | None) -> bool:
    """Whether two names carry the same campaign's tag, or neither carries one."""
    first, second = _last_tag(one), _last_tag(other)
    if first is None or second is None:
        return first is second
    return (first["word"], first["key"], first["payload"]) == (second["word"], second["key"], second["payload"])


def is_payload_of_another(name: str | None, key: CampaignKey, fingerprint: str) -> bool:
    """Whether a batch call's name tells the same payload under another key."""
    found = _last_tag(name)
    return found is not None and found["key"] != key.short and found["payload"] == fingerprint[:_PAYLOAD_DIGITS]


def cut_at(sent: str, stored: str) -> int | None:
    """Return at how many characters a server cuts names, told by one that was stored; ``None`` if it did not cut."""
    return len(stored) if len(stored) < len(sent) and sent.startswith(stored) else None


def bare_name(name: str | None) -> str:
    """Return a batch call's name as its author wrote it: without tag and markers."""
    plain = without_markers(name or "")
    found = _last_tag(plain)
    return plain[: found.start()].rstrip() if found else plain


def is_named(batch_name: str | None, pattern: str) -> bool:
    """Whether a batch call has a name, without tag and markers. In the pattern only ``*`` and ``?`` are special."""
    return fnmatchcase(bare_name(batch_name), pattern.replace("[", "[[]"))


def tag_of(name: str | None) -> tuple[str, str] | None:
    """Return word and key of the tag in a batch call's name; ``None`` if Airflow did not launch it."""
    found = _last_tag(name)
    return (found["word"], found["key"]) if found else None


def holds_in(name: str | None) -> tuple[str, ...]:
    """Return the holds that keep a paused batch call from going on, by the words of its hold marker."""
    found = _hold_marker(name or "")
    return tuple(found["words"].split(", ")) if found else ()


def with_holds(name: str, words: Collection[str]) -> str:
    """
    Return a batch call's name with the hold marker for these holds; for none, without it.

    The marker stands between the tag and a pause marker, so that a killed task's next try does not take the pause for
    its own. Where all of it does not fit, the author's part of the name is shortened.
    """
    if found := _hold_marker(name):
        name = name[: found.start()] + name[found.end() :]
    if not words:
        return name
    tag = _last_tag(name)
    start, end = (tag.start(), tag.end("payload") + 1) if tag else (len(name), len(name))
    # The space before the tag is not the author's.
    start -= tag is not None and name[:start].endswith(" ")
    behind = name[start:end] + _HOLD_MARKER.format(words=", ".join(words)) + name[end:]
    return _shortened(name[:start], max(_LONGEST_NAME - len(behind), 1)) + behind


def _hold_marker(name: str) -> re.Match[str] | None:
    """Find the hold marker: right behind the tag or, of a batch call that Airflow did not launch, at the end."""
    tag = _last_tag(name)
    if tag is not None:
        return _HOLD.match(name, tag.end("payload") + 1)
    return next((each for each in _HOLD.finditer(name) if each.end() == len(name)), None)


def without_markers(name: str) -> str:
    """Return a batch call's name without pause and hold marker, whichever campaign's tag it has."""
    name = with_holds(name, ())
    found = _last_tag(name)
    if found is None or not found["marker"]:
        return name
    return name[: found.start("marker")] + name[found.end("marker") :]


def _shortened(name: str, room: int) -> str:
    return name if len(name) <= room else name[: room - 1] + "…"


@dataclass(frozen=True)
class Tag:
    """What a batch call's name tells: the payload it was made from, and whether we paused it ourselves."""

    payload: str
    paused_by_us: bool
