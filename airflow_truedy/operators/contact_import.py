"""Contacts into a folder of Truedy, by its CSV import."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_truedy.operators.private_fields import PrivateField, PrivateFieldsOperator, holds_people, reveal
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.sdk import Context

    from airflow_truedy.api.models import ImportResult
    from airflow_truedy.contacts.lists import ContactList
    from airflow_truedy.contacts.truedy_csv import CsvFile
    from airflow_truedy.hooks.truedy import TruedyHook

_REASONS_SHOWN = 20
_COUNTS = ("imported", "updated", "skipped", "errors")
#: The column of the number as the API's page names it, and as an older server does ((f) 13).
_PHONE_COLUMNS = ("phone", "phone_number")


class ImportContactsOperator(PrivateFieldsOperator):
    """
    Import contacts into a Truedy folder (``POST /contacts/import``), in files below the size that Truedy
    takes.

    Safe to run again: the folder is found by its name before one is made, and Truedy knows contacts by their
    number: those that are there already are skipped, or updated with ``overwrite_existing``.

    :param contacts: the manifest that an extracting task returned, the path or URI of a JSON Lines or CSV
        file, or a list of contacts, which is shown neither in the UI nor in logs. (templated)
    :param folder: name of the folder; made if there is none. (templated)
    :param folder_id: the folder's id, instead of its name. (templated)
    :param overwrite_existing: whether contacts that are there already are updated. Default: no.
    :param max_errors: fail, after all files are sent, when Truedy refuses or leaves unmentioned more contacts than
        this. Default 0.
    :param max_bytes: how large a file may be. Default 4,500,000.
    :param truedy_conn_id: connection of type ``truedy``. (templated)
    :return: ``folder_id``, ``files``, ``contacts``, the sums ``imported``, ``updated``, ``skipped`` and
        ``errors``, ``missing``: how many contacts the server's counts say nothing of, and ``reasons``: how often
        the server gave which reason, people masked.
    :raises UnreadableAnswerError: the server's answer holds no counts at all.
    :raises AirflowFailException: for errors that no retry can help.
    """

    contacts = PrivateField(holds_people)

    template_fields: Sequence[str] = ("contacts", "folder", "folder_id", "truedy_conn_id")
    ui_color = "#e6f4ea"

    def __init__(
        self,
        *,
        contacts: Any,
        folder: str | None = None,
        folder_id: str | None = None,
        overwrite_existing: bool = False,
        max_errors: int = 0,
        max_bytes: int | None = None,
        truedy_conn_id: str = "truedy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (folder is None) == (folder_id is None):
            raise ValueError("Say either folder (its name) or folder_id")
        self.contacts = contacts
        self.folder = folder
        self.folder_id = folder_id
        self.overwrite_existing = overwrite_existing
        self.max_errors = max_errors
        self.max_bytes = max_bytes
        self.truedy_conn_id = truedy_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Import everything and return what came of it."""
        from airflow_truedy.hooks.truedy import TruedyHook
        from airflow_truedy.operators.people import contact_list_of

        with failing_fast(), TruedyHook(self.truedy_conn_id) as hook:
            contacts = contact_list_of(reveal(self.contacts))
            if contacts is None:
                raise AirflowFailException("contacts is empty: nothing says whom to import")
            folder_id = self.folder_id or folder_named(hook, self.folder or "")
            outcome = self._import(hook, contacts, folder_id)
        self.log.info("Import into folder %s: %s", folder_id, outcome)
        if outcome["errors"] + outcome["missing"] > self.max_errors:
            raise AirflowFailException(
                f"Truedy refused {outcome['errors']} and says nothing of {outcome['missing']} of {outcome['contacts']} "
                f"contacts, max_errors is {self.max_errors}: {outcome['reasons']}"
            )
        return outcome

    def _import(self, hook: TruedyHook, contacts: ContactList, folder_id: str) -> dict[str, Any]:
        sums: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for file, result in self._results(hook, contacts, folder_id):
            sums["files"] += 1
            sums["contacts"] += file.contacts
            counts = _counts(result)
            sums.update(counts)
            # By file: what one answer counts twice does not make up for what another leaves out.
            sums["missing"] += max(0, file.contacts - sum(counts.values()))
            reasons.update(_reasons(result))
        names = ("files", "contacts", *_COUNTS, "missing")
        return {
            "folder_id": folder_id,
            **{name: sums[name] for name in names},
            "reasons": dict(reasons.most_common(_REASONS_SHOWN)),
        }

    def _results(
        self, hook: TruedyHook, contacts: ContactList, folder_id: str
    ) -> Iterator[tuple[CsvFile, ImportResult]]:
        """
        Send file after file; if the first is refused for its column, in the spelling of an older server.
        """
        from airflow_truedy.api.errors import InvalidRequestError
        from airflow_truedy.contacts.truedy_csv import MAX_BYTES, csv_files

        max_bytes = self.max_bytes or MAX_BYTES
        for file in csv_files(contacts, phone_column=_PHONE_COLUMNS[0], max_bytes=max_bytes):
            try:
                result = self._send(hook, file, folder_id)
            except InvalidRequestError:
                if file.start:
                    raise
                break
            yield file, result
        else:
            return
        self.log.info("The column %r was refused; trying %r", *_PHONE_COLUMNS)
        for file in csv_files(contacts, phone_column=_PHONE_COLUMNS[1], max_bytes=max_bytes):
            yield file, self._send(hook, file, folder_id)

    def _send(self, hook: TruedyHook, file: CsvFile, folder_id: str) -> ImportResult:
        name = f"contacts-{file.start + 1}.csv"
        return hook.import_contacts(file.content, name, folder_id, self.overwrite_existing)


def folder_named(hook: TruedyHook, name: str) -> str:
    """
    The id of the folder with this name; it is made if there is none.

    After making one the folders are read again, so that two tasks that did so at once agree on the older one.

    :param hook: a Truedy hook.
    :param name: the folder's name, letter for letter.
    """
    found = _find(hook, name)
    if found is None:
        made = hook.create_folder(name)
        found = _find(hook, name) or made.id
    return found


def _find(hook: TruedyHook, name: str) -> str | None:
    folders = [folder for folder in hook.list_folders() if folder.name == name]
    oldest = min(folders, key=lambda folder: (str(folder.created_at or ""), folder.id), default=None)
    return None if oldest is None else oldest.id


def _counts(result: ImportResult) -> dict[str, int]:
    from airflow_truedy.api.errors import UnreadableAnswerError

    said = {name: count for name in _COUNTS if (count := getattr(result, name)) is not None}
    if not said:
        raise UnreadableAnswerError(
            "the answer does not say how many contacts were imported",
            operation="POST /contacts/import",
            request_id=result.request_id,
        )
    return said


def _reasons(result: ImportResult) -> Iterator[str]:
    from airflow_truedy.api.scrub import scrub

    for problem in result.error_details or ():
        yield scrub(problem.reason or "no reason given")
