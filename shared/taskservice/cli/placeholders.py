"""Placeholders of a definitions file: `${TASKSERVICE_URL}`, `${NOW}`, `${NOW+10s}` (ms, s, m, h).

Anything else in `${…}` is left as it is: a handler's parameters may mean something by it.
"""

import re
from typing import Any

from taskservice.domain.instant_text import rfc3339

_NOW = re.compile(r"\$\{NOW(?:\+(\d{1,9})(ms|s|m|h))?\}", re.ASCII)
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_URL = "${TASKSERVICE_URL}"


def names_now(value: Any) -> bool:
    """Whether a `${NOW…}` stands anywhere in it: then it is another value at each reading."""
    if isinstance(value, str):
        return _NOW.search(value) is not None
    if isinstance(value, dict):
        return any(names_now(one) for one in value.values())
    return isinstance(value, list) and any(names_now(one) for one in value)


def resolved(value: Any, *, url: str, now_ms: int) -> Any:
    """The value with its placeholders replaced, in texts at any depth.

    :param url: where the service answers.
    :param now_ms: what `${NOW}` is.
    """
    if isinstance(value, str):
        return _NOW.sub(lambda match: _instant(match, now_ms), value.replace(_URL, url))
    if isinstance(value, dict):
        return {name: resolved(one, url=url, now_ms=now_ms) for name, one in value.items()}
    if isinstance(value, list):
        return [resolved(one, url=url, now_ms=now_ms) for one in value]
    return value


def _instant(match: re.Match[str], now_ms: int) -> str:
    amount, unit = match.groups()
    return rfc3339(now_ms + (int(amount) * _MILLISECONDS[unit] if amount else 0))
