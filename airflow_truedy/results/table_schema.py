"""How the table of results looks in each database, as SQLAlchemy describes it."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_truedy.results.columns import instant_text, known_instant

MYSQL = ("mysql", "mariadb")
#: Characters that MySQL's kinds of text hold, at four bytes each.
_TEXTS = {"TINYTEXT": 63, "TEXT": 16_383, "MEDIUMTEXT": 4_194_303}
_PART = re.compile(r'[A-Za-z_][\w$]*|"[^"]+"')
_LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql").with_variant(mysql.LONGTEXT(), "mariadb")

if TYPE_CHECKING:
    _Decorator = sa.types.TypeDecorator[Any]
else:
    _Decorator = sa.types.TypeDecorator  # not generic in SQLAlchemy 1.4, which Airflow 3.0 and 3.1 bring


class Instant(_Decorator):
    """An instant in UTC, in columns with or without a time zone, and in columns of text."""

    impl = sa.DateTime
    cache_ok = True

    def __init__(self, kept_as: str = "aware") -> None:
        super().__init__()
        self.kept_as = kept_as

    def load_dialect_impl(self, dialect: Any) -> Any:
        if self.kept_as == "text":
            return dialect.type_descriptor(sa.Text())
        kind = mysql.DATETIME(fsp=6) if dialect.name in MYSQL else sa.DateTime(timezone=self.kept_as == "aware")
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        moment = known_instant(value)
        if moment is None or self.kept_as == "text":
            return instant_text(moment)
        in_utc = moment.astimezone(timezone.utc)
        has_zones = self.kept_as == "aware" and dialect.name not in (*MYSQL, "sqlite")
        return in_utc if has_zones else in_utc.replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        return known_instant(value)


def key_text() -> Any:
    """Return the type of an id's column."""
    # Compared byte by byte: two ids that differ in case are two contacts.
    exact = mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(255).with_variant(exact, "mysql").with_variant(exact, "mariadb")


def results_table(name: str = "results", schema: str | None = None, called_at: Instant | None = None) -> sa.Table:
    """Return the table of results; ``called_at`` is told where an existing table keeps it in its own way."""
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("batch_call_id", key_text(), primary_key=True),
        sa.Column("contact_id", key_text(), primary_key=True),
        sa.Column("contact_key", sa.String(255)),
        sa.Column("phone_number", sa.String(32)),
        sa.Column("first_name", sa.String(255)),
        sa.Column("custom_fields", _LONG_TEXT),
        sa.Column("call_status", sa.String(64), nullable=False),
        sa.Column("call_id", sa.String(255)),
        sa.Column("called_at", called_at or Instant()),
        sa.Column("outside_hours", sa.Boolean()),
        sa.Column("duration_seconds", sa.Numeric(12, 3, asdecimal=False)),
        sa.Column("cost_credits", sa.Numeric(16, 4, asdecimal=False)),
        sa.Column("summary", _LONG_TEXT),
        sa.Column("transcript", _LONG_TEXT),
        sa.Column("details", sa.String(16), nullable=False),
        sa.Column("cleaned", sa.String(255)),
        schema=schema,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def most_characters(kind: Any) -> int | None:
    """Return how many characters a column holds, ``None`` for any number."""
    if type(kind).__module__.startswith(mysql.__name__) and type(kind).__name__ in _TEXTS:
        return _TEXTS[type(kind).__name__]
    return kind.length if isinstance(kind, sa.String) else None


def kept_as_of(kind: Any) -> str:
    """Return how a column keeps an instant: ``aware``, ``naive`` or as ``text``."""
    if isinstance(kind, sa.DateTime):
        return "aware" if kind.timezone else "naive"
    return "text" if isinstance(kind, sa.String) else "naive"


def named(table: str, dialect: str) -> tuple[Any, str | None]:
    """Split a name into table and schema. What is not quoted has no case, except in MySQL, where files have it."""
    parts = [
        sa.sql.quoted_name(part.strip('"'), quote=True)
        if part.startswith('"')
        else (part if dialect in MYSQL else part.lower())
        for part in _PART.findall(table)
    ]
    return parts[-1], ".".join(parts[:-1]) or None
