"""Find the PostgreSQL, MariaDB and Redis that some tests need, and create a database for one test."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest
import sqlalchemy

POSTGRES_ADDRESS = os.environ.get("TRUEDY_TEST_POSTGRES", "127.0.0.1:5432")
MARIADB_ADDRESS = os.environ.get("TRUEDY_TEST_MARIADB", "127.0.0.1:3306")
REDIS_ADDRESS = os.environ.get("TRUEDY_TEST_REDIS", "127.0.0.1:6379")


def missing(what: str) -> NoReturn:
    """Fail in CI, where every service is required; skip the test elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}; CI requires it")
    pytest.skip(what)


def require_listening(name: str, address: str, variable: str) -> None:
    """Skip or fail unless something listens at ``[user[:password]@]host:port``."""
    place = urlsplit(f"//{address}")
    try:
        socket.create_connection((place.hostname or "", place.port or 0), timeout=2).close()
    except OSError as error:
        missing(f"no {name} at {place.hostname}:{place.port} ({variable} says where): {error}")


@dataclass(frozen=True)
class Database:
    """Hold the address of a PostgreSQL database.

    :param server: ``[user[:password]@]host:port``; default user ``postgres``.
    :param name: name of the database.
    """

    server: str
    name: str

    @property
    def _address(self) -> str:
        server = self.server if "@" in self.server else f"postgres@{self.server}"
        return f"{server}/{self.name}"

    @property
    def sqlalchemy_url(self) -> str:
        """Return the URL for Airflow's metadata database and result backend."""
        return f"postgresql+psycopg2://{self._address}"

    @property
    def airflow_uri(self) -> str:
        """Return the URI for an ``AIRFLOW_CONN_...`` variable."""
        return f"postgres://{self._address}"

    def connect(self) -> Any:
        """Open a psycopg2 connection that commits every statement."""
        import psycopg2

        connection = psycopg2.connect(f"postgresql://{self._address}")
        connection.autocommit = True
        return connection


@contextlib.contextmanager
def temporary_database() -> Iterator[Database]:
    """Create a PostgreSQL database with a unique name, and drop it afterwards."""
    require_listening("PostgreSQL", POSTGRES_ADDRESS, "TRUEDY_TEST_POSTGRES")
    database = Database(POSTGRES_ADDRESS, f"truedy_test_{secrets.token_hex(6)}")
    _on_server(f'CREATE DATABASE "{database.name}"')
    try:
        yield database
    finally:
        _on_server(f'DROP DATABASE IF EXISTS "{database.name}" WITH (FORCE)')


@contextlib.contextmanager
def temporary_mariadb() -> Iterator[str]:
    """Create a MariaDB database with a unique name, return its SQLAlchemy URL, and drop it afterwards."""
    require_listening("MariaDB", MARIADB_ADDRESS, "TRUEDY_TEST_MARIADB")
    server = MARIADB_ADDRESS if "@" in MARIADB_ADDRESS else f"root@{MARIADB_ADDRESS}"
    name = f"truedy_test_{secrets.token_hex(6)}"
    engine = sqlalchemy.create_engine(f"mysql+pymysql://{server}/", poolclass=sqlalchemy.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    try:
        yield f"mysql+pymysql://{server}/{name}?charset=utf8mb4"
    finally:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"DROP DATABASE {name}"))


def _on_server(statement: str) -> None:
    with contextlib.closing(Database(POSTGRES_ADDRESS, "postgres").connect()) as connection:
        connection.cursor().execute(statement)
