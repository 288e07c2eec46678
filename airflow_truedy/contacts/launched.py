"""
Remember who is in the campaigns of a split list: a file beside the contacts files for each part that has a campaign.

A cleared run reads its rows again, and a person may then be in another part. Whoever is in a campaign stays there and
is left out of the campaigns of all other parts. Each part writes its file before its campaign is made and then reads
the others, so of two that do so at once at least one sees the other. This needs neither a store nor the server.
"""

from __future__ import annotations

import json
import logging
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_truedy.contacts.contacts_file import read_lines
from airflow_truedy.contacts.errors import ContactsFileError, SharedContactsError
from airflow_truedy.contacts.number_set import NumberSet
from airflow_truedy.files.paths import publish, sibling
from airflow_truedy.files.writer import StagedFile

if TYPE_CHECKING:
    from airflow_truedy.contacts.contacts_file import Manifest
    from airflow_truedy.contacts.lists import ContactList

log = logging.getLogger(__name__)

_LIST = ("dag_id", "run_id", "task_id", "map_index")


def is_part(contacts: ContactList | None) -> bool:
    """Whether these contacts are a part of a list that a run made."""
    manifest = contacts and contacts.manifest
    return bool(manifest and manifest.part is not None and manifest.made_by.get("run_id"))


def without_launched(contacts: ContactList | None) -> ContactList | None:
    """Return the contacts but for those in the campaign of another part of their list, if they are a part of one."""
    if contacts is None or not is_part(contacts):
        return contacts
    others = _in_other_parts(contacts)
    if not len(others):
        return contacts
    left = contacts.without(others.__contains__)
    if left.count == contacts.count:
        return contacts
    log.warning(
        "%d of %d people changed parts of the list and are in the campaign of another part already; left out here.",
        contacts.count - left.count,
        contacts.count,
    )
    return left


def claim(contacts: ContactList | None) -> None:
    """
    Write down who is in the campaign that is about to be made, if it is one of a part.

    :raises SharedContactsError: if somebody is in the campaign of another part, which was made meanwhile.
    """
    if contacts is None or not is_part(contacts):
        return
    manifest: Any = contacts.manifest
    # By part too: one that has the people of another would take its place.
    own = f"{_prefix(manifest)}{_digest(manifest.part)}-{contacts.fingerprint[:16]}.gz"
    with tempfile.TemporaryDirectory(prefix="truedy-claim-") as folder:
        staged = StagedFile(Path(folder) / "claim", level=1)
        staged.write(json.dumps(manifest.part).encode() + b"\n")
        for person in contacts:
            staged.write(person["phone_number"][1:].encode() + b"\n")
        staged.close()
        publish(Path(folder) / "claim", sibling(contacts.path, own))
    others = _in_other_parts(contacts, must_show=own)
    shared = sum(int(person["phone_number"][1:]) in others for person in contacts) if len(others) else 0
    if shared:
        raise SharedContactsError(
            f"{shared} of {contacts.count} people of a part of the list of task {manifest.made_by.get('task_id')!r} "
            "are in the campaign of another part, which was made meanwhile. Nothing was sent. The next try leaves "
            "them out."
        )


def _prefix(manifest: Manifest) -> str:
    # A folder may hold the lists of many runs.
    return f"launched-{_digest([manifest.made_by.get(name) for name in _LIST])}-"


def _digest(value: Any) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:16]


def _in_other_parts(contacts: ContactList, must_show: str | None = None) -> NumberSet:
    """Return the people who are in the campaigns of other parts of the same list."""
    manifest: Any = contacts.manifest
    path, prefix = contacts.path, _prefix(manifest)
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
