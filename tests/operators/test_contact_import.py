from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from truedy_sandbox.process import SandboxProcess

from airflow_truedy.api.errors import InvalidPayloadError, OutcomeUnknownError, UnreadableAnswerError
from airflow_truedy.api.models import ImportResult
from airflow_truedy.contacts.columns import Columns
from airflow_truedy.hooks.truedy import TruedyHook
from airflow_truedy.operators.contacts import ImportContactsOperator
from tests.contacts.prepared import prepared
from tests.support.contexts import context_of

PEOPLE = [
    {"phone_number": f"+1212555{i:04d}", "first_name": "Ann", "last_name": "Li", "custom_fields": {"plan": "gold"}}
    for i in range(100, 150)
]


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxProcess]:
    with SandboxProcess(rate_limit=0) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> SandboxProcess:
    return connected(server, monkeypatch)


def connected(server: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> SandboxProcess:
    monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", server.connection())
    return server


def imported(**options: Any) -> dict[str, Any]:
    fixed = {"task_id": "import", "contacts": PEOPLE}
    return ImportContactsOperator(**{**fixed, **options}).execute({})


def people_in(folder_id: str) -> list[Any]:
    with TruedyHook() as hook:
        return list(hook.list_contacts(folder_id))


def test_contacts_arrive_in_a_folder_made_by_name(sandbox: SandboxProcess) -> None:
    outcome = imported(folder="spring")
    names = ("files", "contacts", "imported", "updated", "skipped", "errors", "missing", "reasons")
    assert {name: outcome[name] for name in names} == {
        "files": 1,
        "contacts": 50,
        "imported": 50,
        "updated": 0,
        "skipped": 0,
        "errors": 0,
        "missing": 0,
        "reasons": {},
    }
    people = people_in(outcome["folder_id"])
    assert sorted(person.phone for person in people) == [person["phone_number"] for person in PEOPLE]
    assert {(person.name, json.dumps(person.custom_fields)) for person in people} == {("Ann Li", '{"plan": "gold"}')}


def test_it_is_safe_to_run_again(sandbox: SandboxProcess) -> None:
    first, second = imported(folder="again"), imported(folder="again")
    updated = imported(folder_id=first["folder_id"], overwrite_existing=True)
    assert first["folder_id"] == second["folder_id"]
    assert (second["imported"], second["skipped"]) == (0, 50)
    assert (updated["imported"], updated["updated"]) == (0, 50)
    assert len(people_in(first["folder_id"])) == 50


def test_a_list_is_sent_in_files_below_a_size(sandbox: SandboxProcess, tmp_path: Path) -> None:
    rows = [{"phone_number": person["phone_number"], "name": "Ann"} for person in PEOPLE]
    to = tmp_path / "contacts.jsonl.gz"
    manifest = prepared(rows, to, region=None, columns=Columns(full_name="name"))
    outcome = imported(contacts=manifest.to_dict(), folder="pieces", max_bytes=300)
    assert outcome["files"] > 3
    assert outcome["imported"] == 50
    assert len(people_in(outcome["folder_id"])) == 50


def test_an_older_server_is_understood(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with SandboxProcess(rate_limit=0, csv_phone_column="phone_number", import_answer="snapshot") as older:
        connected(older, monkeypatch)
        outcome = imported(folder="spring")
        assert outcome["imported"] == 50
        assert len(people_in(outcome["folder_id"])) == 50


def test_refused_rows_fail_the_task_and_show_nobody(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(*_: Any) -> ImportResult:
        details = [{"row": i, "phone": "+12125550100", "reason": "+12125550100 is on a list"} for i in range(3)]
        return ImportResult.model_validate({"imported": 47, "errors": 3, "error_details": details})

    monkeypatch.setattr(TruedyHook, "import_contacts", answer)
    with pytest.raises(AirflowFailException, match="refused 3 and says nothing of 0 of 50 contacts, max_") as caught:
        imported(folder="spring", max_errors=2)
    outcome = imported(folder="spring", max_errors=3)
    assert outcome["reasons"] == {"+*********00 is on a list": 3}
    for text in (str(caught.value), caplog.text, json.dumps(outcome)):
        assert "5550100" not in text


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        ({"imported": 3, "updated": 0, "skipped": 0, "errors": 0}, 47),
        ({"imported": 10, "updated": 10, "skipped": 10, "errors": 10}, 10),
        ({"successful": 20, "failed": 10, "errors": [{"row": 1, "error": "bad"}]}, 20),
        ({"errors": 0}, 50),
        ({"imported": 40, "skipped": 10, "errors": 0}, 0),
    ],
)
def test_contacts_that_the_answer_leaves_out_count_as_refused(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], missing: int
) -> None:
    imported(folder="spring")
    result = ImportResult.model_validate(answer)
    monkeypatch.setattr(TruedyHook, "import_contacts", lambda *_: result)
    bad = missing + (result.errors or 0)
    assert imported(folder="spring", max_errors=bad)["missing"] == missing
    if bad:
        with pytest.raises(AirflowFailException, match=rf"says nothing of {missing} of 50 contacts"):
            imported(folder="spring", max_errors=bad - 1)


def test_an_answer_without_counts_is_no_success(sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TruedyHook, "import_contacts", lambda *_: ImportResult.model_validate({}))
    with pytest.raises(UnreadableAnswerError, match=r"import: .*how many"):
        imported(folder="spring", max_errors=50)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"imported": 50, "skipped": 10}, "50 contacts were sent"),
        ({"imported": 5_000}, "50 contacts were sent"),
        ({"imported": 60, "errors": -10}, "50 contacts were sent"),
        ({"imported": 50, "folder_id": "folder_other"}, "is about folder 'folder_other'"),
    ],
)
def test_an_impossible_answer_is_no_success(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], told: str
) -> None:
    monkeypatch.setattr(TruedyHook, "import_contacts", lambda *_: ImportResult.model_validate(answer))
    with pytest.raises(UnreadableAnswerError, match=told):
        imported(folder="spring", max_errors=50)


@pytest.mark.parametrize("word", ["skipped", "updated"])
@pytest.mark.parametrize("tells_count", [True, False])
def test_who_is_skipped_must_be_in_the_folder(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, word: str, tells_count: bool
) -> None:
    """A server that knows contacts by number alone skips those of another folder."""
    monkeypatch.setattr(TruedyHook, "import_contacts", lambda *_: ImportResult.model_validate({word: 50}))
    if not tells_count:
        listed = TruedyHook.list_folders
        monkeypatch.setattr(
            TruedyHook,
            "list_folders",
            lambda hook: [each.model_copy(update={"contact_count": None}) for each in listed(hook)],
        )
    folder = f"skips {word} {tells_count}"
    with pytest.raises(AirflowFailException, match="50 that it skipped or updated are not in folder"):
        imported(folder=folder)
    if tells_count:
        # The next try finds the folder, which does not make it right.
        with pytest.raises(AirflowFailException, match="50 that it skipped or updated are not in folder"):
            imported(folder=folder, max_errors=49)


def test_a_folder_that_holds_people_already_is_told_of_and_a_fresh_one_is_offered(
    sandbox: SandboxProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    imported(folder="weekly")
    assert "contacts already" not in capfd.readouterr().out
    last_week = imported(folder="weekly", contacts=[{"phone_number": "+12125550199"}])
    assert "holds 50 contacts already" in capfd.readouterr().out
    assert len(people_in(last_week["folder_id"])) == 51

    def fresh(run_id: str) -> dict[str, Any]:
        task = ImportContactsOperator(task_id="import", contacts=PEOPLE, folder="weekly", fresh_folder=True)
        return task.execute(context_of(task, run_id=run_id))

    first, again, next_week = fresh("one"), fresh("one"), fresh("two")
    assert (first["imported"], again["skipped"], next_week["imported"]) == (50, 50, 50)
    assert first["folder_id"] == again["folder_id"] != next_week["folder_id"]
    with pytest.raises(ValueError, match="fresh_folder needs folder"):
        ImportContactsOperator(task_id="import", contacts=PEOPLE, folder_id="a", fresh_folder=True)


def test_two_folders_of_one_name_mean_the_older_one(sandbox: SandboxProcess) -> None:
    with TruedyHook() as hook:
        older = hook.create_folder("twins")
        sandbox.advance(2)  # the API tells whole seconds
        hook.create_folder("twins")
    assert imported(folder="twins")["folder_id"] == older.id


def test_a_lost_answer_is_left_to_a_retry_which_imports_nobody_twice(sandbox: SandboxProcess) -> None:
    sandbox.fault("lost_answer", "POST", "contacts/import", times=1)
    with pytest.raises(OutcomeUnknownError):
        imported(folder="lost")
    outcome = imported(folder="lost")
    assert (outcome["imported"], outcome["skipped"]) == (0, 50)
    assert len(people_in(outcome["folder_id"])) == 50


def test_a_folder_must_be_said_once() -> None:
    for folders in ({}, {"folder": "a", "folder_id": "b"}):
        with pytest.raises(ValueError, match="either folder"):
            ImportContactsOperator(task_id="import", contacts=PEOPLE, **folders)


def test_what_no_retry_can_help_fails_at_once(sandbox: SandboxProcess) -> None:
    with pytest.raises(AirflowFailException, match=r"phone_number is not an E\.164"):
        imported(folder="spring", contacts=[{"phone_number": "212 555 0100"}])
    with pytest.raises(InvalidPayloadError, match="task 'import': contacts = None"):
        imported(folder="spring", contacts=None)
    rendered = ImportContactsOperator(task_id="import", folder="spring", contacts="{{ people }}")
    rendered.contacts = ""
    with pytest.raises(AirflowFailException, match=r"contacts = \(nothing\): its template rendered to nothing"):
        rendered.execute({})
    with pytest.raises(AirflowFailException):
        imported(folder_id="folder_none")
