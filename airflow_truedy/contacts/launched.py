"""
Remember who is in the campaigns of a split list: a file beside the contacts files for each campaign of a part.

A cleared run reads its rows again, and a person may then be in another part. Whoever is in a campaign stays there and
is left out of the campaigns of all other parts. Each part writes its file before its campaign is made and then reads
the others, so of two that do so at once at least one sees the other. This needs neither a store nor the server.
"""

from __future__ import annotations

import json
import logging
import tempfile
import uuid
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_truedy.contacts.contacts_file import ENDING, read_lines
from airflow_truedy.contacts.errors import ContactsFileError, SharedContactsError
from airflow_truedy.contacts.lists import LeftOut
from airflow_truedy.contacts.number_set import NumberSet
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.files.paths import publish, remove
from airflow_truedy.files.writer import StagedFile, write_rows
from airflow_truedy.masking import mask_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_truedy.contacts.lists import ContactList

log = logging.getLogger(__name__)

_LIST = ("dag_id", "run_id", "task_id", "map_index")
_FIELDS = ("first_name", "last_name", "email", "custom_fields")
_COLUMNS = ("position", "reason", "masked_number", "contact_key", *_FIELDS)


def is_part(contacts: ContactList | None) -> bool:
    """Whether these contacts are a part of a list that a run made."""
    manifest = contacts and contacts.manifest
    return bool(manifest and manifest.part is not None and manifest.made_by.get("run_id"))


def without_launched(contacts: ContactList | None) -> ContactList | None:
    """
    Return the contacts but for those in the campaign of another part of their list, if they are a part of one. Who is
    left out is written to a file beside the contacts file, which the list that is returned names.
    """
    if contacts is None or not is_part(contacts):
        return contacts
    others = _in_other_parts(contacts)
    if not len(others):
        return contacts
    left = contacts.without(others.__contains__)
    count = contacts.count - left.count
    if not count:
        return contacts
    stem = contacts.path.name.removesuffix(ENDING)
    told = _digest([_prefix(contacts), contacts.manifest.part, left.fingerprint])  # type: ignore[union-attr]
    to = contacts.path.parent / f"{stem}.left-out-{told}.csv"
    write_rows(_left_out(contacts, others), to, columns=_COLUMNS)
    log.warning(
        "%d of %d people changed parts of the list and are, or may be, in the campaign of another part; left out here, "
        "see %s",
        count,
        contacts.count,
        to,
    )
    left.left_out = LeftOut(count, str(to))
    return left


def _left_out(contacts: ContactList, others: NumberSet) -> Iterator[dict[str, Any]]:
    for position, (contact, key) in enumerate(contacts.entries(), 1):
        number = contact["phone_number"]
        if int(number[1:]) in others:
            told = {"reason": Reason.IN_ANOTHER_PART.value, "masked_number": mask_number(number), "contact_key": key}
            yield {"position": position, **told, **{name: contact.get(name) for name in _FIELDS}}


class Claim:
    """
    The people of a campaign that is about to be made, where it is one of a part: no other part may have them.

    :param contacts: of the campaign.
    """

    def __init__(self, contacts: ContactList | None) -> None:
        self._contacts = contacts if is_part(contacts) else None
        self._creates = 0
        if contacts and self._contacts:
            # Of its own for each attempt, so that giving one up takes nothing from an earlier one or another worker.
            self._file = contacts.path.parent / f"{_prefix(contacts)}{uuid.uuid4().hex}.gz"

    def make(self) -> None:
        """
        Write down who is in the campaign, before each create request.

        :raises SharedContactsError: if somebody is in the campaign of another part, which was made meanwhile.
        """
        contacts = self._contacts
        if contacts is None:
            return
        self._creates += 1
        if self._creates == 1:
            self._write(contacts)
        others = _in_other_parts(contacts, must_show=self._file.name)
        shared = sum(int(person["phone_number"][1:]) in others for person in contacts) if len(others) else 0
        if shared:
            if self.may_be_given_up:
                remove(self._file)
            manifest: Any = contacts.manifest
            raise SharedContactsError(
                f"{shared} of {contacts.count} people of a part of the list of task {manifest.made_by.get('task_id')!r}"
                " are in the campaign of another part, which was made meanwhile. Nothing was sent. The next try leaves "
                "them out."
            )

    @property
    def may_be_given_up(self) -> bool:
        """Whether it belongs to one create alone: of several, an earlier one may have taken effect."""
        return self._contacts is not None and self._creates == 1

    def give_up(self) -> None:
        """Let other parts have these people: it is certain that no campaign was made."""
        remove(self._file)
        self._creates = 0
        log.info("The create made no campaign, so the people of this part may be in the campaign of another part.")

    def _write(self, contacts: ContactList) -> None:
        manifest: Any = contacts.manifest
        with tempfile.TemporaryDirectory(prefix="truedy-claim-") as folder:
            staged = StagedFile(Path(folder) / "claim", level=1)
            staged.write(json.dumps(manifest.part).encode() + b"\n")
            for person in contacts:
                staged.write(person["phone_number"][1:].encode() + b"\n")
            staged.close()
            publish(Path(folder) / "claim", self._file)


def _prefix(contacts: ContactList) -> str:
    # A folder may hold the lists of many runs.
    manifest: Any = contacts.manifest
    return f"launched-{_digest([manifest.made_by.get(name) for name in _LIST])}-"


def _digest(value: Any) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:16]


def _in_other_parts(contacts: ContactList, must_show: str | None = None) -> NumberSet:
    """Return the people who are in the campaigns of other parts of the same list."""
    manifest: Any = contacts.manifest
    path, prefix = contacts.path, _prefix(contacts)
    if hasattr(path, "fs"):
        path.fs.invalidate_cache()  # Object stores keep listings, which would hide another worker's file.
    found = [each for each in path.parent.iterdir() if each.name.startswith(prefix)]
    if must_show is not None and must_show not in {each.name for each in found}:
        raise ContactsFileError(f"The folder of {path} does not show the file {must_show} that was just written there.")
    others = NumberSet()
    for each in found:
        lines = read_lines(each)
        if json.loads(next(lines)) != json.loads(json.dumps(manifest.part)):
            for line in lines:
                others.add(int(line))
    return others
