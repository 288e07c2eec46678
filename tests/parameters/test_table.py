from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pendulum
import pytest
from airflow.sdk import DAG, task
from airflow.sdk.definitions.xcom_arg import PlainXComArg
from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.calls import CreateCallOperator
from airflow_truedy.parameters.kinds import (
    Kind,
    NotOfKindError,
    batch_call,
    items,
    mapping,
    moment,
    number,
    one_of,
    optional,
    seconds,
    text,
    truth,
    whole,
)
from airflow_truedy.parameters.private_fields import PrivateValue, holds_people, reveal
from airflow_truedy.parameters.table import is_template
from tests.support.airflow_versions import DagBag, serialised

PEOPLE: list[dict[str, Any]] = [
    {"phone_number": "+12125550100", "first_name": "Zaphod", "email": "zaphod@example.com"},
    {"phone_number": "+12125550101", "custom_fields": {"plan": "Beeblebrox"}},
]
SECRETS = ("2125550100", "Zaphod", "zaphod@", "2125550101", "Beeblebrox")
REQUIRED: dict[str, Any] = {
    "name": "Renewals",
    "agent_id": "agt_f9447372",
    "schedule_type": "immediate",
    "timezone": "UTC",
    "start_time": "00:00",
    "end_time": "23:59",
}


@contextmanager
def a_dag(**options: Any) -> Iterator[DAG]:
    with DAG("d", schedule=None, start_date=datetime(2026, 6, 1, tzinfo=timezone.utc), **options) as dag:
        yield dag


def create(**parameters: Any) -> CreateBatchCallOperator:
    return CreateBatchCallOperator(task_id="t", **{**REQUIRED, **parameters})


def context_of(operator: Any, dag: DAG, map_index: int = -1, **more: Any) -> Any:
    ti = SimpleNamespace(task=operator, dag_id="d", task_id="t", run_id="r", map_index=map_index)
    return {
        "task": operator,
        "dag": dag,
        "ti": ti,
        "dag_run": SimpleNamespace(conf={}),
        "params": {},
        "data_interval_end": pendulum.datetime(2026, 6, 1, 12),
        **more,
    }


def rendered(operator: Any, dag: DAG, **more: Any) -> Any:
    """The operator as it is when it is executed; of a mapped one, its first task instance."""
    is_mapped = not isinstance(operator, (CreateBatchCallOperator, CreateCallOperator))
    context = context_of(operator, dag, 0 if is_mapped else -1, **more)
    operator.render_template_fields(context)
    return context["task"]


def stored(dag: DAG) -> str:
    return json.dumps(serialised(dag), default=str)


def shows_somebody(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


class TestKinds:
    @pytest.mark.parametrize(
        ("kind", "given", "meant"),
        [
            (items, "[1, 2, 3]", [1, 2, 3]),
            (items, "['num_1', 'num_2']", ["num_1", "num_2"]),
            (items, '["num_1"]', ["num_1"]),
            (items, "(1, 2)", (1, 2)),
            (items, "1, 2", (1, 2)),
            (items, "- 1\n- 2\n", [1, 2]),
            (items, {1, 2}, {1, 2}),
            (mapping, "{'retry_failed': True}", {"retry_failed": True}),
            (mapping, '{"retry_failed": true}', {"retry_failed": True}),
            (mapping, "retry_failed: true\nattempts: 2", {"retry_failed": True, "attempts": 2}),
            (number(0), "500", 500),
            (number(0), " 0.25 ", 0.25),
            (whole(1), "500", 500),
            (seconds, "90", 90.0),
            (seconds, timedelta(minutes=2), 120.0),
            (text, "500", "500"),
            (text, 500, "500"),
            (text, "true", "true"),
            (text, "on", "on"),
            (moment, datetime(2026, 6, 2, 10), datetime(2026, 6, 2, 10)),
            (moment, "2026-06-02T10:00", "2026-06-02T10:00"),
            (truth, True, True),
            (truth, False, False),
            (truth, "True", True),
            (truth, " false ", False),
            (one_of("fail", "skip"), "skip", "skip"),
            (batch_call, "123", "123"),
            (batch_call, "1e5", "1e5"),
        ],
    )
    def test_rendered_values_become_what_they_mean(self, kind: Kind, given: Any, meant: Any) -> None:
        assert kind(given) == meant
        assert type(kind(given)) is type(meant)

    @pytest.mark.parametrize(
        "kind", [items, mapping, optional(seconds), text, moment, optional(whole(1)), optional(truth)]
    )
    @pytest.mark.parametrize("nothing", [None, "", " ", "None", "null"])
    def test_what_says_nothing_is_nothing(self, kind: Kind, nothing: Any) -> None:
        assert kind(nothing) is None

    @pytest.mark.parametrize(
        ("kind", "given", "rule"),
        [
            *(
                (number(0), value, "a number, 0 or more")
                for value in ("nan", "NaN", "inf", "1e999", "Infinity", "many")
            ),
            *((number(0), value, "a number, 0 or more") for value in (None, "", True, "-1", -1, [1])),
            *((whole(1), value, "a whole number, 1 or more") for value in ("1.5", 1.5, 0, "0", "0x10", "1_000")),
            *((truth, value, "true or false") for value in ("no", "off", "yes", "0", 0, 1, None, "")),
            *((items, value, "a list") for value in ("num_1", "5", 5, {"a": 1}, "{broken", "__import__('os')")),
            *((mapping, value, "a mapping") for value in ("plain", [1], 5, "[1]")),
            *((text, value, "text") for value in (True, 1.5, ["a"], {"a": 1})),
            *((seconds, value, "seconds") for value in ("soon", -1, True, [1], None, "")),
            *((one_of("fail", "skip"), value, "one of fail, skip") for value in ("again", None, "", 1)),
        ],
    )
    def test_what_is_of_another_kind_is_refused_with_the_rule(self, kind: Kind, given: Any, rule: str) -> None:
        with pytest.raises(NotOfKindError, match=rule):
            kind(given)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda each: st.lists(each) | st.dictionaries(st.text(), each),
            max_leaves=8,
        )
    )
    def test_lists_and_mappings_come_back_from_both_ways_to_print_them(self, value: Any) -> None:
        kind = mapping if isinstance(value, dict) else items
        if isinstance(value, (list, dict)):
            assert kind(str(value)) == kind(json.dumps(value)) == kind(value) == value

    @given(st.text())
    def test_no_text_breaks_them(self, given: str) -> None:
        for kind in (items, mapping, number(0), whole(1), truth, text, moment, seconds, batch_call):
            with suppress(NotOfKindError):
                kind(given)

    @pytest.mark.parametrize("kind", [text, items, mapping, batch_call])
    def test_a_whole_task_in_place_of_its_output_is_named(self, kind: Kind) -> None:
        with a_dag():
            upstream = create(contacts=PEOPLE)
        with pytest.raises(NotOfKindError, match=r"task 't' itself was given; write its output, such as t\.output"):
            kind(upstream)


class TestIsTemplate:
    def test_it_tells_what_is_not_known_yet(self) -> None:
        with a_dag():

            @task
            def upstream() -> int:
                return 1

            output = upstream()
        templates = ["{{ x }}", "{% if x %}", "days.json", "days.yaml", output, [output], {"a": [output]}]
        for value in (*templates, ["{{ x }}", 2], {"a": ["{{ x }}"]}):
            assert is_template(value)
        for value in ("2026-06-02T10:00", None, 5, [1, 2], {"a": 1}, datetime(2026, 6, 2)):
            assert not is_template(value)


class TestHoldsPeople:
    @pytest.mark.parametrize(
        "value",
        [
            PEOPLE,
            tuple(PEOPLE),
            PEOPLE[0],
            {"phone": "+12125550100", "name": "Zaphod"},
            str(PEOPLE),
            json.dumps(PEOPLE),
            json.dumps(PEOPLE[0]),
            f"\n {json.dumps(PEOPLE)}",
            "- phone_number: '+12125550100'\n  first_name: Zaphod\n",
            "- {phone_number: '+12125550100'}",
            '{"phone_number": "+12125550100"}\n{"phone_number": "+12125550101"}',
            "phone_number,first_name\n+12125550100,Zaphod\n",
            iter(PEOPLE),
        ],
    )
    def test_people_are(self, value: Any) -> None:
        assert holds_people(value)

    @pytest.mark.parametrize(
        "value",
        [
            "s3://bucket/people.jsonl",
            "/data/people.csv",
            {"kind": "truedy.contacts", "uri": "s3://bucket/x"},
        ],
    )
    def test_where_people_are_is_not(self, value: Any) -> None:
        assert not holds_people(value)


class TestRendering:
    EVERYTHING = {
        "name": "Renewals {{ word }}",
        "agent_id": "agt_{{ word }}",
        "contacts": [{"phone_number": "+1212555{{ digits }}", "custom_fields": {"plan": "{{ word }}"}}],
        "contact_ids": ["ctc_{{ word }}"],
        "contact_folder_id": "folder_{{ word }}",
        "contact_source": "{{ 'csv' }}",
        "phone_number_ids": "{{ ['num_1', 'num_2'] }}",
        "phone_rotation_strategy": "{{ 'random' }}",
        "schedule_type": "{{ 'scheduled' }}",
        "scheduled_at": "{{ data_interval_end.add(days=1).at(9) }}",
        "timezone": "{{ 'America/New_York' }}",
        "start_time": "{{ '09:00' }}",
        "end_time": "{{ '17:30' }}",
        "working_days": ["{{ 1 }}", 2],
        "max_calls_per_day": "{{ 500 }}",
        "max_contacts_age": "{{ 3600 }}",
        "extra_fields": {"note": {"deep": ["{{ word }}"]}},
        "start": "{{ true }}",
        "on_past": "{{ 'skip' }}",
        "max_rejected": "{{ 0.1 }}",
        "campaign_key": "key {{ word }}",
        "truedy_conn_id": "truedy_{{ word }}",
    }

    def test_every_field_of_the_operator_is_templated_here(self) -> None:
        with a_dag():
            operator = CreateBatchCallOperator(task_id="t", **self.EVERYTHING)
        from airflow_truedy.parameters.waiting import WAITING

        # One is in place of scheduled_at; the others allow no folder.
        elsewhere = {"start_on", "approved_plan", "approval"}
        assert {*self.EVERYTHING} | elsewhere == set(operator.template_fields) - set(WAITING.template_fields)

    @pytest.mark.parametrize(
        "decided",
        [
            {"on_change": "{{ 'rebuild' }}"},
            {"on_retry": "{{ 'new' }}"},
            {"tag_word": "tag-{{ ds }}"},
            {"chunk_size": "{{ 7 }}"},
            {"durable": "{{ true }}"},
            {"dry_run": "{{ true }}"},
        ],
    )
    def test_what_the_author_decides_cannot_be_a_template(self, decided: dict[str, Any]) -> None:
        with (
            a_dag(),
            pytest.raises(InvalidPayloadError, match=rf"task 't': {next(iter(decided))} = .*decided in the Dag"),
        ):
            create(contacts=PEOPLE, **decided)

    @pytest.mark.parametrize("native", [False, True])
    def test_every_field_renders_in_depth(self, native: bool) -> None:
        with a_dag(render_template_as_native_obj=native) as dag:
            operator = CreateBatchCallOperator(task_id="t", **self.EVERYTHING)
        rendered(operator, dag, word="abc", digits="0100")
        assert operator.name == "Renewals abc"
        assert operator.agent_id == "agt_abc"
        assert reveal(operator.contacts) == [{"phone_number": "+12125550100", "custom_fields": {"plan": "abc"}}]
        assert operator.contact_ids == ["ctc_abc"]
        assert operator.contact_folder_id == "folder_abc"
        assert items(operator.phone_number_ids) == ["num_1", "num_2"]
        assert str(operator.scheduled_at) == "2026-06-02 09:00:00+00:00"
        assert [int(day) for day in operator.working_days] == [1, 2]
        assert whole(1)(operator.max_calls_per_day) == 500
        assert operator.extra_fields == {"note": {"deep": ["abc"]}}
        assert truth(operator.start) is True
        assert operator.on_past == "skip"
        assert number(0)(operator.max_rejected) == 0.1
        assert operator.campaign_key == "key abc"
        assert operator.truedy_conn_id == "truedy_abc"

    def test_the_output_of_a_task_is_resolved_and_makes_it_upstream(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(PlainXComArg, "resolve", lambda *_: PEOPLE)
        with a_dag() as dag:

            @task
            def people() -> list[dict[str, Any]]:
                return PEOPLE

            operator = create(contacts=people())
        assert operator.upstream_task_ids == {"people"}
        rendered(operator, dag)
        assert reveal(operator.contacts) == PEOPLE

    def test_the_output_of_a_task_inside_a_list_is_found_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(PlainXComArg, "resolve", lambda *_: PEOPLE[1])
        with a_dag() as dag:

            @task
            def person() -> dict[str, Any]:
                return PEOPLE[1]

            operator = create(contacts=[PEOPLE[0], person()])
        assert operator.upstream_task_ids == {"person"}
        assert shows_somebody(stored(dag)) == []
        rendered(operator, dag)
        assert reveal(operator.contacts) == PEOPLE

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("people.json", json.dumps(PEOPLE)),
            ("people_20260601.json", json.dumps(PEOPLE)),
            (
                "people.yaml",
                "- phone_number: '+12125550100'\n  first_name: Zaphod\n"
                "- phone_number: '+1212555{{ last }}'\n  custom_fields: {plan: Beeblebrox}\n",
            ),
        ],
    )
    def test_contacts_come_from_template_files(self, name: str, content: str, tmp_path: Path) -> None:
        from airflow_truedy.parameters.contact_source import contact_list_of

        (tmp_path / name).write_text(content)
        with a_dag(template_searchpath=str(tmp_path)) as dag:
            operator = create(contacts=name)
        dag.resolve_template_files()
        rendered(operator, dag, last="0101")
        contacts = contact_list_of(reveal(operator.contacts))
        assert contacts is not None
        assert [contact["phone_number"] for contact in contacts] == ["+12125550100", "+12125550101"]

    def test_other_parameters_come_from_template_files(self, tmp_path: Path) -> None:
        (tmp_path / "days.yaml").write_text("- 1\n- {{ 1 + 1 }}\n")
        (tmp_path / "extra.json").write_text('{"retry_failed": true}')
        with a_dag(template_searchpath=str(tmp_path)) as dag:
            operator = create(contacts=PEOPLE, timezone="UTC", working_days="days.yaml", extra_fields="extra.json")
        dag.resolve_template_files()
        rendered(operator, dag)
        assert items(operator.working_days) == [1, 2]
        assert mapping(operator.extra_fields) == {"retry_failed": True}


@pytest.mark.parametrize("given", [{}, [{}], b"people", date(2031, 3, 4), object()])
def test_what_holds_nobody_is_refused_while_parsing(given: Any) -> None:
    with a_dag(), pytest.raises(InvalidPayloadError, match=r"contacts = \w+: is .*people are a list of mappings"):
        create(contacts=given)


class TestNobodyShows:
    """Neither in the serialised Dag, nor in rendered fields, nor in the log of a template that breaks."""

    FORMS: dict[str, Any] = {
        "a list": PEOPLE,
        "a tuple": tuple(PEOPLE),
        "one mapping": PEOPLE[0],
        "a mapping with other names": {"phone": "+12125550100", "name": "Zaphod"},
    }

    @pytest.mark.parametrize("form", list(FORMS))
    def test_of_inline_contacts(self, form: str) -> None:
        with a_dag() as dag:
            operator = create(contacts=self.FORMS[form])
        assert shows_somebody(stored(dag)) == []
        assert shows_somebody(repr(operator.contacts)) == []
        rendered(operator, dag)
        assert shows_somebody(json.dumps(_serialize_rendered_fields(operator))) == []
        assert reveal(operator.contacts) == self.FORMS[form]

    def test_the_ui_gets_a_count(self) -> None:
        with a_dag() as dag:
            operator = create(contacts=PEOPLE)
        rendered(operator, dag)
        assert _serialize_rendered_fields(operator)["contacts"] == "(2 items, not shown)"

    @pytest.mark.parametrize("native", [False, True])
    @pytest.mark.parametrize("value", [PEOPLE, PEOPLE[0], json.dumps(PEOPLE)], ids=["list", "mapping", "text"])
    def test_of_contacts_that_a_template_renders(self, native: bool, value: Any) -> None:
        with a_dag(render_template_as_native_obj=native) as dag:
            operator = create(contacts="{{ people }}")
        rendered(operator, dag, people=value)
        assert shows_somebody(json.dumps(_serialize_rendered_fields(operator))) == []

    @pytest.mark.parametrize("value", [PEOPLE, PEOPLE[0], iter(PEOPLE)])
    def test_of_contacts_from_another_task(self, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(PlainXComArg, "resolve", lambda *_: value)
        with a_dag() as dag:

            @task
            def people() -> Any:
                return PEOPLE

            operator = create(contacts=people())
        rendered(operator, dag)
        assert shows_somebody(json.dumps(_serialize_rendered_fields(operator))) == []

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("people.json", json.dumps(PEOPLE)),
            ("people_20260601.json", json.dumps(PEOPLE)),
            ("people.yaml", "- phone_number: '+12125550100'\n  first_name: Zaphod\n"),
            ("one.yaml", "phone_number: '+12125550100'\nfirst_name: Zaphod\n"),
        ],
    )
    def test_of_template_files_which_airflow_reads_before_it_stores_the_dag(
        self, name: str, content: str, tmp_path: Path
    ) -> None:
        (tmp_path / name).write_text(content)
        (tmp_path / "dag.py").write_text(
            "from airflow.sdk import DAG\n"
            "from airflow_truedy.operators.batch_calls import CreateBatchCallOperator\n"
            "with DAG('d', schedule=None):\n"
            f"    CreateBatchCallOperator(task_id='t', name='n', agent_id='a', schedule_type='immediate', "
            "timezone='UTC', start_time='00:00', end_time='23:59', "
            f"contacts={name!r})\n"
        )
        bag = DagBag(tmp_path)
        assert bag.import_errors == {}
        dag = bag.dags["d"]
        assert shows_somebody(stored(dag)) == []
        operator: Any = dag.get_task("t")
        rendered(operator, dag)
        assert shows_somebody(json.dumps(_serialize_rendered_fields(operator))) == []
        assert "Zaphod" in str(reveal(operator.contacts))

    @pytest.mark.parametrize("broken", ["{{ 1 / 0 }}", "{{ no_such_thing.x }}", "{{ broken", "{% if Zaphod %}"])
    @pytest.mark.parametrize("as_text", [False, True])
    def test_of_a_template_that_breaks_in_the_middle_of_them(
        self, broken: str, as_text: bool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        people = [*PEOPLE, {"phone_number": "+12125550103", "first_name": broken}]
        with a_dag() as dag:
            operator = create(contacts=people)
        if as_text:
            # As a template file leaves it.
            operator.contacts = PrivateValue(json.dumps(people))
        with pytest.raises((jinja2.TemplateError, ZeroDivisionError)) as failed:
            rendered(operator, dag)
        printed = capfd.readouterr()
        told = caplog.text + printed.out + printed.err + repr(failed.value)
        assert [secret for secret in SECRETS if secret in told.replace("{% if Zaphod %}", "")] == []

    def test_of_contacts_that_were_rendered_before_another_field_broke(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(PlainXComArg, "resolve", lambda *_: PEOPLE)
        with a_dag() as dag:

            @task
            def people() -> Any:
                return PEOPLE

            operator = create(contacts=people(), max_calls_per_day="{{ 1 / 0 }}")
        with pytest.raises(ZeroDivisionError):
            rendered(operator, dag)
        assert shows_somebody(json.dumps(_serialize_rendered_fields(operator))) == []


class TestMapped:
    def test_partial_and_expand_hide_people_in_the_serialised_dag(self) -> None:
        with a_dag() as dag:
            of = CreateBatchCallOperator.partial
            of(
                task_id="a",
                contacts=PEOPLE,
                agent_id="a",
                schedule_type="immediate",
                timezone="UTC",
                start_time="00:00",
                end_time="23:59",
            ).expand(name=["x", "y"])
            of(task_id="b", **REQUIRED).expand(contacts=[PEOPLE, PEOPLE[:1]])
            of(
                task_id="c",
                agent_id="a",
                schedule_type="immediate",
                timezone="UTC",
                start_time="00:00",
                end_time="23:59",
            ).expand_kwargs([{"name": "x", "contacts": PEOPLE}])
        assert len(dag.tasks) == 3
        assert shows_somebody(stored(dag)) == []
        assert shows_somebody(repr(dag.tasks)) == []

    @pytest.mark.parametrize("how", ["partial", "expand", "expand_kwargs"])
    def test_literal_people_arrive_and_their_templates_are_rendered(self, how: str) -> None:
        people = [{**PEOPLE[0], "first_name": "{{ word }}"}]
        with a_dag() as dag:
            begin = CreateBatchCallOperator.partial(
                task_id="t",
                agent_id="a",
                schedule_type="immediate",
                timezone="UTC",
                start_time="00:00",
                end_time="23:59",
                **({"contacts": people} if how == "partial" else {}),
            )
            operator = (
                begin.expand(name=["x"])
                if how == "partial"
                else begin.expand(name=["x"], contacts=[people])
                if how == "expand"
                else begin.expand_kwargs([{"name": "x", "contacts": people}])
            )
        task_instance = rendered(operator, dag, word="Trillian")
        assert task_instance.name == "x"
        assert reveal(task_instance.contacts) == [{**PEOPLE[0], "first_name": "Trillian"}]
        assert shows_somebody(json.dumps(_serialize_rendered_fields(task_instance))) == []

    @pytest.mark.parametrize("how", ["expand", "expand_kwargs", "plain"])
    def test_what_comes_out_of_another_task_is_data_and_never_a_template(
        self, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        evil = [{"phone_number": "+12125550100", "first_name": "{{ conn.truedy_default.password }}{{ 6 * 7 }}"}]
        values: dict[str, Any] = {"expand": [evil], "expand_kwargs": [{"contacts": evil}], "plain": evil}
        monkeypatch.setattr(PlainXComArg, "resolve", lambda *_: values[how])
        monkeypatch.setattr(
            "airflow.sdk.definitions._internal.expandinput.get_task_map_length", lambda *_: 1, raising=False
        )
        with a_dag() as dag:

            @task
            def people() -> Any:
                return values[how]

            output = people()
            if how == "plain":
                operator: Any = create(contacts=output)
            elif how == "expand":
                operator = CreateBatchCallOperator.partial(task_id="t", **REQUIRED).expand(contacts=output)
            else:
                operator = CreateBatchCallOperator.partial(task_id="t", **REQUIRED).expand_kwargs(output)
        assert operator.upstream_task_ids == {"people"}
        task_instance = rendered(operator, dag)
        assert reveal(task_instance.contacts) == evil
        assert "{{" not in json.dumps(_serialize_rendered_fields(task_instance))

    @pytest.mark.parametrize("how", ["expand", "expand_kwargs"])
    def test_the_same_holds_for_a_single_call(self, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
        evil = {"plan": "{{ 6 * 7 }}"}
        values = [evil] if how == "expand" else [{"variables": evil}]
        monkeypatch.setattr(PlainXComArg, "resolve", lambda *_: values)
        with a_dag() as dag:

            @task
            def variables() -> Any:
                return values

            partial: Any = CreateCallOperator.partial(
                task_id="t", agent_id="a", phone_number="{{ params.missing | default('+12125550100') }}"
            )
            output = variables()
            operator = partial.expand(variables=output) if how == "expand" else partial.expand_kwargs(output)
        task_instance = rendered(operator, dag)
        assert reveal(task_instance.variables) == evil
        assert reveal(task_instance.phone_number) == "+12125550100"
        assert shows_somebody(json.dumps(_serialize_rendered_fields(task_instance))) == []

    def test_what_the_dag_file_gives_to_mapped_single_calls_is_not_stored(self) -> None:
        with a_dag() as dag:
            CreateCallOperator.partial(task_id="t", agent_id="a", variables={"name": "Zaphod"}).expand(
                phone_number=["+12125550100", "+12125550101"]
            )
        assert shows_somebody(json.dumps(serialised(dag), default=str)) == []

    def test_bad_parameters_are_refused_like_those_of_a_plain_task(self) -> None:
        with a_dag(), pytest.raises(TypeError, match="no_such_parameter"):
            CreateBatchCallOperator.partial(task_id="t", no_such_parameter=1).expand(name=["x"])
