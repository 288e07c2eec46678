"""Whatever operator is given people, and however: nobody shows in what Airflow stores and shows."""

from __future__ import annotations

import inspect
import json
import logging
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import import_module
from typing import Any

import jinja2
import pytest
from airflow.providers.common.compat.sdk import BaseOperator
from airflow.sdk import DAG
from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields
from airflow.serialization.serialized_objects import DagSerialization

import airflow_truedy
from airflow_truedy.operators.hiding import HidingOperator
from airflow_truedy.operators.templating import shown
from tests.operators.contexts import context_of

PEOPLE = [{"phone_number": "+12125550100", "first_name": "Zebulon", "email": "zeb@example.com"}]
SECRETS = ("5550100", "Zebulon", "zeb@")
FORMS: dict[str, dict[str, Any]] = {
    "contacts": {
        "list": PEOPLE,
        "tuple": tuple(PEOPLE),
        "mapping": PEOPLE[0],
    },
    "phone_number": {"number": "+12125550100"},
}
# Of the parameters that have no default, those for which any text will do need not stand here.
NEEDED: dict[str, dict[str, Any]] = {
    "ImportContactsOperator": {"folder": "spring"},
    "CreateBatchCallOperator": {"schedule_type": "immediate"},
}


def given_people() -> Iterator[tuple[type[BaseOperator], str]]:
    """Every operator of the package with a parameter that holds people, and that parameter."""
    modules = [found.name for found in pkgutil.walk_packages(airflow_truedy.__path__, "airflow_truedy.")]
    for name in modules:
        if name.endswith("__main__"):
            continue
        for kind in vars(import_module(name)).values():
            if inspect.isclass(kind) and issubclass(kind, BaseOperator) and kind.__module__ == name:
                for field in FORMS.keys() & inspect.signature(kind.__init__).parameters:
                    yield kind, field


def needed_by(kind: type[BaseOperator], field: str) -> dict[str, Any]:
    unsaid = [
        name
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty and name != field
    ]
    return {"task_id": "t", **dict.fromkeys(unsaid, "x"), **NEEDED.get(kind.__name__, {})}


GIVEN = sorted(given_people(), key=lambda found: found[0].__name__)
CASES = [
    pytest.param(kind, field, value, id=f"{kind.__name__}-{form}")
    for kind, field in GIVEN
    for form, value in FORMS[field].items()
]


@contextmanager
def a_dag(**options: Any) -> Iterator[DAG]:
    with DAG("d", schedule=None, start_date=datetime(2026, 6, 1, tzinfo=timezone.utc), **options) as dag:
        yield dag


def shows_somebody(*shown_by_airflow: Any) -> list[str]:
    text = json.dumps(shown_by_airflow, default=str)
    return [secret for secret in SECRETS if secret in text]


def rendered(operator: Any, **more: Any) -> dict[str, Any]:
    """What Airflow stores of a task instance."""
    context = {**context_of(operator), "dag": operator.dag, **more}
    if not isinstance(operator, BaseOperator):
        context["ti"].map_index = 0
        context["dag_run"].conf = {}
    operator.render_template_fields(context)
    fields: dict[str, Any] = _serialize_rendered_fields(context["task"])
    return fields


def test_the_operators_are_found() -> None:
    assert {kind.__name__ for kind, _ in GIVEN} >= {
        "CreateBatchCallOperator",
        "CreateCallOperator",
        "ImportContactsOperator",
    }
    assert all(issubclass(kind, HidingOperator) for kind, _ in GIVEN)


@pytest.mark.parametrize(("kind", "field", "value"), CASES)
def test_of_a_plain_task(kind: Any, field: str, value: Any) -> None:
    with a_dag() as dag:
        operator = kind(**needed_by(kind, field), **{field: value})
    assert shows_somebody(DagSerialization.to_dict(dag), repr(getattr(operator, field))) == []
    assert shows_somebody(rendered(operator)) == []
    assert shown(getattr(operator, field)) == value


@pytest.mark.parametrize(("kind", "field", "value"), CASES)
@pytest.mark.parametrize("how", ["partial", "expand", "expand_kwargs"])
def test_of_a_mapped_task(kind: Any, field: str, value: Any, how: str) -> None:
    needed = needed_by(kind, field)
    with a_dag() as dag:
        if how == "partial":
            operator = kind.partial(**needed, **{field: value}).expand(truedy_conn_id=["x"])
        elif how == "expand":
            operator = kind.partial(**needed).expand(**{field: [value]})
        else:
            operator = kind.partial(**needed).expand_kwargs([{field: value}])
    assert shows_somebody(DagSerialization.to_dict(dag), repr(operator)) == []
    assert shows_somebody(rendered(operator)) == []


@pytest.mark.parametrize(("kind", "field", "value"), CASES)
@pytest.mark.parametrize("native", [False, True])
def test_of_what_a_template_renders(kind: Any, field: str, value: Any, native: bool) -> None:
    with a_dag(render_template_as_native_obj=native):
        operator = kind(**needed_by(kind, field), **{field: "{{ people }}"})
    assert shows_somebody(rendered(operator, people=value)) == []


@pytest.mark.parametrize("kind", [kind for kind, field in GIVEN if field == "contacts"])
def test_of_a_template_that_breaks_in_the_middle_of_them(
    kind: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with a_dag():
        operator = kind(**needed_by(kind, "contacts"), contacts=[*PEOPLE, {"first_name": "{{ no_such_thing.x }}"}])
    with pytest.raises(jinja2.UndefinedError) as failed:
        rendered(operator)
    printed = capfd.readouterr()
    assert shows_somebody(caplog.text, printed.out, printed.err, repr(failed.value)) == []
