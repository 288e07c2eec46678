from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_truedy.contacts.columns import OTHERS, Columns
from airflow_truedy.contacts.errors import MissingColumnError, UnknownRegionError
from airflow_truedy.contacts.reasons import ALLOWABLE
from airflow_truedy.contacts.rules import ContactRules, RegionColumn
from airflow_truedy.contacts.suppression import Suppression

ALL = Columns("tel", email="mail", custom_fields={"tier": "plan"}, required=["id"])


def test_named_columns_must_exist() -> None:
    rules = ContactRules(region=RegionColumn("country"), columns=ALL, split_by="zone")
    assert rules.found_in(["tel", "mail", "plan", "id", "country", "zone", "more"]) is rules
    with pytest.raises(MissingColumnError, match=r"No column \['country', 'id', 'mail', 'zone'\].*\['plan', 'tel'\]"):
        rules.found_in(["tel", "plan"])


@pytest.mark.parametrize("person", ["+12125550100", "zeb@example.com", "(212) 555-0100"])
def test_people_in_place_of_names_of_columns_are_not_shown(person: str) -> None:
    with pytest.raises(MissingColumnError, match=r"there are \['name', '\(others are not shown") as caught:
        ContactRules(region=None).found_in([person, "name"])
    assert person not in str(caught.value)


def test_columns_may_differ_in_upper_and_lower_case() -> None:
    rules = ContactRules(region=RegionColumn("Country"), columns=ALL, split_by="zone")
    found = rules.found_in(["TEL", "MAIL", "PLAN", "ID", "COUNTRY", "ZONE", "mail"])
    assert found.columns == Columns("TEL", email="mail", custom_fields={"tier": "PLAN"}, required=["ID"])
    assert (found.region, found.split_by) == (RegionColumn("COUNTRY"), "ZONE")
    assert found.columns.reader()({"PLAN": "gold", "ID": "1"}) == {"custom_fields": {"tier": "gold"}}


def test_two_columns_that_differ_only_so_are_not_chosen_from() -> None:
    with pytest.raises(MissingColumnError, match=r"No column \['tel'\]"):
        ContactRules(region="US", columns=Columns("tel")).found_in(["TEL", "Tel"])


def test_all_other_columns_stay_all_others() -> None:
    found = ContactRules(region=None, columns=Columns("tel", custom_fields=OTHERS)).found_in(["TEL", "Plan"])
    assert found.columns.reader()({"TEL": "1", "Plan": "gold"}) == {"custom_fields": {"Plan": "gold"}}


def test_columns_may_be_stated_as_a_mapping() -> None:
    rules = ContactRules(region="US", columns={"phone_number": "tel", "custom_fields": ["plan"]})  # type: ignore[arg-type]
    assert rules.columns == Columns("tel", custom_fields=["plan"])
    assert ContactRules(region="US", columns=None).columns == Columns()  # type: ignore[arg-type]
    with pytest.raises(MissingColumnError, match=r'\[\'phone\'\] are not fields.*columns=\{"phone_number": "mobile"\}'):
        ContactRules(region="US", columns={"phone": "tel"})  # type: ignore[arg-type]


def test_the_region_must_be_stated() -> None:
    with pytest.raises(TypeError, match="region"):
        ContactRules()  # type: ignore[call-arg]


@pytest.mark.parametrize("region", ["us", "USA", "+1", "", 49, b"US"])
def test_what_cannot_be_a_region_is_refused_at_once(region: object) -> None:
    with pytest.raises(UnknownRegionError, match=r'RegionColumn\("country"\).*None'):
        ContactRules(region=region)  # type: ignore[arg-type]


@pytest.mark.parametrize(("region", "meant"), [("UK", "GB"), ("USA", "US")])
def test_a_word_for_a_region_gets_a_hint(region: str, meant: str) -> None:
    with pytest.raises(UnknownRegionError, match=f'did you mean "{meant}"'):
        ContactRules(region=region)


def test_only_kinds_of_numbers_can_be_allowed() -> None:
    assert ContactRules(region="US", allow="extension").allow <= ALLOWABLE  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\['short_number'\].*toll_free"):
        ContactRules(region="US", allow=["short_number"])  # type: ignore[arg-type]


def test_an_unknown_way_with_duplicates_is_refused() -> None:
    with pytest.raises(ValueError, match="'some' is none of"):
        ContactRules(region="US", duplicates="some")  # type: ignore[arg-type]


@pytest.mark.parametrize("column", ["tel", "mail"])
def test_a_list_is_not_split_by_what_says_who_somebody_is(column: str) -> None:
    with pytest.raises(ValueError, match=r"split_by='(tel|mail)'.*XCom"):
        ContactRules(region="US", columns=ALL, split_by=column)
    assert ContactRules(region="US", columns=ALL, split_by="plan")


def test_on_empty_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="'stop' is neither 'fail' nor 'skip'"):
        ContactRules(region="US", on_empty="stop")  # type: ignore[arg-type]


@pytest.mark.parametrize("suppression", ["dnc.csv", ["+12125550100"], Path("dnc.csv"), [Path("dnc.csv")], 5, {}])
def test_what_is_no_do_not_call_list_is_refused_and_not_shown(suppression: Any) -> None:
    with pytest.raises(ValueError, match="suppression must be a do-not-call list") as refused:
        ContactRules(region="US", suppression=suppression)
    assert "2125550100" not in str(refused.value)


@pytest.mark.parametrize("limit", [-1, 1.5, 20.0, "5%", True, float("nan")])
def test_a_limit_of_refused_rows_that_would_mean_nothing_is_refused(limit: Any) -> None:
    with pytest.raises(ValueError, match=r"max_rejected=.* must be a whole number of rows such as 20, or a share"):
        ContactRules(region="US", max_rejected=limit)


@pytest.mark.parametrize("limit", [None, 0, 20, 0.0, 0.05, 1.0])
def test_a_limit_of_refused_rows_may_be_a_number_or_a_share(limit: Any) -> None:
    assert ContactRules(region="US", max_rejected=limit).max_rejected == limit


@pytest.mark.parametrize(
    "columns", ["phone", ["phone"], {"phone_number": None}, {"phone_number": ["a"]}, {"phone_number": "p", "email": 5}]
)
def test_columns_that_are_no_names_are_refused(columns: Any) -> None:
    with pytest.raises(ValueError, match="columns"):
        ContactRules(region="US", columns=columns)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"custom_fields": 5}}, "custom_fields must be names of columns.*it is 5"),
        ({"columns": {"custom_fields": None}}, "custom_fields must be names of columns"),
        ({"columns": {"custom_fields": ["plan", 5]}}, "custom_fields must be names"),
        ({"columns": {"custom_fields": {"plan": 5}}}, "custom_fields must be names"),
        ({"columns": {"custom_fields": [["plan", "tier"]]}}, "custom_fields must be names"),
        ({"columns": {"required": 5}}, "required must be names of columns; it is 5"),
        ({"columns": {"required": [5]}}, "required must be names of columns"),
        ({"allow": 5}, "allow=5 must be a list of kinds"),
        ({"allow": None}, "allow=None must be a list of kinds"),
        ({"split_by": ["zone"]}, r"split_by=\['zone'\] is not the name of a column"),
        ({"split_by": ""}, "split_by='' is not the name of a column"),
        ({"max_splits": "5"}, "max_splits='5' must be a whole number, 1 or more"),
        ({"max_splits": 0}, "max_splits=0 must be"),
        ({"suppression": Suppression}, "suppression must be a do-not-call list or several"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ContactRules(region="US", **options)


@pytest.mark.parametrize("name", [5, "", None, ["country"]])
def test_a_region_column_has_a_name(name: Any) -> None:
    with pytest.raises(ValueError, match="is not the name of a column"):
        RegionColumn(name)
