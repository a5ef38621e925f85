"""Every setting: its key, its default and how its text is read. The names of API.md §8, and our own beside them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from zoneinfo import ZoneInfo

Value = int | bool | str | tuple[str, ...] | None
Raw = int | float | bool | str | list[object] | None
"""What a source holds: text from flags and the environment, any YAML scalar or list from a file."""

_DURATION = re.compile(r"(\d+)\s*(ms|s|m|h)?", re.ASCII)
_MILLISECONDS = MappingProxyType({"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000})
_HOST_PORT = re.compile(r"[^\s:/@]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", re.ASCII)
_QUEUE = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    :ivar key: its path, as in a YAML file; upper-cased it is the name of its environment variable.
    :ivar default: the value when no source has it.
    :ivar read: turns a source's value into ours; raises ValueError saying what is allowed.
    :ivar secret: never shown.
    :ivar file_variant: also read from the file that `<ENVIRONMENT NAME>_FILE` names.
    """

    key: str
    default: Value
    read: Callable[[Raw], Value]
    secret: bool = False
    file_variant: bool = False

    @property
    def env_names(self) -> tuple[str, ...]:
        """`APP_TASK_TIME_ZONE`, and Spring's form `APP_TASK_TIMEZONE`."""
        upper = self.key.upper()
        ours = upper.replace(".", "_").replace("-", "_")
        springs = upper.replace(".", "_").replace("-", "")
        return (ours,) if ours == springs else (ours, springs)


def _integer(low: int, high: int) -> Callable[[Raw], int]:
    def read(raw: Raw) -> int:
        try:
            if isinstance(raw, bool | float | list) or raw is None:
                raise ValueError  # noqa: TRY301 (one message for every way to be no integer)
            value = int(raw)
        except ValueError:
            raise ValueError(f"must be an integer from {low} to {high}") from None
        if not low <= value <= high:
            raise ValueError(f"must be from {low} to {high}")
        return value

    return read


def _duration(low_ms: int, high_ms: int) -> Callable[[Raw], int]:
    allowed = f"must be a duration from {low_ms} to {high_ms} ms: an integer, with ms, s, m or h if not in milliseconds"

    def read(raw: Raw) -> int:
        match = None if isinstance(raw, bool | float) else _DURATION.fullmatch(str(raw).strip())
        if match is None:
            raise ValueError(allowed)
        value = int(match[1]) * _MILLISECONDS[match[2] or "ms"]
        if not low_ms <= value <= high_ms:
            raise ValueError(allowed)
        return value

    return read


def _text(pattern: str, allowed: str) -> Callable[[Raw], str]:
    compiled = re.compile(pattern)

    def read(raw: Raw) -> str:
        value = "" if raw is None else str(raw)
        if not compiled.fullmatch(value):
            raise ValueError(f"must be {allowed}")
        return value

    return read


def _boolean(raw: Raw) -> bool:
    if isinstance(raw, bool):
        return raw
    value = str(raw).strip().lower()
    if value in {"true", "yes", "on", "1"}:
        return True
    if value in {"false", "no", "off", "0", ""}:
        return False
    raise ValueError("must be true or false")


def _names(pattern: re.Pattern[str], allowed: str) -> Callable[[Raw], tuple[str, ...]]:
    def read(raw: Raw) -> tuple[str, ...]:
        parts = raw if isinstance(raw, list) else str("" if raw is None else raw).split(",")
        values = tuple(text for text in (str(part).strip() for part in parts) if text)
        for value in values:
            if not pattern.fullmatch(value):
                raise ValueError(f"{value!r} is not {allowed}")
        return values

    return read


def _zone(raw: Raw) -> str:
    name = str(raw)
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # KeyError: ZoneInfoNotFoundError
        raise ValueError("must be an IANA time zone such as Asia/Shanghai") from None
    return name


_ANY = _text(r".*", "text")
_HOST = _text(r"[^\s/@]+", "a host name or address")
_PORT = _integer(1, 65_535)
_PORT_OR_ANY = _integer(0, 65_535)
_REDIS_URL = _text(r"(rediss?|unix)://\S+", "a URL such as redis://:password@host:6379/0")
_MYSQL_URL = _text(r"mysql://\S+", "a URL such as mysql://user:password@host:3306/database")
_HTTP_URL = _text(r"https?://\S+", "a URL such as http://127.0.0.1:8084")
_DAY_MS = 86_400_000

SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        setting.key: setting
        for setting in (
            Setting("profile", "dev", _text(r"[A-Za-z0-9_-]{1,64}", "a name such as dev or prod"), file_variant=True),
            Setting("app.task.executor.core-pool-size", 10, _integer(1, 10_000)),
            Setting("app.task.executor.max-pool-size", 50, _integer(1, 10_000)),
            Setting("app.task.executor.queue-capacity", 1_000, _integer(1, 1_000_000)),
            Setting("app.task.executor.async-slots", 500, _integer(1, 100_000)),
            Setting("app.task.scheduler.scan-interval", 10_000, _duration(10, 600_000)),
            Setting("app.task.scheduler.batch-size", 100, _integer(1, 500)),
            Setting("app.task.scheduler.concurrent-limit", 20, _integer(0, 100_000)),
            Setting("app.task.scheduler.misfire-threshold", None, _duration(1_000, _DAY_MS)),
            Setting(
                "app.task.distributed-lock.redis.key-prefix", "task:lock:", _text(r"[^\s{}]{1,100}", "a key prefix")
            ),
            Setting("app.task.distributed-lock.redis.default-expire-time", 10_000, _duration(1_000, 3_600_000)),
            Setting("app.task.time-zone", "UTC", _zone),
            Setting("app.task.http.allow", (), _names(_HOST_PORT, "host:port")),
            Setting("app.task.tenant.queues", ("default",), _names(_QUEUE, "a queue name ([a-z0-9._-], at most 64)")),
            Setting("app.task.partitions", 1, _integer(1, 1_024)),
            Setting("app.task.worker.ttl", 15_000, _duration(1_000, 3_600_000)),
            Setting("app.task.api.host", "127.0.0.1", _HOST),
            Setting("app.task.api.port", 8_084, _PORT_OR_ANY),
            Setting("app.task.health.host", "127.0.0.1", _HOST),
            Setting("app.task.health.port", 0, _PORT_OR_ANY),
            Setting("mysql.host", "127.0.0.1", _HOST, file_variant=True),
            Setting("mysql.port", 3_306, _PORT, file_variant=True),
            Setting("mysql.database", "taskservice", _text(r"\S{1,64}", "a database name"), file_variant=True),
            Setting("mysql.user", "taskservice", _text(r"\S{1,80}", "a user name"), file_variant=True),
            Setting("mysql.password", "", _ANY, secret=True, file_variant=True),
            Setting("redis.host", "127.0.0.1", _HOST, file_variant=True),
            Setting("redis.port", 6_379, _PORT, file_variant=True),
            Setting("redis.password", "", _ANY, secret=True, file_variant=True),
            Setting("nacos.server-addr", "", _ANY, file_variant=True),
            Setting("taskservice.redis.url", None, _REDIS_URL, secret=True, file_variant=True),
            Setting("taskservice.mysql.url", None, _MYSQL_URL, secret=True, file_variant=True),
            Setting("taskservice.api.url", "http://127.0.0.1:8084", _HTTP_URL, file_variant=True),
            Setting("taskservice.api.key", "", _ANY, secret=True, file_variant=True),
            Setting("taskservice.allow-eviction", False, _boolean),
            Setting("taskservice.allow-no-aof", False, _boolean),
        )
    }
)
