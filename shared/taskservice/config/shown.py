"""Settings as people may see them: each with its source, without a secret."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from taskservice.config.checks import MISFIRE, misfire_threshold_ms
from taskservice.config.effective import DEFAULT, Effective
from taskservice.config.keys import SETTINGS, Value

MASK: Final = "********"
_QUERY_VALUE = re.compile(r"=[^&#]*")


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One row of `taskservice config show`.

    :ivar value: masked if it is a secret; None = it has none.
    :ivar source: the environment variable, file or flag that it came from, or `default`.
    """

    key: str
    value: Value
    source: str


def shown_settings(values: Effective) -> list[ShownSetting]:
    """Every setting, in the table's order."""
    return [ShownSetting(key, _shown(values, key), values.places[key]) for key in SETTINGS]


def text_of(value: Value) -> str:
    """A value as it would be written in the environment; empty for none."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def masked_url(url: str) -> str:
    """A URL without its password, and without the values of its query, where some servers take one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    login, at, host = parts.netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    shown = f"{user}:{MASK}{at}{host}" if colon else parts.netloc
    query = _QUERY_VALUE.sub(f"={MASK}", parts.query)
    start, _, rest = url.partition(f"//{parts.netloc}")
    return f"{start}//{shown}{rest.replace(parts.query, query) if query else rest}"


def _shown(values: Effective, key: str) -> Value:
    value = values.optional(key)
    if key == MISFIRE and value is None and values.places[key] == DEFAULT:
        return misfire_threshold_ms(values)
    if isinstance(value, str) and "://" in value:
        return masked_url(value)
    if SETTINGS[key].secret and value:
        return MASK
    return value
