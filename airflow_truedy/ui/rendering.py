"""Fill the templates; every value in them is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from airflow_truedy.ui import words

FOLDER = Path(__file__).parent


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(words, name) for name in ("ago", "count", "duration", "local_time", "utc_minute")
    }
    return environment


def render(template: str, **values: Any) -> str:
    """
    Return a page.

    :param template: its file's name.
    :param values: what the template names; one that is missing is an error.
    """
    return _environment().get_template(template).render(values)
