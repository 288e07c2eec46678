"""What is expected of Airflow's private names. A failure here names what the installed Airflow changed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from airflow import __version__ as airflow_version
from airflow.providers.common.compat.sdk import BaseOperator
from airflow.sdk import DAG, Asset
from packaging.version import Version

from airflow_truedy import compat

AIRFLOW = Version(Version(airflow_version).base_version)


@contextmanager
def contract(name: str) -> Iterator[None]:
    """Tell which Airflow no longer keeps to what ``airflow_truedy.compat`` expects of ``name``."""
    try:
        yield
    except Exception as error:
        pytest.fail(f"Airflow {airflow_version} changed {name}, see airflow_truedy/compat.py: {error!r}")


class Echo(BaseOperator):
    """Keeps what it was given, and whether it was made from a mapped task."""

    template_fields = ("value",)

    def __init__(self, *, value: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value
        self.from_mapped = compat.is_from_mapped(self)


def context_of(operator: Any, dag: DAG, map_index: int = -1) -> Any:
    ti = SimpleNamespace(task=operator, dag_id="d", task_id="t", run_id="r", map_index=map_index)
    return {"task": operator, "dag": dag, "ti": ti, "params": {}, "dag_run": SimpleNamespace(conf={})}


def test_a_value_that_resolves_itself_is_asked_to_and_makes_its_tasks_upstream() -> None:
    class Value(compat.ResolveMixin):
        def resolve(self, context: Any) -> Any:
            return "resolved"

        def iter_references(self) -> Any:
            yield upstream, "return_value"

    with contract("ResolveMixin"):
        with DAG("d", schedule=None) as dag:
            upstream = Echo(task_id="up")
            task: Any = Echo(task_id="t", value=Value())
        assert task.upstream_task_ids == {"up"}
        task.render_template_fields(context_of(task, dag))
        assert task.value == "resolved"


def test_references_are_found_inside_values() -> None:
    with contract("XComArg.iter_xcom_references"):
        with DAG("d", schedule=None):
            upstream: Any = Echo(task_id="up")
        assert [task.task_id for task, _ in compat.XComArg.iter_xcom_references({"a": [upstream.output]})] == ["up"]


def test_a_literal_value_holds_its_value() -> None:
    with contract("LiteralValue"):
        literal = compat.LiteralValue("{{ x }}")
        assert isinstance(literal, compat.ResolveMixin)
        assert literal.resolve({}) == "{{ x }}"


def test_a_templater_of_its_own_renders_nested_values_as_text() -> None:
    with contract("Templater"):
        templater = compat.Templater()
        templater.template_ext = ()
        environment = DAG("d", schedule=None, render_template_as_native_obj=True).get_template_env(force_sandboxed=True)
        rendered = templater.render_template([{"n": "{{ number }}"}], {"number": "+12125550100"}, environment)
        assert rendered == [{"n": "+12125550100"}]
        assert templater.render_template("{{ 5 }}", {}, templater.get_template_env()) == "5"


def test_a_task_of_a_mapped_one_is_told_from_others_in_its_init() -> None:
    with contract("_BaseOperator__from_mapped"):
        with DAG("d", schedule=None) as dag:
            plain: Any = Echo(task_id="p")
            mapped: Any = Echo.partial(task_id="t").expand(value=["a"])
        assert plain.from_mapped is False
        context = context_of(mapped, dag, map_index=0)
        mapped.render_template_fields(context)
        assert context["task"].from_mapped is True


def test_a_mapped_task_tells_which_parameters_it_maps_over() -> None:
    with contract("expand_input"):
        with DAG("d", schedule=None) as dag:
            Echo(task_id="p")
            Echo.partial(task_id="one").expand(value=["a"])
            Echo.partial(task_id="each").expand_kwargs([{"value": "a"}])
            Echo.partial(task_id="unknown").expand_kwargs(Echo(task_id="up").output)

        def maps(task_id: str, parameter: str) -> bool:
            ti: Any = SimpleNamespace(task_id=task_id)
            return compat.is_mapped_by(parameter, {"dag": dag, "ti": ti})

        assert [maps(task_id, "value") for task_id in ("p", "one", "each", "unknown")] == [False, True, True, True]
        assert [maps(task_id, "queue") for task_id in ("one", "each")] == [False, False]


def test_a_partial_can_be_taken_over(recwarn: pytest.WarningsRecorder) -> None:
    with contract("OperatorPartial, _expand_called"):
        names = {"operator_class", "kwargs", "params"}
        assert names <= set(inspect.signature(compat.OperatorPartial).parameters)
        with DAG("d", schedule=None):
            partial: Any = Echo.partial(task_id="t")
            compat.count_as_expanded(partial)
            other = compat.OperatorPartial(**{name: getattr(partial, name) for name in names})
            assert other.expand(value=["a"]).task_id == "t"
            del partial
        assert [str(one.message) for one in recwarn if "never mapped" in str(one.message)] == []


def test_the_task_state_store_is_there_from_3_3_on() -> None:
    with contract("task_state_store"):
        from airflow.sdk import Context

        assert ("task_state_store" in Context.__annotations__) == (Version("3.3") <= AIRFLOW)
    assert compat.task_state({}, "key") is None  # type: ignore[typeddict-item]
    accessor: dict[str, Any] = {}
    kept = SimpleNamespace(get=accessor.get, set=accessor.__setitem__)
    state = compat.task_state({"task_state_store": kept}, "key")  # type: ignore[typeddict-unknown-key,typeddict-item]
    assert state is not None
    assert state.get() is None
    state.set({"a": 1})
    assert state.get() == accessor["key"] == {"a": 1}
    accessor["key"] = "of somebody else"
    assert state.get() is None


def test_triggers_are_told_of_kills_from_3_3_on() -> None:
    with contract("BaseTrigger.on_kill"):
        assert compat.triggers_hear_of_kills() == (Version("3.3") <= AIRFLOW)


def test_retry_policies_are_there_from_3_3_on() -> None:
    with contract("RetryPolicy"):
        assert (compat.RetryPolicy is not object) == (Version("3.3") <= AIRFLOW)


def test_who_sent_a_request_to_the_api_server_is_found_in_one_of_three_ways() -> None:
    with contract("get_user"):
        from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
        from airflow.api_fastapi.core_api.security import get_user

        first, *others = inspect.signature(get_user).parameters
        assert COOKIE_NAME_JWT_TOKEN == "_token"
        assert (first, len(others)) in {("token_str", 0), ("oauth_token", 1), ("request", 2)}
        assert first == "request" or Version("3.1.1") > AIRFLOW


async def test_nobody_is_signed_in_without_a_token() -> None:
    from fastapi import HTTPException
    from starlette.requests import Request

    with contract("get_user"):
        with pytest.raises(HTTPException) as refused:
            await compat.signed_in_user(Request({"type": "http", "headers": [], "method": "GET", "path": "/"}))
        assert refused.value.status_code == 401


@pytest.mark.parametrize("allowed", [True, False])
def test_the_auth_manager_is_asked_for_the_connection_and_the_dag(
    monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    asked: list[tuple[str, str, Any]] = []

    with contract("is_authorized_connection, is_authorized_dag"):
        from airflow.api_fastapi import app
        from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager

        class Manager:
            def is_authorized_connection(self, *, method: str, user: Any, details: Any = None) -> bool:
                asked.append((method, user, details.conn_id))
                return allowed

            def is_authorized_dag(
                self, *, method: str, user: Any, access_entity: Any = None, details: Any = None
            ) -> bool:
                asked.append((method, user, (access_entity.name, details.id)))
                return allowed

        for name in ("is_authorized_connection", "is_authorized_dag"):
            ours, theirs = (inspect.signature(getattr(one, name)).parameters for one in (Manager, BaseAuthManager))
            assert set(ours) == set(theirs)
        monkeypatch.setattr(app, "get_auth_manager", Manager)
        assert compat.may_read_connection("ann", "truedy_default") is allowed
        assert compat.may_read_dag("ann", "renewals") is allowed
    assert asked[0] == ("GET", "ann", "truedy_default")
    assert asked[1] == ("GET", "ann", ("RUN", "renewals"))
    assert asked[2:] == ([("GET", "ann", ("XCOM", "renewals"))] if allowed else [])


def test_a_connection_is_read_without_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_UI", '{"conn_type": "truedy", "password": "k", "extra": {"settle": 0}}')
    with contract("Connection.get_connection_from_secrets"):
        connection = compat.stored_connection("truedy_ui")
        assert (connection.conn_type, connection.password) == ("truedy", "k")
        assert connection.extra_dejson == {"settle": 0}


def test_what_the_pages_read_of_the_database_is_there() -> None:
    with contract("XComModel, RenderedTaskInstanceFields"):
        from airflow.models.renderedtifields import RenderedTaskInstanceFields
        from airflow.models.xcom import XComModel

        for model in (XComModel, RenderedTaskInstanceFields):
            assert {"dag_id", "task_id", "run_id", "map_index"} <= set(model.__table__.columns.keys())
        assert {"key", "value", "timestamp"} <= set(XComModel.__table__.columns.keys())
        for stored in ('{"a": 1}', {"a": 1}):
            assert XComModel.deserialize_value(SimpleNamespace(value=stored)) == {"a": 1}


def test_an_asset_may_be_named_by_reference() -> None:
    with contract("AssetRef"):
        from airflow.sdk.definitions.asset import AssetRef

        assert not isinstance(Asset("truedy://a/b"), AssetRef)
        assert issubclass(type(Asset.ref(uri="truedy://a/b")), AssetRef)


def test_what_is_private_is_named_in_one_module() -> None:
    """Private names of Airflow stand in compat.py alone, so that its tests find them all."""
    from tests.test_house import FILES, PACKAGE, imports_of

    private = [
        f"{path.relative_to(PACKAGE)}:{line} imports {name}"
        for path in FILES
        if path.name != "compat.py"
        for name, line in imports_of(path)
        if name.startswith("airflow.") and any(part[:1] == "_" != part[1:2] for part in name.split("."))
    ]
    assert private == []
    known = ("_BaseOperator__", "_expand_called", "_generate_insert_sql", "_do_render_template_fields")
    spelled = [
        f"{path.relative_to(PACKAGE)} says {name}"
        for path in FILES
        if path.name != "compat.py"
        for name in known
        if name in path.read_text()
    ]
    assert spelled == []


def test_what_moved_is_imported_from_where_every_version_has_it() -> None:
    """Exceptions came to the task SDK after Airflow 3.0, in the course of several versions."""
    from tests.test_house import REPOSITORY, imports_of

    folders = [REPOSITORY / name for name in ("airflow_truedy", "dags_examples", "tests")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    late = ("airflow.sdk.exceptions.", "airflow.sdk.BaseHook")
    found = [f"{path}:{line} {name}" for path in files for name, line in imports_of(path) if name.startswith(late)]
    assert found == []
