"""
Where a person is, and when that person may be called. Knows nothing of Airflow, HTTP or contacts files.

::

    row, number -> place (places) -> rules that apply (rules) and the user's own limits (policy)
                -> hours and window (place_hours), or a refusal (placement) -> parts of the list (part_hours)

What is not known is never allowed. Not legal advice, and not complete: docs/calling-hours.md.
"""

from __future__ import annotations

from airflow_truedy.calling_hours.errors import CallingHoursError
from airflow_truedy.calling_hours.part_hours import PartHours, fewest_parts
from airflow_truedy.calling_hours.place_hours import PlaceHours, Window
from airflow_truedy.calling_hours.placement import Placement, Placer, PlaceRefusal
from airflow_truedy.calling_hours.places import Place, PlaceColumns
from airflow_truedy.calling_hours.policy import Blackout, CallingHours
from airflow_truedy.calling_hours.rules import Cap, HolidayDays, Rule, RuleSet

__all__ = [
    "Blackout",
    "CallingHours",
    "CallingHoursError",
    "Cap",
    "HolidayDays",
    "PartHours",
    "Place",
    "PlaceColumns",
    "PlaceHours",
    "PlaceRefusal",
    "Placement",
    "Placer",
    "Rule",
    "RuleSet",
    "Window",
    "fewest_parts",
]
