"""What every public operator must be told is refused while the Dag is parsed, by task and by name."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import phonenumbers
import pytest

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.contacts.regions import REGIONS
from airflow_truedy.operators.contacts import FileSuppression, SqlSuppression, recently_called
from tests.support.operators import parameters_of

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
GIVEN: dict[str, Any] = {
    "name": "Renewals",
    "agent_id": "agt_1",
    "contacts": [{"phone_number": "+12125550100"}],
    "batch_call_id": "batch_1",
    "batch_call_ids": ["batch_1"],
    "sql": "SELECT 1",
    "conn_id": "crm",
    "path": "people.csv",
    "output_path": "contacts",
    "region": "US",
    "phone_number": "+12125550100",
    "hold": "blackout",
    "start_time": "09:00",
    "end_time": "17:00",
    "body": "{{ ti.xcom_pull('plan', key='markdown') }}",
}
CAMPAIGN = {"schedule_type": "immediate", "timezone": "UTC", "start_time": "09:00", "end_time": "17:00"}
ALSO: dict[str, dict[str, Any]] = {
    "CreateBatchCallOperator": {**CAMPAIGN, "contacts": GIVEN["contacts"]},
    "PlanBatchCallsOperator": {**CAMPAIGN, "contacts": GIVEN["contacts"]},
    "ScheduleBatchCallOperator": {"schedule_type": "immediate"},
    "UpdateBatchCallOperator": {"name": "Renewals"},
    "BatchCallResultsOperator": {"to": "results.jsonl"},
    "ImportContactsOperator": {"folder": "Renewals"},
    "ApprovePlanOperator": {"subject": "Call them?"},
}


def operators_of_the_readme() -> dict[str, Any]:
    """All operators and sensors of the README's table."""
    found = {}
    for line in re.findall(r"^\| (`(?:operators|sensors)\..*?) \|", README, re.MULTILINE):
        module, first = re.fullmatch(r"`(\w+\.\w+)\.(\w+)`.*", line).groups()
        for name in (first, *re.findall(r", `(\w+)`", line)):
            kind = getattr(import_module(f"airflow_truedy.{module}"), name)
            if inspect.isclass(kind):
                found[name] = kind
    return found


OPERATORS = operators_of_the_readme()


def required_by(kind: Any) -> list[str]:
    return [name for name, each in parameters_of(kind).items() if each.default is each.empty]


def made(kind: Any, **changed: Any) -> Any:
    required = {name: GIVEN[name] for name in required_by(kind)}
    return kind(task_id="ring", **{**required, **ALSO.get(kind.__name__, {}), **changed})


EVERY = [(operator, name) for operator, kind in OPERATORS.items() for name in required_by(kind)]


def test_the_table_of_operators_is_read() -> None:
    assert len(OPERATORS) == 16
    assert len(EVERY) > len(OPERATORS)


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_takes_what_it_needs(operator: str) -> None:
    assert made(OPERATORS[operator]).task_id == "ring"


@pytest.mark.parametrize("value", [None, "", " ", 5, 0.5, False], ids=repr)
@pytest.mark.parametrize(("operator", "name"), EVERY)
def test_nothing_empty_text_and_a_bare_number_are_refused(operator: str, name: str, value: Any) -> None:
    if (name, value) == ("region", None):
        assert made(OPERATORS[operator], region=None).rules.region is None  # only numbers with + are taken
        return
    with pytest.raises(ValueError, match=rf"^task 'ring'.*\b{name}\b"):
        made(OPERATORS[operator], **{name: value})


SWITCHES = [
    (operator, name)
    for operator, kind in OPERATORS.items()
    for name, each in parameters_of(kind).items()
    if "bool" in str(each.annotation)
]


def test_switches_are_found() -> None:
    assert {name for _, name in SWITCHES} >= {
        *("deferrable", "durable", "dry_run", "fresh_folder", "overwrite_existing", "create_table", "retry_failed"),
        *("wait_for_completion", "start", "held_on_blocked_days", "details", "transcripts", "fail_if_kept"),
    }


@pytest.mark.parametrize("value", ["maybe", "perhaps", "yes", "no", "0", 0, 1, [], [True]], ids=repr)
@pytest.mark.parametrize(("operator", "name"), SWITCHES)
def test_what_is_neither_true_nor_false_is_refused(operator: str, name: str, value: Any) -> None:
    with pytest.raises(InvalidPayloadError, match=rf"(?i)^task 'ring': {name} = .*: must be true or false"):
        made(OPERATORS[operator], **{name: value})


@pytest.mark.parametrize("value", [True, False, "True", "false"])
@pytest.mark.parametrize(("operator", "name"), SWITCHES)
def test_true_and_false_are_taken_as_text_too(operator: str, name: str, value: Any) -> None:
    made(OPERATORS[operator], **{name: value})


@pytest.mark.parametrize("value", ["{{ params.it }}", "{{ it }}.sql", "made-up"])
@pytest.mark.parametrize(
    ("operator", "name"), [each for each in EVERY if each[1] in ("sql", "path", "conn_id", "name")]
)
def test_templates_and_text_are_taken(operator: str, name: str, value: str) -> None:
    assert getattr(made(OPERATORS[operator], **{name: value}), name) == value


@pytest.mark.parametrize("value", [None, "", " ", 5], ids=repr)
@pytest.mark.parametrize(
    ("source", "name", "given"),
    [
        (SqlSuppression, "sql", {"conn_id": "crm", "region": "US"}),
        (SqlSuppression, "conn_id", {"sql": "SELECT 1", "region": "US"}),
        (FileSuppression, "path", {"region": "US"}),
        (recently_called, "conn_id", {}),
        (recently_called, "table", {"conn_id": "crm"}),
    ],
)
def test_a_do_not_call_list_must_say_where_it_is(source: Any, name: str, given: dict[str, Any], value: Any) -> None:
    with pytest.raises(InvalidPayloadError, match=rf"^\w+: {name} = .*must be"):
        source(**{name: value}, **given)
    rendered = source(**{name: "{{ params.it }}"}, **given)
    setattr(rendered, name, "")
    with pytest.raises(InvalidPayloadError, match=rf"{name} = \(nothing\): its template rendered to nothing"):
        rendered.within(1, timedelta(days=1)) if source is recently_called else rendered.open()


def test_all_regions_are_known_that_have_numbers() -> None:
    assert phonenumbers.SUPPORTED_REGIONS == REGIONS


@pytest.mark.parametrize("region", ["ZZ", "XX", "AQ", "UK", "us", "{{ params.region }}"])
@pytest.mark.parametrize("operator", ["SqlToContactsOperator", "FileToContactsOperator"])
def test_a_region_without_numbers_is_refused(operator: str, region: str) -> None:
    with pytest.raises(ValueError, match=rf"^task 'ring': region='{re.escape(region)}' is not an ISO 3166 code"):
        made(OPERATORS[operator], region=region)


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_parameter_is_described_and_every_described_one_exists(operator: str) -> None:
    kind = OPERATORS[operator]
    text = "\n".join(
        inspect.getdoc(each) or "" for each in kind.__mro__ if each.__module__.startswith("airflow_truedy")
    )
    described = set(re.findall(r":param (\w+):", text))
    taken = {*parameters_of(kind)}
    assert described - taken <= {"campaign", "kwargs"}
    assert taken - described - set(re.findall(r"``(\w+)``", text)) == set()
