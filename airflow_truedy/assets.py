"""Assets: ``truedy://`` addresses, and what a task tells the Dags that wait for its assets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from urllib.parse import SplitResult

    from airflow.sdk import Asset, Context

_TOLD = (
    "batch_call_id",
    "name",
    "status",
    "total_contacts",
    "contacts",
    "called",
    "completed",
    "failed",
    "pending",
    "by_outcome",
    "details_missing",
    "uri",
    "table",
)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Check an asset's address such as ``truedy://sales/renewals``: a name of your own for an account, and for a campaign.

    :raises ValueError: if one of them is missing, or it carries what no address of a campaign has.
    """
    if not uri.netloc or not uri.path.strip("/"):
        raise ValueError("A truedy:// asset names an account and a campaign: truedy://sales/renewals")
    if uri.query or uri.fragment or "@" in uri.netloc:
        raise ValueError("A truedy:// asset has no user, query or fragment")
    return uri


def create_asset(*, account: str, campaign: str, extra: dict[str, Any] | None = None) -> Asset:
    """
    Return the asset of a campaign that comes again and again, e.g. ``truedy://sales/renewals``.

    :param account: your own name for the Truedy account.
    :param campaign: your own name for the campaign.
    :param extra: what the asset itself carries.
    """
    from airflow.sdk import Asset

    return Asset(uri=f"truedy://{account}/{campaign}", extra=extra or {})


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> Any:
    """Return the OpenLineage dataset of a ``truedy://`` asset."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    account, _, campaign = asset.uri.removeprefix("truedy://").partition("/")
    return Dataset(namespace=f"truedy://{account}", name=campaign)


def record_outlets(context: Context, outlets: Iterable[Any], summary: Mapping[str, Any]) -> None:
    """
    Put what a campaign came to on the event of every asset among the task's ``outlets``.

    A Dag that waits for one of them reads it as ``triggering_asset_events[...][0].extra``: ids and counts, nobody's
    number.

    :param outlets: the task's ``outlets``.
    :param summary: what the task returns; other keys than the known ones stay out.
    """
    from airflow.sdk import Asset
    from airflow.sdk.definitions.asset import AssetRef

    told = {key: summary[key] for key in _TOLD if summary.get(key) is not None}
    for outlet in outlets:
        if isinstance(outlet, (Asset, AssetRef)):
            context["outlet_events"][outlet].extra.update(told)
