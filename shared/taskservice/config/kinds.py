"""How the text of a setting is read: one kind for each sort of value, each with the words that say what it allows."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

Value = int | bool | str | tuple[str, ...] | None
Raw = int | float | bool | str | list[object] | None
"""What a source holds: text from flags and the environment, any YAML scalar or list from a file."""

_DURATION = re.compile(r"(\d+)\s*(ms|s|m|h)?", re.ASCII)
_MILLISECONDS = MappingProxyType({"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000})


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of value.

    :ivar allowed: what may stand there; completes "must be …".
    :ivar read: turns a source's value into ours; raises ValueError with a whole message, "must be …" where it can be.
    :ivar unit: of the value; empty where there is none.
    """

    allowed: str
    read: Callable[[Raw], Value]
    unit: str = ""


def integer(low: int, high: int, unit: str = "") -> Kind:
    """A whole number within bounds, both allowed."""
    allowed = f"an integer from {low} to {high}"

    def read(raw: Raw) -> int:
        if isinstance(raw, bool | float | list) or raw is None:
            raise ValueError(f"must be {allowed}")
        try:
            value = int(raw)
        except ValueError:
            raise ValueError(f"must be {allowed}") from None
        if not low <= value <= high:
            raise ValueError(f"must be {allowed}")
        return value

    return Kind(allowed, read, unit)


def duration(low_ms: int, high_ms: int) -> Kind:
    """Milliseconds, or a number with `ms`, `s`, `m` or `h`."""
    allowed = f"a duration from {low_ms} to {high_ms} ms: an integer, with ms, s, m or h if not in milliseconds"

    def read(raw: Raw) -> int:
        match = None if isinstance(raw, bool | float) else _DURATION.fullmatch(str(raw).strip())
        if match is None:
            raise ValueError(f"must be {allowed}")
        value = int(match[1]) * _MILLISECONDS[match[2] or "ms"]
        if not low_ms <= value <= high_ms:
            raise ValueError(f"must be {allowed}")
        return value

    return Kind(allowed, read, "ms")


def text(pattern: str, allowed: str) -> Kind:
    """Text that matches the whole pattern."""
    compiled = re.compile(pattern)

    def read(raw: Raw) -> str:
        value = "" if raw is None else str(raw)
        if isinstance(raw, list) or not compiled.fullmatch(value):
            raise ValueError(f"must be {allowed}")
        return value

    return Kind(allowed, read)


def url(pattern: str, allowed: str) -> Kind:
    """A URL that matches the whole pattern and whose port, if it has one, is one."""
    matching = text(pattern, allowed)

    def read(raw: Raw) -> Value:
        value = matching.read(raw)
        try:
            _ = urlsplit(str(value)).port
        except ValueError:
            raise ValueError(f"must be {allowed}") from None
        return value

    return Kind(allowed, read)


def names(pattern: str, allowed: str) -> Kind:
    """A list, in YAML or separated by commas, of texts that each match the whole pattern.

    :param allowed: what one of them may be, with its article.
    """
    compiled = re.compile(pattern, re.ASCII)

    def read(raw: Raw) -> tuple[str, ...]:
        parts = raw if isinstance(raw, list) else str("" if raw is None else raw).split(",")
        values = tuple(one for one in (str(part).strip() for part in parts) if one)
        for value in values:
            if not compiled.fullmatch(value):
                raise ValueError(f"{value!r} is not {allowed}")
        return values

    return Kind(f"a list, in YAML or separated by commas, each {allowed}", read)


def _boolean(raw: Raw) -> bool:
    if isinstance(raw, bool):
        return raw
    value = str(raw).strip().lower()
    if value in {"true", "yes", "on", "1"}:
        return True
    if value in {"false", "no", "off", "0", ""}:
        return False
    raise ValueError("must be true or false")


def _zone(raw: Raw) -> str:
    name = str(raw)
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # KeyError: ZoneInfoNotFoundError
        raise ValueError("must be an IANA time zone such as Asia/Shanghai") from None
    return name


BOOLEAN = Kind("true or false", _boolean)
TIME_ZONE = Kind("an IANA time zone such as Asia/Shanghai", _zone)
ANY_TEXT = text(r".*", "text")
HOST = text(r"[^\s/@]+", "a host name or address")
PORT = integer(1, 65_535)
PORT_OR_ANY = integer(0, 65_535)
PORTS = names(r"0*(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])", "a port from 1 to 65535")
HOST_PORTS = names(r"[^\s:/@]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", "host:port")
QUEUES = names(r"[a-z0-9._-]{1,64}", "a queue name ([a-z0-9._-], at most 64)")
LABELS = names(r"[^=\s]{1,63}=.{0,255}", "a label key=value (key at most 63 characters, value at most 255)")
PROGRAMS = names(r"\S{1,4096}", "a path, or a name on PATH")
FOREIGN_VARIABLES = names(
    r"(?!(?i:APP_TASK_|MYSQL_|NACOS_|REDIS_|TASKSERVICE_))[A-Za-z_][A-Za-z0-9_]{0,254}",
    "the name of a variable that is none of this service's own settings",
)
REDIS_URL = url(r"(rediss?|unix)://\S+", "a URL such as redis://:password@host:6379/0")
MYSQL_URL = url(r"mysql://\S+", "a URL such as mysql://user:password@host:3306/database")
HTTP_URL = url(r"https?://\S+", "a URL such as http://127.0.0.1:8084")
