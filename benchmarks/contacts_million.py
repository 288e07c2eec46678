"""
A million rows into a contacts file: rate against a bare libphonenumber loop, and peak memory; how much of the rate
``numbering_plans.py`` buys; and what a set of numbers costs.

    python benchmarks/contacts_million.py [--rows 1000000] [--dsn postgresql://...]

The bare loop calls ``parse``, ``is_valid_number`` and ``format_number`` on the same rows and does nothing
else. With ``--dsn`` the rows are put into a table of that PostgreSQL database first and both read them from
there through a named cursor; without it a generator makes them. Every measurement has a process of its own,
so that its peak memory is its own, and the two kinds take turns, so that a busy machine meets both. Seconds are those
of the processor, which other processes of a busy machine do not add to.
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
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

TABLE = "contacts_million"
NAMES = ("phone", "given", "family", "mail", "plan", "country")
ROUNDS = 3


def made_up(count: int) -> Iterator[tuple[str, ...]]:
    """
    Rows as exports hold them: half American in three spellings, the rest European, some damage, some doubles.
    """
    chance = random.Random(20260401)
    kept: list[tuple[str, ...]] = []
    for number in range(count):
        if kept and chance.random() < 0.03:
            yield chance.choice(kept)
            continue
        phone, country = spelled(chance)
        row = (phone, f"Given {number % 977}", f"Family {number % 7919}", f"p{number}@example.com", "gold", country)
        if number % 1_000 == 0:
            kept.append(row)
        yield row


def spelled(chance: random.Random) -> tuple[str, str]:
    area, exchange, line = chance.choice((212, 305, 312, 415, 617)), chance.randint(200, 999), chance.randint(0, 9999)
    kind = chance.random()
    if kind < 0.2:
        return f"({area}) {exchange}-{line:04d}", "US"
    if kind < 0.35:
        return f"{area}.{exchange}.{line:04d}", "US"
    if kind < 0.5:
        return f"+1{area}{exchange}{line:04d}", "US"
    if kind < 0.7:
        return f"020 7{chance.randint(0, 999):03d} {line:04d}", "GB"
    if kind < 0.8:
        return f"+49 151 {chance.randint(10_000_000, 99_999_999)}", "DE"
    if kind < 0.97:
        return f"06 {chance.randint(10, 99)} {chance.randint(10, 99)} {line // 100:02d} {line % 100:02d}", "FR"
    return chance.choice((f"{area}{exchange}{line:04d}.0", "2.12555E+09", "", "n/a", f"{line:04d}")), "US"


def rows(count: int, dsn: str | None) -> Iterator[dict[str, Any]]:
    if dsn is None:
        for row in made_up(count):
            yield dict(zip(NAMES, row, strict=True))
        return
    import psycopg2

    with closing(psycopg2.connect(dsn)) as connection, connection.cursor(name="rows") as cursor:
        cursor.execute(f"SELECT * FROM {TABLE} ORDER BY id LIMIT {count}")
        while batch := cursor.fetchmany(2_000):
            for row in batch:
                yield dict(zip(NAMES, row[1:], strict=True))


def fill(count: int, dsn: str) -> None:
    import psycopg2
    from psycopg2.extras import execute_values

    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        cursor.execute(
            f"CREATE TABLE {TABLE} (id bigserial PRIMARY KEY, {', '.join(f'{name} text' for name in NAMES)})"
        )
        execute_values(cursor, f"INSERT INTO {TABLE} ({', '.join(NAMES)}) VALUES %s", made_up(count), page_size=5_000)


def bare(count: int, dsn: str | None, _: Any) -> dict[str, Any]:
    import phonenumbers

    started = time.process_time()
    valid = 0
    for row in rows(count, dsn):
        try:
            number = phonenumbers.parse(row["phone"], row["country"])
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            valid += 1
    return {"valid": valid, "seconds": time.process_time() - started}


def without_plans(count: int, dsn: str | None, duplicates: Any) -> dict[str, Any]:
    """The same with libphonenumber alone."""
    from airflow_truedy.contacts import numbers

    numbers.shortcut = lambda *_: None  # type: ignore[attr-defined]
    return prepared(count, dsn, duplicates)


def number_set(count: int, *others: Any) -> dict[str, Any]:
    """Numbers of two countries, half of them spread over eight billion."""
    from airflow_truedy.contacts.number_set import NumberSet

    chance, numbers = random.Random(1), NumberSet()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    for _ in range(count):
        if chance.random() < 0.5:
            numbers.add(12_120_000_000 + chance.randrange(8_000_000_000))
        else:
            numbers.add(4_915_100_000_000 + chance.randrange(100_000_000))
    seconds = time.process_time() - started
    return {"seconds": seconds, "mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}


def prepared(count: int, dsn: str | None, duplicates: Any) -> dict[str, Any]:
    from airflow_truedy.contacts.columns import Columns
    from airflow_truedy.contacts.prepare import prepare_contacts
    from airflow_truedy.contacts.rules import ContactRules, RegionColumn

    columns = Columns("phone", first_name="given", last_name="family", email="mail", custom_fields=["plan"])
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        rules = ContactRules(region=RegionColumn("country"), columns=columns, duplicates=duplicates)
        (manifest,) = prepare_contacts(rows(count, dsn), Path(folder) / "contacts.jsonl.gz", rules)
        seconds = time.process_time() - started
    return {"contacts": manifest.contacts, "size": manifest.size, "seconds": seconds}


KINDS: dict[str, Callable[..., dict[str, Any]]] = {
    "bare": bare,
    "prepared": prepared,
    "without_plans": without_plans,
    "number_set": number_set,
}


def measured(*arguments: str) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dsn", help="PostgreSQL database to make a table in; default: a generator")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--duplicates", default="first")
    parser.add_argument("--only", choices=tuple(KINDS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        result = KINDS[options.only](options.rows, options.dsn, options.duplicates)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**result, "peak_mb": peak}))
        return
    report(options)


def report(options: argparse.Namespace) -> None:
    place = ["--dsn", options.dsn] if options.dsn else []
    if options.dsn:
        fill(options.rows, options.dsn)
    fixed = [*place, "--duplicates", options.duplicates]
    ratios, whole = [], {}
    for _ in range(options.rounds):
        plain = measured("--only", "bare", "--rows", str(options.rows), *place)
        whole = measured("--only", "prepared", "--rows", str(options.rows), *fixed)
        ratios.append(plain["seconds"] / whole["seconds"])
        for name, found in (("bare loop", plain), ("contacts file", whole)):
            rate = options.rows / found["seconds"]
            print(f"{name:<14} {found['seconds']:7.1f} s {rate:9,.0f} rows/s  peak {found['peak_mb']:6.1f} MB")
    slow = measured("--only", "without_plans", "--rows", str(options.rows), *fixed)
    numbers = measured("--only", "number_set", "--rows", str(options.rows))
    few = measured("--only", "prepared", "--rows", str(options.rows // 10), *fixed)
    print(f"rate against the bare loop: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    print(f"peak memory: {few['peak_mb']:.1f} MB at {options.rows // 10:,} rows, {whole['peak_mb']:.1f} MB at all")
    print(f"without numbering_plans.py: {slow['seconds'] / whole['seconds']:.2f} times as long")
    print(f"a set of {options.rows:,} numbers: {numbers['mb']:.1f} MB, {numbers['seconds']:.1f} s")
    print(f"{whole['contacts']:,} contacts, file of {whole['size'] / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
