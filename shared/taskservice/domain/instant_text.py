"""Instants as text: RFC 3339, out always in UTC with three decimals, in with any offset."""

import re
from datetime import UTC, datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RFC_3339 = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<fraction>[0-9]+))?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[0-9]{2}):(?P<minutes>[0-9]{2}))",
    re.ASCII,
)

LATEST_INSTANT = 253_402_300_799_999
"""The last millisecond of the year 9999, in milliseconds since the epoch."""


def rfc3339(instant: int) -> str:
    """`2026-11-23T02:00:00.000Z` for milliseconds since the epoch.

    :raises OverflowError: outside of the years 1 to 9999.
    """
    moment = _EPOCH + timedelta(milliseconds=instant)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_rfc3339(text: str) -> int | None:
    """Milliseconds since the epoch; None for anything but a date, a time and an offset that exist.

    Decimals beyond the third are cut off. Leap seconds do not exist on this time line.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return None
    hours, minutes = int(match["hours"] or 0), int(match["minutes"] or 0)
    if hours > 23 or minutes > 59:
        return None
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if match["sign"] == "-" else 1)
    try:
        moment = datetime.fromisoformat(f"{match['date']}T{match['time']}").replace(tzinfo=timezone(offset))
    except ValueError:
        return None
    fraction = int((match["fraction"] or "0")[:3].ljust(3, "0"))
    return (moment - _EPOCH) // _MILLISECOND + fraction
