"""Contacts files made from rules that are stated as keywords."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_truedy.contacts.contacts_file import Manifest
from airflow_truedy.contacts.prepare import prepare_contacts
from airflow_truedy.contacts.rules import ContactRules


def prepared_split(rows: Any, to: Path, **options: Any) -> list[Manifest]:
    """Make the files of a list, one for each value of ``split_by``."""
    about = {name: options.pop(name) for name in ("source", "made_by") if name in options}
    return prepare_contacts(rows, to, ContactRules(**options), **about)


def prepared(rows: Any, to: Path, **options: Any) -> Manifest:
    """Make one contacts file and return its manifest."""
    (manifest,) = prepared_split(rows, to, **options)
    return manifest
