"""How long a server wants to be left alone: `Retry-After` (RFC 9110 §10.2.3). Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

ASKING: Final = frozenset({429, 503})
"""Statuses with which it is a wish for the next try of the same request."""
LONGEST_MS: Final = 86_400_000
"""What the leader heeds at most."""
_LONGEST_DIGITS: Final = 12


def retry_after_ms(status: int, headers: Mapping[str, str], now_ms: int) -> int:
    """The wish in ms; 0 = none, or one that nobody can read.

    A date is judged against the server's own `Date`, so that nobody's clock matters.

    :param headers: of the answer, names in lower case. :param now_ms: for an answer without a `Date`.
    """
    text = headers.get("retry-after", "").strip()
    if status not in ASKING or not text:
        return 0
    if text.isascii() and text.isdigit():
        return LONGEST_MS if len(text) > _LONGEST_DIGITS else min(int(text) * 1_000, LONGEST_MS)
    until = _http_date(text)
    if until is None:
        return 0
    sent = _http_date(headers.get("date", ""))
    return max(0, min(until - (now_ms if sent is None else sent), LONGEST_MS))


def _http_date(text: str) -> int | None:
    """Ms since the epoch, of any of the three forms of HTTP dates; null for anything else."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000)
