"""Try the programs in tools/ that no other test runs."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.documents import ROOT


def test_a_campaign_is_followed_from_the_operator_to_the_request() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.follow_campaign"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    counts = re.findall(r"^(.*): (\d+) functions in (\d+) files$", done.stdout, re.MULTILINE)
    assert [what for what, _, _ in counts] == ["scheduled_at", "one contact"]
    # The most that a reader has to follow. A change that needs more of them says why.
    for (_, functions, files), (most_functions, most_files) in zip(counts, [(25, 12), (19, 10)], strict=True):
        assert int(functions) <= most_functions
        assert int(files) <= most_files
    start, contact = done.stdout.split("one contact:")
    for path in (start, contact):
        # Python 3.10 does not know the class of a function.
        assert re.search(r"operators/batch_calls\.py: (CreateBatchCallOperator\.)?__init__", path)
        assert re.search(r"api/models/base\.py: (Payload\.)?body", path)
    assert "api/endpoints.py: schedule_batch_call" in start
