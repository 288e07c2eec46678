"""
The logical campaign's key, the tag in its name, and the look through the server's list for batch calls that carry it.

Imported while a Dag is parsed: no model of the API is loaded here.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.api.request import ListRequest


class _Created(Protocol):
    @property
    def created_at(self) -> datetime | None: ...


T = TypeVar("T", bound=_Created)

_NAMESPACE = uuid.UUID("6f1d2c1e-5b0a-5c7e-9a51-7b2f5c1c8d33")
_KEY_DIGITS = 12
_PAYLOAD_DIGITS = 8
_LONGEST_NAME = 255
_LEAST_ROWS_OF_AN_ORDER = 20
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
    Return the key of one task instance's campaign, whichever try runs it.

    :param place: the map index; of parts of a split list the list and the part, because map indexes move.
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
    """

    text: str
    word: str = DEFAULT_WORD

    def _own_tag(self, name: str | None) -> re.Match[str] | None:
        tag = _last_tag(name)
        return tag if tag and (tag["word"], tag["key"]) == (self.word, self.short) else None

    @cached_property
    def short(self) -> str:
        """The key's digest, as the tag has it."""
        return digest(self.text, _KEY_DIGITS)

    def idempotency_key(self, body: bytes, generation: int) -> str:
        """
        Return the ``X-Idempotency-Key`` of a create.

        The body is part of it, so that bytes sent again under one key are the same bytes. The generation counts
        drafts of this campaign that were thrown away: the server would replay the answer about a deleted one.
        """
        return str(uuid.uuid5(_NAMESPACE, f"{self.text}\n{generation}\n{digest(body)}"))

    def tagged(self, name: str, fingerprint: str, limit: int = _LONGEST_NAME) -> str:
        """Return ``name`` with the tag, shortened where both do not fit into ``limit`` characters."""
        tag = f" [{self.word} {self.short}-{fingerprint[:_PAYLOAD_DIGITS]}]"
        # Room for the pause marker is kept, so that setting it never changes the rest of the name.
        room = limit - len(tag) - len(_PAUSE_MARKER)
        return f"{_shortened(name, max(room, 1))}{tag}"

    def with_pause_marker(self, tagged_name: str) -> str:
        """
        Return a batch call's name with the pause marker; without our tag, unchanged.

        The marker comes behind the tag: a server that cuts names cuts the marker, never the tag.
        """
        # One that is to be resumed is not held: a hold that a person undid may have left its marker.
        name = without_markers(tagged_name)
        found = self._own_tag(name)
        return name[: found.end()] + _PAUSE_MARKER + name[found.end() :] if found else tagged_name

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

    The marker comes between the tag and a pause marker, so that a killed task's next try does not take the pause for
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


@dataclass(frozen=True)
class Matches:
    """
    The batch calls that carry one campaign's tag, oldest first in each group.

    More than one is rare: a server that ignored the idempotency key, or a zombie worker and its successor.

    :param started: those that may call or may have called somebody, and did not end badly.
    :param drafts: those that dial nobody.
    :param ended: failed and cancelled ones.
    :param duplicates: those with the same payload under another key.
    """

    started: tuple[BatchCall, ...]
    drafts: tuple[BatchCall, ...]
    ended: tuple[BatchCall, ...]
    duplicates: tuple[BatchCall, ...] = ()

    @property
    def chosen(self) -> BatchCall | None:
        """The one that everybody who looks agrees on: started before drafts, older before younger."""
        return next(iter(self.started + self.drafts), None)

    def beside(self, earlier: Matches) -> Matches:
        """Return these and those of an earlier look that went further back; where both saw one, as it is here."""
        ours = {batch.id: batch for batch in (*earlier.ended, *self.started, *self.drafts, *self.ended)}
        duplicates = {batch.id: batch for batch in (*earlier.duplicates, *self.duplicates)}
        return _sorted(ours.values(), duplicates.values())

    def since(self, moment: datetime) -> datetime | None:
        """Return ``moment``, or when the oldest of them was made if that is earlier; ``None`` if one does not tell."""
        made = [batch.created_at for batch in (*self.started, *self.drafts, *self.ended, *self.duplicates)]
        return min((moment, *(at for at in made if at)), default=None) if None not in made else None


def find(
    client: TruedyClient, key: CampaignKey, *, since: datetime | None = None, fingerprint: str | None = None
) -> Matches:
    """
    Look through the batch calls of the organisation, one request per 100, for those with the campaign's tag.

    Not filtered by agent, although the API can: a campaign whose agent was changed must be found too.

    :param since: nothing that was made earlier is looked for. Default: all are.
    :param fingerprint: look for batch calls with this payload under other keys as well.
    """
    from airflow_truedy.api import endpoints

    ours, duplicates = [], []
    for batch in newest_since(client, endpoints.list_batch_calls(), since):
        if key.tag_in(batch.name):
            ours.append(batch)
        elif fingerprint and is_payload_of_another(batch.name, key, fingerprint):
            duplicates.append(batch)
    return _sorted(ours, duplicates)


def newest_since(client: TruedyClient, rows: ListRequest[T], since: datetime | None) -> Iterator[T]:
    """
    Yield the rows of a list, as far back as ``since`` where the list is sorted by age with the newest first.

    Whole pages are yielded, so a few rows may be older.
    """
    order = NewestFirst(since)
    for page in client.iter_pages(rows):
        yield from page.items
        if order.is_read_with(page.items):
            return


class NewestFirst:
    """
    Tells when a list that comes page by page has been read back to a moment; ``None`` means to its end.

    The order of lists is not documented, so it is watched: one in another order, or without times, is read to its end.
    """

    def __init__(self, since: datetime | None) -> None:
        self._since = since
        self._is_sorted = since is not None
        self._rows = 0
        self._youngest: datetime | None = None
        self._last: datetime | None = None

    def is_read_with(self, rows: Iterable[_Created]) -> bool:
        """Take the next page and return whether what was looked for is on it or was before it."""
        for row in rows:
            at = row.created_at
            self._rows += 1
            self._is_sorted = self._is_sorted and at is not None and (self._last is None or at <= self._last)
            self._youngest, self._last = self._youngest or at, at
        # Some rows and one difference at least: a few, or those of one moment, show no order.
        youngest, last = self._youngest, self._last
        shows_order = self._rows >= _LEAST_ROWS_OF_AN_ORDER and youngest and last and last < youngest
        return bool(self._is_sorted and self._since and last and shows_order and last < self._since)


def _sorted(batches: Iterable[BatchCall], duplicates: Iterable[BatchCall]) -> Matches:
    started: list[BatchCall] = []
    drafts: list[BatchCall] = []
    ended: list[BatchCall] = []
    for batch in sorted(batches, key=age):
        state = State.of(batch.status)
        group = ended if state.ended_badly else started if state.may_have_called else drafts
        group.append(batch)
    return Matches(tuple(started), tuple(drafts), tuple(ended), tuple(sorted(duplicates, key=age)))


def age(batch: BatchCall) -> tuple[float, str]:
    """Return by what batch calls are sorted from the oldest to the youngest."""
    # Without a creation time (older answers) the id alone decides; all that matters is that all decide alike.
    return (batch.created_at.timestamp() if batch.created_at else 0.0, batch.id)
