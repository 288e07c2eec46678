"""What the parameter ``contacts`` means: a list, a file or a manifest, as one streamable list of contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_truedy.operators.parameters import collection, is_template
from airflow_truedy.operators.private_fields import is_content, is_manifest, reveal

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

    value = collection(value)
    if value is None:
        return None
    if isinstance(value, str):
        if is_content(value):
            raise ContactsError("contacts is text that is neither JSON nor YAML, nor a path or URI.")
        return ContactList.from_file(ObjectStoragePath(value))
    if isinstance(value, Mapping):
        if is_manifest(value):
            return ContactList.from_manifest(Manifest.from_dict(dict(value)), ObjectStoragePath)
        return ContactList.of([value])
    if _is_many(value):
        people = list(value)
        for position, person in enumerate(people, 1):
            if not isinstance(person, Mapping):
                raise ContactsError(f"Contact {position} is {type(person).__name__}, not a mapping with phone_number.")
        return ContactList.of(people)
    raise ContactsError(
        f"contacts is {type(value).__name__}: give a list of mappings, a contacts manifest, or the path or URI of a "
        "JSON Lines or CSV file."
    )


def may_bring_hours(value: Any) -> bool:
    """
    Return whether contacts may bring the hours of their people, as far as that is known while the Dag is parsed.

    :param value: the parameter ``contacts`` of an operator. Another task's output is asked for that task's rules.
    """
    value = reveal(value)
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(may_bring_hours, value))
    if isinstance(value, Mapping) and is_manifest(value):
        return bool(value.get("calling_hours"))
    rules = getattr(getattr(value, "operator", None), "rules", None)
    return is_template(value) if rules is None else getattr(rules, "calling_hours", None) is not None


def _is_many(value: Any) -> bool:
    # Airflow's lazy XCom sequences of mapped tasks are iterable but no lists.
    return hasattr(value, "__iter__") and not isinstance(value, (bytes, bytearray))
