"""What the parameter ``contacts`` means: a list, a file or a manifest, as one streamable list of contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.private_fields import PrivateValue, is_content
from airflow_truedy.parameters.table import is_template

if TYPE_CHECKING:
    from airflow_truedy.contacts.lists import ContactList


def contact_list_of(value: Any) -> ContactList | None:
    """
    Return the contacts that a rendered ``contacts`` value means, ``None`` for none.

    :param value: a list of mappings, the manifest that an extracting task returned, the path or URI of a JSON Lines or
        CSV file, or any of these as text.
    :raises ContactsError: if numbers are invalid or doubled, or the file is missing, changed or cut short.
    """
    from airflow.sdk import ObjectStoragePath

    from airflow_truedy.contacts.contacts_file import Manifest
    from airflow_truedy.contacts.errors import ContactsError
    from airflow_truedy.contacts.lists import ContactList

    if isinstance(value, str):
        value = kinds.collection(value)
    if value is None:
        return None
    if isinstance(value, str):
        if is_content(value):
            raise ContactsError("contacts is text that is neither JSON nor YAML, nor a path or URI.")
        return ContactList.from_file(ObjectStoragePath(value))
    if isinstance(value, Mapping):
        if "uri" in value:
            return ContactList.from_manifest(Manifest.from_dict(dict(value)), ObjectStoragePath)
        value = [value]
    # Airflow's lazy XCom sequences of mapped tasks are iterable but no lists.
    if not hasattr(value, "__iter__") or isinstance(value, (bytes, bytearray)):
        raise ContactsError(
            f"contacts is {type(value).__name__}: give a list of mappings, a contacts manifest, or the path or URI of "
            "a JSON Lines or CSV file."
        )
    return ContactList.of(value)


def may_bring_hours(value: Any) -> bool:
    """
    Return whether contacts may bring the hours of their people, as far as that is known while the Dag is parsed.

    :param value: the parameter ``contacts`` of an operator. Another task's output is asked for that task's rules.
    """
    if isinstance(value, PrivateValue):
        value = value.value
    many = value if isinstance(value, (list, tuple)) else [value]
    return bool(many) and all(
        # People bring none, a manifest tells.
        bool(one.get("calling_hours")) if isinstance(one, Mapping) else _may_bring_hours(one)
        for one in many
    )


def _may_bring_hours(value: Any) -> bool:
    rules = getattr(getattr(value, "operator", None), "rules", None)
    return is_template(value) if rules is None else getattr(rules, "calling_hours", None) is not None
