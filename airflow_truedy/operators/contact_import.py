"""Contacts into a folder of Truedy, by its CSV import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_truedy.api.restrictions import dry_summary, refuse_other_numbers
from airflow_truedy.campaigns.identity import CampaignKey, default_key
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.private_fields import PrivateField, PrivateFieldsOperator, holds_people
from airflow_truedy.parameters.table import Parameter, Parameters, naming_task
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_truedy.api.models import Folder
    from airflow_truedy.hooks.truedy import TruedyHook

_PARAMETERS = Parameters(
    Parameter("contacts", kinds.contacts, required=True),
    Parameter("folder", kinds.text, may_vanish=False),
    Parameter("folder_id", kinds.text, may_vanish=False),
    Parameter("fresh_folder", kinds.truth, templated=False),
    Parameter("overwrite_existing", kinds.truth, templated=False),
    Parameter("max_errors", kinds.whole(0), templated=False),
    Parameter("max_bytes", kinds.optional(kinds.whole(1)), templated=False),
    Parameter("truedy_conn_id", kinds.text),
)
#: Truedy takes names of 100 characters; the mark of a run needs some.
_LONGEST_NAME = 70


class ImportContactsOperator(PrivateFieldsOperator):
    """
    Import contacts into a Truedy folder (``POST /contacts/import``), in files below the size that Truedy
    takes.

    Safe to run again: the folder is found by its name before one is made, and Truedy knows contacts by their
    number: those that are there already are skipped, or updated with ``overwrite_existing``.

    Whoever was in the folder before stays in it: under one name, week after week, a campaign by folder calls last
    week's people as well. State ``fresh_folder=True``, or put the run into the name.

    :param contacts: the manifest that an extracting task returned, the path or URI of a JSON Lines or CSV
        file, or a list of contacts, which is shown neither in the UI nor in logs. (templated)
    :param folder: name of the folder; made if there is none. (templated)
    :param folder_id: the folder's id, instead of its name. (templated)
    :param fresh_folder: whether each run gets a folder of its own: ``folder`` with a mark of the run behind it, the
        same in every try. Default: no.
    :param overwrite_existing: whether contacts that are there already are updated. Default: no.
    :param max_errors: fail, after all files are sent, when Truedy refuses, leaves unmentioned or does not put into the
        folder more contacts than this. Default 0.
    :param max_bytes: how large a file may be. Default 4,500,000.
    :param truedy_conn_id: connection of type ``truedy``. (templated)
    :return: ``folder_id``, ``files``, ``contacts``, the sums ``imported``, ``updated``, ``skipped`` and
        ``errors``, ``missing``: how many contacts the server's counts say nothing of, ``absent``: how many it
        skipped or updated that are not in the folder, and ``reasons``: how often the server gave which reason, people
        masked.
    :raises UnreadableAnswerError: an answer holds no counts or impossible ones, or is about another folder.
    :raises AirflowFailException: for errors that no retry can help.
    """

    contacts = PrivateField(holds_people)

    template_fields: Sequence[str] = _PARAMETERS.template_fields
    ui_color = "#e6f4ea"

    def __init__(
        self,
        *,
        contacts: Any,
        folder: str | None = None,
        folder_id: str | None = None,
        fresh_folder: bool = False,
        overwrite_existing: bool = False,
        max_errors: int = 0,
        max_bytes: int | None = None,
        truedy_conn_id: str = "truedy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.contacts = contacts
        self.folder = folder
        self.folder_id = folder_id
        self.fresh_folder = fresh_folder
        self.overwrite_existing = overwrite_existing
        self.max_errors = max_errors
        self.max_bytes = max_bytes
        self.truedy_conn_id = truedy_conn_id
        self._stated = _PARAMETERS.check(self)
        with naming_task(self):
            if (folder is None) == (folder_id is None):
                raise ValueError("State either folder (its name) or folder_id")
            if kinds.truth(fresh_folder) and folder is None:
                raise ValueError("fresh_folder needs folder, the name that the new folder's begins with")

    def execute(self, context: Context) -> dict[str, Any]:
        """Import everything and return what came of it."""
        from airflow_truedy.campaigns.contact_import import import_contacts
        from airflow_truedy.hooks.truedy import TruedyHook
        from airflow_truedy.parameters.contact_source import contact_list_of

        with failing_fast(), TruedyHook(self.truedy_conn_id) as hook:
            contacts = contact_list_of(_PARAMETERS.read(self, self._stated)["contacts"])
            assert contacts is not None  # or the parameters could not be read
            into = f"folder {self.folder_id or self.folder}"
            if hook.settings.dry_run:
                return dry_summary(self.log, f"import {contacts.count} contacts into {into}", contacts=contacts.count)
            refuse_other_numbers((person["phone_number"] for person in contacts), hook.settings.only_numbers)
            folder = self._folder(hook, context)
            outcome = import_contacts(
                hook,
                contacts,
                folder,
                overwrite_existing=kinds.truth(self.overwrite_existing),
                max_bytes=self.max_bytes,
            )
        self.log.info("Import into folder %s: %s", folder.id, outcome)
        if outcome["errors"] + outcome["missing"] + outcome["absent"] > self.max_errors:
            raise AirflowFailException(
                f"Truedy refused {outcome['errors']} and says nothing of {outcome['missing']} of {outcome['contacts']} "
                f"contacts, max_errors is {self.max_errors}: {outcome['reasons']}. {outcome['absent']} that it skipped "
                f"or updated are not in folder {folder.id}, so a campaign by folder would not call them."
            )
        return outcome

    def _folder(self, hook: TruedyHook, context: Context) -> Folder:
        """Return the folder to import into, with how many contacts it holds, as far as the server tells."""
        from airflow_truedy.api.models import Folder
        from airflow_truedy.campaigns.contact_import import folder_named

        if self.folder_id is not None:
            return Folder(id=self.folder_id)
        name = self.folder or ""
        if kinds.truth(self.fresh_folder):
            ti = context["ti"]
            key = CampaignKey(default_key(ti.dag_id, ti.task_id, ti.run_id, ti.map_index))
            name = f"{name[:_LONGEST_NAME]} [{key.word} {key.short}]"
        folder = folder_named(hook, name)
        if folder.contact_count and not kinds.truth(self.fresh_folder):
            self.log.warning(
                "Folder %s (%r) holds %d contacts already, maybe of an earlier run; a campaign by folder calls them "
                "too. fresh_folder=True gives each run a folder of its own.",
                folder.id,
                name,
                folder.contact_count,
            )
        return folder
