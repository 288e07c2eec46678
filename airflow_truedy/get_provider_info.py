"""What Airflow reads about this provider (entry point ``apache_airflow_provider``). Imports nothing of Airflow."""

from __future__ import annotations

from typing import Any

from airflow_truedy.connection_form import CONN_FIELDS, UI_FIELD_BEHAVIOUR

_NAME = "Truedy"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, valid against Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-truedy",
        "name": _NAME,
        "description": "Voice-AI calling campaigns (batch calls) with `Truedy <https://truedy.ai/>`__.",
        "integrations": [
            {
                "integration-name": _NAME,
                "external-doc-url": "https://docs.truedy.ai/api-reference/introduction",
                "tags": ["service"],
            }
        ],
        "connection-types": [
            {
                "connection-type": "truedy",
                "hook-class-name": "airflow_truedy.hooks.truedy.TruedyHook",
                "hook-name": _NAME,
                "conn-fields": CONN_FIELDS,
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
            }
        ],
        "hooks": [_modules("hooks.truedy")],
        "operators": [
            _modules(
                "operators.approvals",
                "operators.batch_calls",
                "operators.contacts",
                "operators.calls",
                "operators.holds",
                "operators.plans",
                "operators.results",
                "operators.steering",
            )
        ],
        "sensors": [_modules("sensors.batch_calls")],
        "triggers": [_modules("triggers.batch_calls", "triggers.batch_call_ended")],
        "notifications": ["airflow_truedy.notifications.calls.TruedyCallNotifier"],
        "asset-uris": [
            {
                "schemes": ["truedy"],
                "handler": "airflow_truedy.assets.sanitize_uri",
                "factory": "airflow_truedy.assets.create_asset",
                "to_openlineage_converter": "airflow_truedy.assets.convert_asset_to_openlineage",
            }
        ],
        "extra-links": ["airflow_truedy.links.batch_calls.BatchCallLink"],
    }


def _modules(*names: str) -> dict[str, Any]:
    return {"integration-name": _NAME, "python-modules": [f"airflow_truedy.{name}" for name in names]}
