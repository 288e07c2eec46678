"""The operators and the sensor that a user can name, and their parameters."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_truedy.get_provider_info import get_provider_info


def parameters_of(kind: Any) -> dict[str, inspect.Parameter]:
    """The parameters of an operator and of its bases in this package, by name."""
    ours = [each for each in kind.__mro__ if each.__module__.startswith("airflow_truedy") and "__init__" in vars(each)]
    return {
        name: parameter
        for each in reversed(ours)
        for name, parameter in inspect.signature(each.__init__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def public_operators() -> dict[str, Any]:
    """All that the provider lists, by name."""
    info = get_provider_info()
    modules = [name for kind in ("operators", "sensors") for entry in info[kind] for name in entry["python-modules"]]
    found = (kind for module in modules for kind in vars(import_module(module)).values())
    return {
        kind.__name__: kind
        for kind in found
        if inspect.isclass(kind) and issubclass(kind, BaseOperator)
        if kind.__module__.startswith("airflow_truedy") and not kind.__name__.startswith("_")
    }
