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

import airflow_truedy
from airflow_truedy.parameters.private_fields import PrivateFieldsOperator, reveal
from tests.support.airflow_versions import serialised
from tests.support.contexts import context_of
from tests.support.operators import parameters_of

PEOPLE = [{"phone_number": "+12125550100", "first_name": "Zebulon", "email": "zeb@example.com"}]
SECRETS = ("5550100", "Zebulon", "zeb@")
SET = "{% set plan = 'gold' %}"
FORMS: dict[str, dict[str, Any]] = {
    "contacts": {
        "list": PEOPLE,
        "tuple": tuple(PEOPLE),
        "mapping": PEOPLE[0],
        "JSON": json.dumps(PEOPLE),
        "JSON of one": json.dumps(PEOPLE[0]),
        "YAML": "- phone_number: '+12125550100'\n  first_name: Zebulon",
        "YAML with templates": SET + "- {phone_number: '+12125550100', custom_fields: {plan: gold}}",
        "no list at all": "Zebulon +12125550100",
        "an address": "zeb@example.com",
    },
    "phone_number": {"number": "+12125550100"},
}
# Of the parameters that have no default, those for which any text will do need not stand here.
CAMPAIGN = {"schedule_type": "immediate", "timezone": "UTC", "start_time": "00:00", "end_time": "23:59"}
NEEDED: dict[str, dict[str, Any]] = {
    "ImportContactsOperator": {"folder": "spring"},
    "BatchCallResultsOperator": {"to": "results.jsonl", "settle_time": 0},
    "CreateBatchCallOperator": CAMPAIGN,
    "PlanBatchCallsOperator": CAMPAIGN,
}


def given_people() -> Iterator[tuple[type[BaseOperator], str]]:
    """Every operator of the package with a parameter that holds people, and that parameter."""
    modules = [found.name for found in pkgutil.walk_packages(airflow_truedy.__path__, "airflow_truedy.")]
    for name in modules:
        if name.endswith("__main__"):
            continue
        for kind in vars(import_module(name)).values():
            if getattr(kind, "__module__", "") == name and inspect.isclass(kind) and issubclass(kind, BaseOperator):
                for field in FORMS.keys() & parameters_of(kind).keys():
                    yield kind, field


def needed_by(kind: type[BaseOperator], field: str) -> dict[str, Any]:
    unsaid = [
        name
        for name, parameter in parameters_of(kind).items()
        if parameter.default is parameter.empty and name != field
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
        "PlanBatchCallsOperator",
    }
    assert all(issubclass(kind, PrivateFieldsOperator) for kind, _ in GIVEN)


@pytest.mark.parametrize(("kind", "field", "value"), CASES)
def test_of_a_plain_task(kind: Any, field: str, value: Any) -> None:
    with a_dag() as dag:
        operator = kind(**needed_by(kind, field), **{field: value})
    assert shows_somebody(serialised(dag), repr(getattr(operator, field))) == []
    assert shows_somebody(rendered(operator)) == []
    assert reveal(getattr(operator, field)) == (value.removeprefix(SET) if isinstance(value, str) else value)


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
    assert shows_somebody(serialised(dag), repr(operator)) == []
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


PATHS = {
    "{{ params.path }}": "/data/people.csv",
    "{{ params.path if params.path else '' }}\n": "/data/people.csv",
    "{% if params.path %}{{ params.path }}{% endif %}": "/data/people.csv",
    "{# by day #}people_{{ ds_nodash }}.csv": "people_20260601.csv",
    "s3://bucket/{{ ds_nodash }}/people.csv": "s3://bucket/20260601/people.csv",
    "/data/20260601/ann@example.com.csv": "/data/20260601/ann@example.com.csv",
    "people_20260601.csv.gz": "people_20260601.csv.gz",
}


@pytest.mark.parametrize("kind", [kind for kind, field in GIVEN if field == "contacts"])
@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_where_people_are_may_be_seen(kind: Any, native: bool, path: str) -> None:
    with a_dag(render_template_as_native_obj=native) as dag:
        operator = kind(**needed_by(kind, "contacts"), contacts=path)
        kind.partial(**{**needed_by(kind, "contacts"), "task_id": "m"}, contacts=path).expand(truedy_conn_id=["x"])
    dag.resolve_template_files()
    assert operator.contacts == path
    assert json.dumps(serialised(dag)).count(json.dumps(path)) == 2
    fields = rendered(operator, params={"path": "/data/people.csv"}, ds_nodash="20260601")
    assert reveal(operator.contacts) == PATHS[path]
    assert fields["contacts"] == PATHS[path]


@pytest.mark.parametrize("kind", [kind for kind, field in GIVEN if field == "contacts"])
def test_a_template_alone_renders_natively(kind: Any) -> None:
    with a_dag(render_template_as_native_obj=True) as dag:
        operator = kind(**needed_by(kind, "contacts"), contacts="{{ people }}")
    dag.resolve_template_files()
    rendered(operator, people=PEOPLE)
    assert reveal(operator.contacts) == PEOPLE


@pytest.mark.parametrize("kind", [kind for kind, field in GIVEN if field == "contacts"])
def test_text_with_templates_in_it_renders(kind: Any) -> None:
    with a_dag():
        operator = kind(**needed_by(kind, "contacts"), contacts='[{"phone_number": "+1212555{{ digits }}"}]')
    rendered(operator, digits="0100")
    assert json.loads(reveal(operator.contacts)) == [{"phone_number": "+12125550100"}]
