"""After the calls: was anybody called outside the hours that the list carried?"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_truedy.campaigns.schedule import in_words

if TYPE_CHECKING:
    from airflow_truedy.calling_hours.part_hours import PartHours
    from airflow_truedy.results.staging import Staging

log = logging.getLogger(__name__)

_MOST_NAMED = 20


def called_outside(staging: Staging, hours: PartHours) -> int:
    """
    Flag calls that were placed when calling anyone on the list was forbidden, warn about each, and return how many.

    :param staging: the results; each call's row is flagged.
    :param hours: of the people, as the manifest of their list carries them. After their last day nothing is known, so
        nobody may be called.
    """
    count = 0
    staging.compare_hours(hours.allows)
    for contact_id, call_id, called_at in staging.outside_hours():
        count += 1
        if count <= _MOST_NAMED:
            when = in_words(called_at, hours.timezone)
            log.warning("Contact %s was called outside the hours of the list: %s, call %s.", contact_id, when, call_id)
    if count:
        log.warning(
            "%d people were called OUTSIDE the hours of their list (%s, %s). Stop the campaign if it still calls, and "
            "ask Truedy why: outside_hours and called_at in the results tell who and when.",
            count,
            hours.window,
            hours.rules,
        )
    return count
