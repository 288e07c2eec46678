"""
A million rows with calling hours: rate with and without, number of parts, and peak memory.

    python benchmarks/calling_hours_million.py [--rows 1000000]

"Without" turns rows into one contacts file; "with" also places every contact by ZIP code, state and area code, and
makes a file for each part. The rows are American, of all ZIP codes; one in ten has a number from elsewhere, so that two
places count. Every measurement has a process of its own, so that its peak memory is its own. Seconds are those of the
processor.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any


def rows(count: int) -> Iterator[dict[str, str]]:
    """Yield rows as a customer table holds them."""
    chance = random.Random(20261125)
    known = [each for each in import_module("zipcodes").list_all() if each["area_codes"] and each["timezone"]]
    codes = sorted({code for each in known for code in each["area_codes"]})
    for number in range(count):
        home = chance.choice(known)
        area = chance.choice(home["area_codes"] if chance.random() < 0.9 else codes)
        yield {
            "phone": f"+1{area}{chance.randint(200, 999)}{chance.randint(0, 9999):04d}",
            "given": f"Given {number % 977}",
            "zip": home["zip_code"] if chance.random() < 0.5 else f"{home['zip_code']}-{chance.randint(1, 9999):04d}",
            "state": home["state"],
        }


def measure(count: int, *, placing: bool) -> dict[str, Any]:
    """Return seconds of the processor for all rows, and what became of them."""
    from airflow_truedy.calling_hours import CallingHours, PlaceColumns
    from airflow_truedy.contacts.columns import Columns
    from airflow_truedy.contacts.prepare import prepare_contacts
    from airflow_truedy.contacts.rules import ContactRules

    policy = CallingHours(PlaceColumns(zip="zip", state="state")) if placing else None
    columns = Columns("phone", first_name="given", custom_fields=["state"])
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "contacts.jsonl.gz"
        manifests = prepare_contacts(rows(count), to, ContactRules(columns=columns, region="US", calling_hours=policy))
    return {
        "seconds": time.process_time() - began,
        "parts": len(manifests),
        "contacts": sum(each.contacts for each in manifests),
        "refused": dict(sum((Counter(each.rejected_by_reason) for each in manifests), Counter())),
        "largest_manifest": max(len(json.dumps(each.to_dict())) for each in manifests),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measured(count: int, kind: str) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, "--only", kind, "--rows", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Measure, or run one measurement for :func:`measured`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("without", "with", "rows"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.rows, placing=options.only == "with")))
        return
    found = {kind: measured(options.rows, kind) for kind in ("without", "with")}
    for kind, each in found.items():
        rate = options.rows / each["seconds"]
        print(f"{kind:<8} {each['seconds']:7.1f} s {rate:9,.0f} rows/s  peak {each['peak_mb']:6.1f} MB")
    few = measured(options.rows // 10, "with")
    print(f"rate with against without: {found['without']['seconds'] / found['with']['seconds']:.2f}")
    print(
        f"peak memory: {few['peak_mb']:.1f} MB at {options.rows // 10:,} rows, {found['with']['peak_mb']:.1f} MB at all"
    )
    made = found["with"]
    print(f"{made['contacts']:,} contacts in {made['parts']} parts; refused: {made['refused']}")
    print(f"largest manifest: {made['largest_manifest']:,} characters")


if __name__ == "__main__":
    main()
