"""What all tests share: a private Airflow home, no network but loopback, real services."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import settings

# Before anything imports Airflow, which reads all of this once.
_AIRFLOW_HOME = tempfile.mkdtemp(prefix="truedy-airflow-home-")
atexit.register(shutil.rmtree, _AIRFLOW_HOME, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith(("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_"))]:
    del os.environ[_name]
os.environ["AIRFLOW_HOME"] = _AIRFLOW_HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
# A proxy of the machine is not for the servers that tests start.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"
# One certificate in place of 120: no test opens a connection by TLS, and each client would read them all anew.
_ONE_CERTIFICATE = Path(_AIRFLOW_HOME, "certificate.pem")
_ONE_CERTIFICATE.write_text(
    Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n"
)
os.environ["SSL_CERT_FILE"] = str(_ONE_CERTIFICATE)

from tests import checked_requests, services  # noqa: E402

# A busy machine must fail no example for being slow, and CI tries the same examples every time.
settings.register_profile("truedy", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("truedy")


@pytest.fixture(autouse=True)
def requests_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check every request that any test sends to the API against the models."""
    checked_requests.install(monkeypatch)


@pytest.fixture(autouse=True)
def memory_is_empty() -> None:
    """Forget what another test has left in fsspec's file system in memory, which the whole process shares."""
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture
def postgres_database() -> Iterator[services.Database]:
    """A PostgreSQL database for this test alone."""
    with services.temporary_database() as database:
        yield database


@pytest.fixture
def redis_address() -> str:
    """Where Redis is, as ``host:port``."""
    services.require_listening("Redis", services.REDIS_ADDRESS, "TRUEDY_TEST_REDIS")
    return services.REDIS_ADDRESS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the numbers that the crash tests recorded; here, because only this conftest is read where xdist reports."""
    numbers: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        numbers.update(dict(report.user_properties))
    for name, number in numbers.items():
        terminalreporter.write_line(f"{name}: {number}")
