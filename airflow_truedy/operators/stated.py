"""What is stated in the Dag file itself, checked while it is parsed; templates are left to the run."""

from __future__ import annotations

from typing import Any

from airflow_truedy.campaigns.schedule import check_window_is_possible
from airflow_truedy.operators.templating import is_template, restored, restored_text


def check_stated_window(start_time: Any, end_time: Any, working_days: Any) -> None:
    """
    Refuse hours and days that no template can mend any more.

    :raises InvalidPayloadError: naming parameter, value and rule.
    """
    opens, closes = (None if is_template(text) else restored_text(text) for text in (start_time, end_time))
    days = None if is_template(working_days) else restored(working_days)
    # What is of another kind is refused in the run, with the rule for its kind.
    check_window_is_possible(
        opens if isinstance(opens, str) else None,
        closes if isinstance(closes, str) else None,
        days if isinstance(days, (list, tuple, set)) and not any(is_template(day) for day in days) else None,
    )
