"""When a campaign starts: a stated moment becomes exactly one instant, or an error that says how to state it."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pendulum.parsing import parse

from airflow_truedy.campaigns.errors import TimingError

UTC = timezone.utc

#: In the zone directory, but fixed offsets: where there is daylight saving time, an hour beside the clock on the wall.
_FIXED = ("EST", "HST", "MST")
_MONTH_OR_WEEK = re.compile(r"\d{4}-\d{2}|\d{4}-?W\d{2}")


def zone_of(name: str) -> ZoneInfo:
    """
    Return the IANA zone ``name``.

    :raises TimingError: if there is no such zone, or it is ``EST``, ``HST`` or ``MST``.
    """
    if name in _FIXED:
        raise TimingError(
            f"timezone={name!r} knows no daylight saving time, so it is no region's clock. Write the IANA zone of a "
            "place, such as 'America/New_York', 'America/Phoenix' or 'Pacific/Honolulu'."
        )
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise TimingError(
            f"timezone={name!r} is not an IANA zone. Write one such as 'America/New_York' or 'UTC'."
        ) from None


def instant_of(value: str | datetime, zone: str | None) -> datetime:
    """
    Turn a stated moment into the instant it means, in UTC.

    An aware value is an instant already. A naive value is the wall time in ``zone``.

    :param value: a datetime (pendulum's are datetimes) or ISO 8601 text with date and time of day.
    :param zone: IANA zone in which a naive value is read.
    :raises TimingError: if the text is no moment or leaves the day open, there is no such zone or none where one is
        needed, or the wall time does not exist or exists twice in that zone (clock changes).
    """
    if zone is not None:
        zone_of(zone)
    moment = _parsed(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise TimingError(_unreadable(value, kind=_kind_of(moment)))
    if moment.utcoffset() is not None:
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise TimingError(_unreadable(value)) from None
    if zone is None:
        raise TimingError(f"scheduled_at={value!s} has no offset and no timezone says where it is wall time.")
    return _localised(moment, zone)


def _parsed(text: str) -> datetime:
    written = text.strip().upper()
    if _MONTH_OR_WEEK.fullmatch(re.split(r"[T ]", written)[0]):
        raise TimingError(_unreadable(text, kind="a month or week without a day"))
    try:
        moment = parse(written, exact=True)
    except ValueError:
        raise TimingError(_unreadable(text)) from None
    if not isinstance(moment, datetime):
        raise TimingError(_unreadable(text, kind=_kind_of(moment)))
    return moment


def _kind_of(moment: object) -> str:
    # A date alone would silently mean midnight.
    return "a date without a time of day" if isinstance(moment, date) else "not a moment"


def _unreadable(shown: object, kind: str = "not a moment") -> str:
    return (
        f"scheduled_at={shown!s} is {kind}. Write ISO 8601 with date and time of day, such as '2026-03-20T09:30' "
        "(wall time in timezone) or '2026-03-20T09:30-04:00' (an instant)."
    )


def _localised(wall: datetime, zone_name: str) -> datetime:
    """Read a wall time in a zone, refusing the two kinds of hour that a clock change makes."""
    zone = zone_of(zone_name)
    first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    exists = _wall(first.astimezone(UTC), zone) == wall.replace(fold=0)
    what = "happens twice" if exists else "does not exist"
    raise TimingError(
        f"scheduled_at={wall.isoformat(sep=' ')} {what} in {zone_name} because of a clock change. "
        f"Say which instant is meant by its offset: {_both_ways(first, zone)} or {_both_ways(second, zone)}."
    )


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _both_ways(moment: datetime, zone: ZoneInfo) -> str:
    instant = moment.astimezone(UTC)
    return f"'{instant.astimezone(zone).isoformat()}' ({on_the_wire(instant)})"


def on_the_wire(instant: datetime) -> str:
    """Write an instant as the API wants it: UTC with ``Z``, whole seconds."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def in_words(instant: datetime, zone: str | None) -> str:
    """Write an instant for a person: local time in the campaign's zone, and UTC."""
    if zone is None or zone == "UTC":
        return on_the_wire(instant)
    local = instant.astimezone(zone_of(zone))
    return f"{local.strftime('%a %Y-%m-%d %H:%M %Z')} ({zone}), {on_the_wire(instant)}"
