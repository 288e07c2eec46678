"""Contacts into a folder of Truedy by its CSV import: find or make the folder, send the files, add up the answers."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import InvalidRequestError, UnreadableAnswerError
from airflow_truedy.api.scrub import scrub
from airflow_truedy.contacts.truedy_csv import MAX_BYTES, csv_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_truedy.api.models import Folder, ImportResult
    from airflow_truedy.contacts.lists import ContactList
    from airflow_truedy.contacts.truedy_csv import CsvFile

log = logging.getLogger(__name__)

_REASONS_SHOWN = 20
_COUNTS = ("imported", "updated", "skipped", "errors")
#: The column of the number as the API's page names it, and as an older server does.
_PHONE_COLUMNS = ("phone", "phone_number")


def folder_named(api: Any, name: str) -> Folder:
    """
    Return the folder with this name; it is made if there is none, and holds 0 contacts then.

    After making one the folders are read again, so that two tasks that did so at once agree on the older one.

    :param api: what is asked of Truedy: the hook.
    :param name: the folder's name, letter for letter.
    """
    found = _find(api, name)
    if found is None:
        made = api.create_folder(name)
        found = (_find(api, name) or made).model_copy(update={"contact_count": 0})
    return found


def _find(api: Any, name: str) -> Folder | None:
    folders: list[Folder] = [folder for folder in api.list_folders() if folder.name == name]
    return min(folders, key=lambda folder: (str(folder.created_at or ""), folder.id), default=None)


def import_contacts(
    api: Any,
    contacts: ContactList,
    folder: Folder,
    *,
    overwrite_existing: bool = False,
    max_bytes: int | None = None,
) -> dict[str, Any]:
    """
    Import contacts in files below a size. Contacts that are there already are skipped, or updated.

    :param folder: where to; ``contact_count`` is how many it held before.
    :param max_bytes: how large a file may be. Default 4,500,000.
    :return: see :class:`~airflow_truedy.operators.contact_import.ImportContactsOperator`.
    :raises UnreadableAnswerError: an answer holds no counts or impossible ones, or is about another folder.
    """
    sums: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for file, result in _results(api, contacts, folder.id, overwrite_existing, max_bytes or MAX_BYTES):
        sums["files"] += 1
        sums["contacts"] += file.contacts
        counts = _counts(result, file, folder.id)
        sums.update(counts)
        sums["missing"] += file.contacts - sum(counts.values())
        reasons.update(scrub(problem.reason or "no reason given") for problem in result.error_details or ())
    if sums["skipped"] or sums["updated"]:
        sums["absent"] = _absent(api, folder, sums)
    names = ("files", "contacts", *_COUNTS, "missing", "absent")
    return {
        "folder_id": folder.id,
        **{name: sums[name] for name in names},
        "reasons": dict(reasons.most_common(_REASONS_SHOWN)),
    }


def _results(
    api: Any, contacts: ContactList, folder_id: str, overwrite: bool, max_bytes: int
) -> Iterator[tuple[CsvFile, ImportResult]]:
    """Send file after file; if the first is refused for its column, in the spelling of an older server."""

    def send(file: CsvFile) -> ImportResult:
        name = f"contacts-{file.start + 1}.csv"
        result: ImportResult = api.import_contacts(file.content, name, folder_id, overwrite)
        return result

    for file in csv_files(contacts, phone_column=_PHONE_COLUMNS[0], max_bytes=max_bytes):
        try:
            result = send(file)
        except InvalidRequestError:
            if file.start:
                raise
            break
        yield file, result
    else:
        return
    log.info("The column %r was refused; trying %r", *_PHONE_COLUMNS)
    for file in csv_files(contacts, phone_column=_PHONE_COLUMNS[1], max_bytes=max_bytes):
        yield file, send(file)


def _absent(api: Any, folder: Folder, sums: Counter[str]) -> int:
    """
    Return how many contacts are not in the folder, although the server skipped or updated them as known already.

    They may be known from another folder, and a campaign by folder would not call them.
    """
    count: int | None = next((each.contact_count for each in api.list_folders() if each.id == folder.id), None)
    if count is None:
        return sums["skipped"] + sums["updated"] if folder.contact_count == 0 else 0
    return max(0, sums["contacts"] - sums["errors"] - sums["missing"] - count)


def _counts(result: ImportResult, file: CsvFile, folder_id: str) -> dict[str, int]:
    counted = {name: count for name in _COUNTS if (count := getattr(result, name)) is not None}
    problem = None
    if not counted:
        problem = "the answer does not say how many contacts were imported"
    elif min(counted.values()) < 0 or sum(counted.values()) > file.contacts:
        problem = f"the answer tells of {counted}, but {file.contacts} contacts were sent"
    elif result.folder_id not in (None, folder_id):
        problem = f"the answer is about folder {result.folder_id!r}, but the contacts were sent to {folder_id!r}"
    if problem:
        raise UnreadableAnswerError(problem, operation="POST /contacts/import", request_id=result.request_id)
    return counted
