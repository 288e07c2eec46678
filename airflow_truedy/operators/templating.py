"""Rendered values back into what they mean, and people kept out of what Airflow stores of a rendered task."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions._internal.mixins import ResolveMixin
from airflow.sdk.definitions._internal.templater import Templater
from airflow.sdk.definitions.xcom_arg import XComArg

from airflow_truedy.api.errors import InvalidPayloadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context


_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


class PrivateValue(ResolveMixin):
    """
    A value that renders like any other and shows nothing of itself.

    Airflow stores rendered template fields in its database and shows them in its UI; of this one it gets a count.

    :param value: anything that may be templated.
    :param is_data: whether it is rendered already, or came out of another task: such text is never a template.
    """

    def __init__(self, value: Any, *, is_data: bool = False) -> None:
        self.value = value
        self.is_data = is_data

    def resolve(self, context: Context) -> PrivateValue:
        """Render the value. Airflow asks such values among template fields to do it themselves."""
        if self.is_data:
            return self
        # As text whatever the Dag says: native rendering would make an integer of an E.164 number.
        as_text = Templater()
        as_text.template_ext = context["task"].template_ext
        dag = context.get("dag")
        environment = dag.get_template_env(force_sandboxed=True) if dag else as_text.get_template_env()
        return PrivateValue(as_text.render_template(self.value, context, environment), is_data=True)

    def iter_references(self) -> Iterator[Any]:
        """Yield the tasks whose output is in the value; Airflow makes them upstream."""
        return XComArg.iter_xcom_references(self.value)

    def serialize(self) -> str:
        """Return what Airflow may show."""
        size = f"{len(self.value)} items" if isinstance(self.value, (list, tuple)) else "a value"
        return f"({size}, not shown)"

    def __repr__(self) -> str:
        return self.serialize()


def shown(value: Any) -> Any:
    """Return the value itself, out of its hiding if it is hidden."""
    return value.value if isinstance(value, PrivateValue) else value


def is_template(value: Any) -> bool:
    """Whether a parameter is not known yet while the Dag is parsed."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value or value.endswith((".json", ".yaml", ".yml"))
    return value is not None and any(XComArg.iter_xcom_references(value))


def is_private(value: Any) -> bool:
    """Whether a rendered ``contacts`` value holds people itself, not only says where they are."""
    if isinstance(value, str):
        return is_content(value)
    if isinstance(value, Mapping):
        return not is_manifest(value)
    return value is not None and not isinstance(value, PrivateValue)


def is_private_template(text: str) -> bool:
    """Whether a ``contacts`` text holds people before it is rendered: beside its expressions, not in what they say."""
    return is_content(_EXPRESSION.sub("", text))


def is_content(text: str) -> bool:
    """Whether a text is the contacts themselves (JSON, YAML, a printed list, a number), no path and no URI."""
    from airflow_truedy.files.formats import may_be_somebody

    return "\n" in text.strip() or text.lstrip()[:1] in ("[", "{", "(", "-") or may_be_somebody(text)


def is_manifest(value: Mapping[str, Any]) -> bool:
    """Whether a mapping says where a contacts file is."""
    return "uri" in value


def restored(value: Any) -> Any:
    """
    Return the list, mapping, number, truth value or ``None`` that a template rendered as text.

    Text that is none of these comes back as it is. Only for parameters that are not text themselves.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text in ("", "None", "null"):
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for parse in (json.loads, ast.literal_eval, _yaml_collection):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return value


def _yaml_collection(text: str) -> Any:
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError("no YAML") from None
    if not isinstance(found, (list, dict)):
        raise ValueError("YAML, but plain text")
    return found


def restored_text(value: Any) -> Any:
    """Return a text parameter: ``None`` where it rendered to nothing, digits that native rendering made a number."""
    if isinstance(value, str):
        return None if value.strip() in ("", "None") else value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def vanished(field: str) -> InvalidPayloadError:
    """Return the error for a parameter that was stated in the Dag and whose template rendered to nothing."""
    rule = "its template rendered to nothing; leave the parameter out if that is meant"
    return InvalidPayloadError("invalid parameter", problems=[(field, "(nothing)", rule)])


def number(field: str, value: Any, *, at_least: int, whole: bool = False) -> Any:
    """
    Return a rendered number.

    :param whole: whether it has to be a whole one.
    :raises InvalidPayloadError: if it is none, or below ``at_least``.
    """
    number = restored(value)
    kinds = int if whole else (int, float)
    if isinstance(number, bool) or not isinstance(number, kinds) or not at_least <= number < math.inf:
        rule = f"a {'whole ' if whole else ''}number, {at_least} or more"
        raise InvalidPayloadError("invalid parameter", problems=[(field, repr(value), rule)])
    return number


def truth(field: str, value: Any) -> bool:
    """
    Return a rendered truth value.

    :raises InvalidPayloadError: if it is none: ``"no"`` must not count as true.
    """
    found = restored(value)
    if not isinstance(found, bool):
        raise InvalidPayloadError("invalid parameter", problems=[(field, repr(value), "true or false")])
    return found
