"""
Rows in, callable contacts out. Knows nothing of Airflow or HTTP.

A contact is a ``dict`` as the API wants it, and one JSON line of a contacts file::

    {"phone_number": "+12125550100", "first_name": "Ann", "last_name": "Li", "email": "ann@example.com",
     "custom_fields": {"plan": "gold"}}

Only ``phone_number`` is always there. What calls ``phonenumbers`` is imported when it is used.
"""

from __future__ import annotations

from airflow_truedy.contacts.columns import OTHERS, Columns
from airflow_truedy.contacts.consent import Consent
from airflow_truedy.contacts.errors import ContactsError
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.rules import ContactRules, Region, RegionColumn

__all__ = [
    "OTHERS",
    "Columns",
    "Consent",
    "ContactRules",
    "ContactsError",
    "Reason",
    "Region",
    "RegionColumn",
]
