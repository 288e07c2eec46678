"""The connection form of type ``truedy``, as data: from 3.2 on Airflow builds it without importing the hook."""

from __future__ import annotations

from typing import Any

CONN_FIELDS: dict[str, dict[str, Any]] = {
    "requests_per_minute": {
        "label": "Requests per minute",
        "description": "Pace of one process. Truedy allows about 100 a minute for the whole organisation.",
        "schema": {"type": ["number", "null"], "minimum": 0, "default": 60},
    },
    "timeout": {
        "label": "Timeout (seconds)",
        "description": "Longest wait for an answer. Creating and adding contacts get at least 60.",
        "schema": {"type": ["number", "null"], "minimum": 1},
    },
    "proxy": {
        "label": "Proxy",
        "description": "Address of an HTTP proxy.",
        "schema": {"type": ["string", "null"]},
    },
    "verify": {
        "label": "Verify certificate",
        "description": "true, false, or the path of a CA bundle.",
        "schema": {"type": ["string", "null"]},
    },
    "settle": {
        "label": "Settle (seconds)",
        "description": "After so long a change is seen in every read and list of the server. Default: 15.",
        "schema": {"type": ["number", "null"], "minimum": 0},
    },
    "dry_run": {
        "label": "Dry run",
        "description": "Tasks only log what they would do: nothing is changed, nobody is called.",
        "schema": {"type": ["boolean", "null"]},
    },
    "only_numbers": {
        "label": "Only these numbers",
        "description": "The only numbers that may be called, E.164, separated by commas. Others are refused.",
        "schema": {"type": ["string", "null"]},
    },
    "dashboard_url": {
        "label": "Dashboard URL",
        "description": "Address of a campaign for the link in the UI, with {batch_call_id} in it.",
        "schema": {"type": ["string", "null"]},
    },
}

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    # The port stays: the test button of Airflow 3.3.2 works only for a connection that has one.
    "hidden-fields": ["schema", "login"],
    "relabeling": {"host": "Base URL", "password": "API key"},
    "placeholders": {"host": "https://api.truedy.ai/api/public/v1", "password": "truedy_...", "port": "443"},
}
