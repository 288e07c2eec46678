from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from airflow.sdk import Asset, AssetAlias

from airflow_truedy.assets import convert_asset_to_openlineage, create_asset, record_outlets, sanitize_uri
from airflow_truedy.operators.steering import PauseBatchCallOperator
from tests.support.contexts import context_of


def test_an_address_names_account_and_campaign() -> None:
    uri = urlsplit("truedy://sales/renewals")
    assert sanitize_uri(uri) == uri
    assert create_asset(account="sales", campaign="renewals").uri == "truedy://sales/renewals"


@pytest.mark.parametrize("text", ["truedy://sales", "truedy:///renewals", "truedy://a@b/c", "truedy://a/b?c=d"])
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="truedy://"):
        sanitize_uri(urlsplit(text))


def test_an_asset_is_a_dataset_of_openlineage() -> None:
    pytest.importorskip("openlineage.client")
    dataset = convert_asset_to_openlineage(create_asset(account="sales", campaign="renewals"), None)
    assert (dataset.namespace, dataset.name) == ("truedy://sales", "renewals")


def test_every_asset_of_the_task_is_told_ids_and_counts_only() -> None:
    assets = [Asset("truedy://sales/renewals"), Asset("done")]
    operator = PauseBatchCallOperator(task_id="t", batch_call_id="b", outlets=[*assets, AssetAlias("alias")])
    context = context_of(operator)
    record_outlets(
        context, operator.outlets, {"batch_call_id": "b", "called": 3, "failed": None, "phone_number": "+12125550100"}
    )
    assert [context["outlet_events"][asset].extra for asset in assets] == [{"batch_call_id": "b", "called": 3}] * 2
