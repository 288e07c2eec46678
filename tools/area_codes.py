"""
Write ``airflow_truedy/calling_hours/data/area_codes.json``: state and zones of all US and Canadian
area codes.

The zones of an area code are those of all ZIP codes that the package ``zipcodes`` lists for it, of whatever state; its
state is the one that most of them lie in. Canada's provinces are stated here. A zone that the ZIP codes name but that
does not exist is replaced by those of the state.

Run ``python -m tools.area_codes`` after a new release of ``zipcodes``; a test says when it is needed.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from importlib import import_module
from pathlib import Path
from typing import Any

from airflow_truedy.calling_hours.errors import UnknownZoneError
from airflow_truedy.calling_hours.zones import zone_of

DATA = Path(__file__).resolve().parent.parent / "airflow_truedy" / "calling_hours" / "data"
CANADA = {
    "AB": "368 403 587 780 825",
    "BC": "236 250 257 604 672 778",
    "MB": "204 431 584",
    "NB": "428 506",
    "NL": "709 879",
    "NS PE": "782 902",
    "NT NU YT": "867",
    "ON": "226 249 289 343 365 382 416 437 519 548 613 647 683 705 742 753 807 905 942",
    "QC": "263 273 354 367 418 438 450 468 514 579 581 819 873",
    "SK": "306 474 639",
}
#: Area codes that lie in one part of their province only.
PART_OF_A_PROVINCE = {
    "America/Toronto": "226 249 289 343 365 382 416 437 519 548 613 647 683 705 742 753 905 942 "
    "263 354 438 450 468 514 579 819 873",
    "America/Vancouver": "257 604",
}
#: Area codes too new for the ZIP codes: each lies over older ones and covers the same ground.
OVERLAYS = {
    "235": "573",
    "274": "920",
    "324": "904",
    "327": "870",
    "329": "845",
    "353": "608",
    "369": "707",
    "645": "305",
    "686": "804",
    "728": "561",
    "730": "618",
    "738": "213 323",
    "748": "970",
    "821": "864",
    "975": "816",
}


def is_zone(name: str) -> bool:
    """Tell whether a name is the zone of a place."""
    try:
        zone_of(name)
    except UnknownZoneError:
        return False
    return True


def from_zip_codes(
    places: dict[str, dict[str, list[str]]],
) -> tuple[dict[str, str], defaultdict[str, set[str]]]:
    """Return the state and the zones of every area code of the ZIP codes."""
    states: defaultdict[str, Counter[str]] = defaultdict(Counter)
    zones: defaultdict[str, set[str]] = defaultdict(set)
    for entry in import_module("zipcodes").list_all():
        found = [entry["timezone"]] if is_zone(entry["timezone"]) else places["US"].get(entry["state"], [""])[1:]
        for code in entry["area_codes"]:
            states[code][entry["state"]] += 1
            zones[code].update(found)
    return {code: f"US-{count.most_common(1)[0][0]}" for code, count in states.items()}, zones


def main() -> None:
    """Write the file."""
    places: dict[str, dict[str, list[str]]] = json.loads((DATA / "places.json").read_text(encoding="utf-8"))
    states, zones = from_zip_codes(places)
    for code, older in OVERLAYS.items():
        states.setdefault(code, states[older.split()[0]])
        zones[code].update(*(zones[each] for each in older.split()))
    provinces = {code: names.split() for names, codes in CANADA.items() for code in codes.split()}
    parts = {code: zone for zone, codes in PART_OF_A_PROVINCE.items() for code in codes.split()}
    for code, names in provinces.items():
        whole = [zone for name in names for zone in places["CA"][name][1:]]
        zones[code].update([parts[code]] if code in parts else whole)
    table: dict[str, Any] = {}
    for code in sorted({*states, *provinces}):
        lies_in = [f"CA-{name}" for name in provinces[code]] if code in provinces else [states[code]]
        table[code] = {"states": lies_in, "zones": sorted(zones[code])}
    lines = ",\n".join(f'"{code}": {json.dumps(entry)}' for code, entry in table.items())
    (DATA / "area_codes.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
