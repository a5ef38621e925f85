"""What several settings must be together. Each check is left out while a value that it needs is faulty itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from taskservice.config.effective import Effective
from taskservice.config.settings import mysql_from_url
from taskservice.config.tls import TLS_KEYS, faulty_authorities, in_vain, unchecked_redis, unknown_in_redis_url
from taskservice.config.weak_secrets import weakness

LEASE: Final = "app.task.distributed-lock.redis.default-expire-time"
MISFIRE: Final = "app.task.scheduler.misfire-threshold"
CORE: Final = "app.task.executor.core-pool-size"
MOST: Final = "app.task.executor.max-pool-size"
PRODUCTION: Final = "prod"
_SLOW_FAILOVER_MS = 60_000
_NEARLY_PRODUCTION = frozenset({"production", "prd", "prod1", "live", "pro", "release"})


@dataclass(frozen=True, slots=True)
class _Check:
    """`says` answers what is wrong, or None; it is asked when none of `keys` is faulty."""

    keys: tuple[str, ...]
    says: Callable[[Effective], str | None]


def misfire_threshold_ms(values: Effective) -> int:
    """As set; else 15 s, or the lock's expiry + 5 s if that is more."""
    given = values.optional(MISFIRE)
    return given if isinstance(given, int) else max(15_000, values.get(LEASE, int) + 5_000)


def problems_in(values: Effective) -> list[str]:
    """What stops the start although each value is fine by itself."""
    return _answers(_PROBLEMS, values)


def warnings_in(values: Effective) -> list[str]:
    """What is accepted but costs something, or does nothing."""
    return _answers(_WARNINGS, values)


def _answers(checks: tuple[_Check, ...], values: Effective) -> list[str]:
    said = (check.says(values) for check in checks if not values.faulty.intersection(check.keys))
    return [text for text in said if text is not None]


def _misfires_of_a_failover(values: Effective) -> str | None:
    lease_ms, misfire_ms = values.get(LEASE, int), misfire_threshold_ms(values)
    if misfire_ms > lease_ms + 2_000:
        return None
    return (
        f"{values.place(MISFIRE)} is {misfire_ms} ms and must be more than {LEASE} + 2000 ms = {lease_ms + 2_000} ms,"
        " or every failover would make misfires"
    )


def _more_kept_than_allowed(values: Effective) -> str | None:
    core, most = values.get(CORE, int), values.get(MOST, int)
    if core <= most:
        return None
    return f"{values.place(CORE)} is {core} and must not be more than {values.place(MOST)}, {most}"


def _nearly_production(values: Effective) -> str | None:
    profile = values.get("profile", str)
    if profile == PRODUCTION or (profile.lower() != PRODUCTION and profile.lower() not in _NEARLY_PRODUCTION):
        return None
    return f"{values.place('profile')} is {profile!r}; the rules of production are those of `prod`: write that"


def _no_mysql_url(values: Effective) -> str | None:
    url = values.optional("taskservice.mysql.url")
    if not isinstance(url, str) or mysql_from_url(url) is not None:
        return None
    return (
        f"{values.place('taskservice.mysql.url')} must be like mysql://user:password@host:3306/database, with"
        " ?tls=true&tls-ca-file=/path&tls-check-name=false behind it where that is wanted"
    )


def _weak(values: Effective, server: str) -> str | None:
    """The password of `mysql` or `redis` under `PROFILE=prod`, in the URL if there is one."""
    if values.get("profile", str) != PRODUCTION:
        return None
    url_key, key = f"taskservice.{server}.url", f"{server}.password"
    url = values.optional(url_key)
    names = [values.get("mysql.user", str), values.get("mysql.database", str)] if server == "mysql" else []
    if isinstance(url, str):
        parts = urlsplit(url)
        why = weakness(unquote(parts.password or ""), [*names, unquote(parts.username or "")])
        return why and f"{values.place(url_key)}: PROFILE=prod: its password {why}"
    why = weakness(values.get(key, str), names)
    variable = key.upper().replace(".", "_")
    return why and f"{values.place(key)}: PROFILE=prod: it {why}; set {variable} or {variable}_FILE"


def _slow_failover(values: Effective) -> str | None:
    lease_ms = values.get(LEASE, int)
    if lease_ms <= _SLOW_FAILOVER_MS:
        return None
    return f"{values.place(LEASE)} is {lease_ms} ms: after the death of a leader nothing fires for as long"


def _nacos_does_nothing(values: Effective) -> str | None:
    if not values.get("nacos.server-addr", str):
        return None
    return (
        f"{values.place('nacos.server-addr')} is not used yet: this release neither registers with Nacos nor reads"
        " settings from it"
    )


_PROBLEMS = (
    _Check((LEASE, MISFIRE), _misfires_of_a_failover),
    _Check((CORE, MOST), _more_kept_than_allowed),
    _Check(("profile",), _nearly_production),
    _Check(("taskservice.mysql.url",), _no_mysql_url),
    _Check(
        ("profile", "taskservice.mysql.url", "mysql.password", "mysql.user", "mysql.database"),
        lambda values: _weak(values, "mysql"),
    ),
    _Check(("profile", "taskservice.redis.url", "redis.password"), lambda values: _weak(values, "redis")),
    _Check(TLS_KEYS["mysql"], lambda values: in_vain(values, "mysql")),
    _Check(TLS_KEYS["redis"], lambda values: in_vain(values, "redis")),
    _Check(("mysql.tls-ca-file",), lambda values: faulty_authorities(values, "mysql")),
    _Check(("redis.tls-ca-file",), lambda values: faulty_authorities(values, "redis")),
    _Check(("taskservice.redis.url",), unknown_in_redis_url),
)
_WARNINGS = (
    _Check((LEASE,), _slow_failover),
    _Check(("nacos.server-addr",), _nacos_does_nothing),
    _Check(("taskservice.redis.url",), unchecked_redis),
)
