"""
What importing an operator costs a Dag file, in fresh interpreters: ours beside those of other API providers.

    python -m benchmarks.import_time [--rounds 15]

Each interpreter imports ``airflow.sdk`` first, as every Dag file does, and then measures one import. The modules take
turns, so that a busy machine meets all of them; the least and the median of the rounds are printed. The plugin, which
Airflow imports in every task process, is measured after what such a process has loaded by then. Fails when ours takes
longer than the limit.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys

LIMIT_MS = 50
OURS = "airflow_truedy.operators.batch_calls"
PLUGIN = "airflow_truedy.ui.plugin"
PLUGIN_LIMIT_MS = 5
OTHERS = (
    "airflow.providers.airbyte.operators.airbyte",
    "airflow.providers.http.operators.http",
    "airflow.providers.dbt.cloud.operators.dbt",
)
_PROGRAM = """
import time
import airflow.sdk
from airflow.sdk import DAG, BaseOperator
{before}
began = time.perf_counter()
import {module}
print((time.perf_counter() - began) * 1000)
"""
_TASK = "import airflow.sdk.execution_time.task_runner, airflow.sdk.plugins_manager"


def milliseconds(module: str) -> float:
    """Import ``module`` after the SDK in a fresh interpreter and return how long that took."""
    program = _PROGRAM.format(module=module, before=_TASK if module == PLUGIN else "")
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(ended.stdout.split()[-1])


def is_installed(module: str) -> bool:
    """Whether a module can be imported here."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    modules = [OURS, PLUGIN, *filter(is_installed, OTHERS)]
    for module in modules:
        milliseconds(module)  # Writes the compiled files.
    taken: dict[str, list[float]] = {module: [] for module in modules}
    for _ in range(rounds):
        for module in modules:
            taken[module].append(milliseconds(module))
    ours, plugin = min(taken[OURS]), min(taken[PLUGIN])
    print(f"import after airflow.sdk, {rounds} fresh interpreters each, Python {sys.version.split()[0]}")
    print(f"{'module':<46} {'least ms':>9} {'median ms':>10} {'times ours':>11}")
    for module, times in taken.items():
        print(f"{module:<46} {min(times):>9.1f} {statistics.median(times):>10.1f} {min(times) / ours:>11.1f}")
    for module in sorted(set(OTHERS) - set(modules)):
        print(f"{module:<46} not installed: pip install --group bench")
    print(f"limit for ours: {LIMIT_MS} ms, {'kept' if ours < LIMIT_MS else 'BROKEN'}")
    print(f"limit for the plugin: {PLUGIN_LIMIT_MS} ms, {'kept' if plugin < PLUGIN_LIMIT_MS else 'BROKEN'}")
    return 0 if ours < LIMIT_MS and plugin < PLUGIN_LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
