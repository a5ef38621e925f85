"""Values as SQL text and back. The session's sql_mode is ours (database.py), so backslashes escape.

Numbers, ids and instants can't hold quotes and are spelled without a look; everything that a person or a handler
wrote goes through `text`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_NAIVE = datetime(1970, 1, 1)  # noqa: DTZ001 - only for differences between texts that are UTC by contract
_MAX_CACHED = 100_000

MIN_INSTANT = -62_135_596_800_000
"""0001-01-01T00:00:00.000Z in ms, the least that DATETIME holds here."""
MAX_INSTANT = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z in ms, the greatest that DATETIME holds."""

_seconds: dict[int, str] = {}
_minutes: dict[str, int] = {}


def instant(ms: int) -> str:
    """Milliseconds since the epoch as a DATETIME(3) literal with exactly three decimals.

    :raises OverflowError: outside the years 1 to 9999.
    """
    second, millisecond = divmod(ms, 1000)
    head = _seconds.get(second)
    if head is None:
        if len(_seconds) >= _MAX_CACHED:
            _seconds.clear()
        head = _seconds[second] = f"'{(_EPOCH + timedelta(seconds=second)).isoformat(' ')[:19]}."
    return f"{head}{millisecond:03d}'"


def instant_or_null(ms: int | None) -> str:
    """As `instant`, NULL for None."""
    return "NULL" if ms is None else instant(ms)


def ms_of(datetime_text: str) -> int:
    """A DATETIME(3) as the server spells it, in milliseconds since the epoch."""
    minute = datetime_text[:16]
    start = _minutes.get(minute)
    if start is None:
        if len(_minutes) >= _MAX_CACHED:
            _minutes.clear()
        start = _minutes[minute] = (datetime.fromisoformat(minute) - _EPOCH_NAIVE) // timedelta(milliseconds=1)
    return start + int(datetime_text[17:19]) * 1000 + int(datetime_text[20:23] or 0)


def ms_or_none(datetime_text: str | None) -> int | None:
    """As `ms_of`, None for NULL."""
    return None if datetime_text is None else ms_of(datetime_text)


def text(value: str) -> str:
    """Any text as a string literal."""
    if "'" in value or "\\" in value or "\0" in value:
        value = value.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    return f"'{value}'"


def text_or_null(value: str | None) -> str:
    """As `text`, NULL for None."""
    return "NULL" if value is None else text(value)


def filled_or_null(value: str) -> str:
    """As `text`, NULL for the empty string."""
    return text(value) if value else "NULL"


def blob(value: bytes) -> str:
    """Bytes as a hexadecimal literal (drivers break on bytes parameters)."""
    return f"x'{value.hex()}'"


class Instant(int):
    """Milliseconds since the epoch as a parameter of a statement: spelled as DATETIME(3), not as a number."""


Value = str | int | bytes | None


def literal(value: Value | Iterable[str | int]) -> str:
    """A parameter of a statement: one value, or several as a list in parentheses (which must not be empty).

    :raises ValueError: for an empty list, which SQL can't spell.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Instant):
        return instant(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bytes):
        return blob(value)
    items = ",".join(literal(item) for item in value)
    if not items:
        raise ValueError("an empty list can't be spelled in SQL: ask nothing instead")
    return f"({items})"
