"""
1,000 random runs of two workers, crashes, faults and a person, on each kind of server; 250 on those that lag.

    python -m benchmarks.soak [--seeds 1000]

Prints how the runs ended. A run without a campaign that no person cancelled or deleted is one too many on a server that
drops numbers sent twice; on one that keeps them it may end on the safe side, for a person to look at.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

TEST = "tests/crash/test_any_interleaving.py"


def main() -> int:
    """Run them; 0 if every promise held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000, help="runs on each kind of server; a quarter where it lags")
    environment = {**os.environ, "SOAK_SEEDS": str(parser.parse_args().seeds)}
    command = [sys.executable, "-m", "pytest", TEST, "-q", "-n", str(os.cpu_count() or 1)]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
