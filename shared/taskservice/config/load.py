"""From sources to checked settings. Pure but for reading the files that it is told of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar, cast
from urllib.parse import quote, unquote, urlsplit

from taskservice.config.errors import SettingsError
from taskservice.config.keys import SETTINGS, Value
from taskservice.config.settings import (
    ApiSettings,
    ClientSettings,
    ExecutorSettings,
    HealthSettings,
    MysqlSettings,
    RedisSettings,
    SchedulerSettings,
    Settings,
)
from taskservice.config.sources import CLOCKS, Source, from_environment, from_file, from_flags, from_stack

STACK_FILE = Path(".local") / "stack.json"
DEFAULT = "default"
SERVERS = (
    "mysql.host", "mysql.port", "mysql.database", "mysql.user", "mysql.password", "taskservice.mysql.url",
    "redis.host", "redis.port", "redis.password", "taskservice.redis.url",
)  # fmt: skip
_SLOW_FAILOVER_MS = 60_000

T = TypeVar("T", int, bool, str, tuple[str, ...])


def load_settings(
    flags: Mapping[str, str], env: Mapping[str, str], cwd: Path, config_file: Path | None = None
) -> Settings:
    """The settings of this process: flags > environment > `config_file` > `config/<PROFILE>.yaml` > the local stack
    of `cwd` > defaults (API.md §8).

    :param flags: setting keys with their texts.
    :param env: the environment.
    :param cwd: the folder that `config/` and `.local/stack.json` are looked for in.
    :raises SettingsError: with every problem found.
    """
    first = [from_flags(flags), from_environment(env, cwd)]
    if config_file is not None:
        first.append(from_file(cwd / config_file, required=True))
    profile = _Values.read(first).get("profile", str)
    given = [*first, from_file(cwd / "config" / f"{profile}.yaml", required=False)]
    values = _Values.read([*given, _stack_beneath(given, from_stack(cwd / STACK_FILE))])
    return _build(values)


def _stack_beneath(given: list[Source], stack: Source) -> Source:
    """What of the local stack counts: its servers only if no server was named, its key only with its address."""
    named = {key for source in given for key in source}
    hidden: set[str] = set()
    if named.intersection(SERVERS):
        hidden |= {
            "taskservice.redis.url",
            "taskservice.mysql.url",
            "app.task.partitions",
            "app.task.http.allow",
            *CLOCKS,
        }
    if "taskservice.api.url" in named:
        hidden |= {"taskservice.api.url", "taskservice.api.key"}
    return {key: found for key, found in stack.items() if key not in hidden}


@dataclass(frozen=True, slots=True)
class _Values:
    """Every key with its read value and where it came from."""

    values: Mapping[str, Value]
    places: Mapping[str, str]

    @classmethod
    def read(cls, sources: list[Source]) -> "_Values":
        """Take each key from the first source that has it.

        :raises SettingsError: with every value that its reader refuses.
        """
        values: dict[str, Value] = {}
        places: dict[str, str] = {}
        problems: list[str] = []
        for key, setting in SETTINGS.items():
            found = next((source[key] for source in sources if key in source), None)
            if found is None:
                values[key], places[key] = setting.default, DEFAULT
                continue
            try:
                values[key], places[key] = setting.read(found.raw), found.place
            except ValueError as error:
                shown = "" if setting.secret else f" is {found.raw!r} and"
                problems.append(f"{key} ({found.place}){shown} {error}")
        if problems:
            raise SettingsError(problems)
        return cls(MappingProxyType(values), MappingProxyType(places))

    def get(self, key: str, kind: type[T]) -> T:
        """The value of a key that always has one."""
        value = self.values[key]
        if not isinstance(value, kind):
            raise TypeError(f"{key} holds {value!r}, not {kind.__name__}")
        return value

    def optional(self, key: str) -> Value:
        """The value of a key that may have none."""
        return self.values[key]


def _build(values: _Values) -> Settings:
    problems: list[str] = []
    warnings: list[str] = []
    scheduler = _scheduler(values, problems, warnings)
    executor = _executor(values, problems)
    redis = _redis(values)
    mysql = _mysql(values, problems)
    profile = values.get("profile", str)
    if profile == "prod":
        if not mysql.password:
            problems.append("mysql.password: PROFILE=prod refuses to start with an unset password; set MYSQL_PASSWORD")
        if urlsplit(redis.url).password is None:
            problems.append("redis.password: PROFILE=prod refuses to start with an unset password; set REDIS_PASSWORD")
    if problems:
        raise SettingsError(problems)
    return Settings(
        profile=profile,
        redis=redis,
        mysql=mysql,
        scheduler=scheduler,
        executor=executor,
        api=ApiSettings(
            host=values.get("app.task.api.host", str),
            port=values.get("app.task.api.port", int),
            tenant_queues=cast("tuple[str, ...]", values.optional("app.task.tenant.queues")),
        ),
        health=HealthSettings(
            host=values.get("app.task.health.host", str), port=values.get("app.task.health.port", int)
        ),
        client=ClientSettings(
            url=values.get("taskservice.api.url", str).rstrip("/"), api_key=values.get("taskservice.api.key", str)
        ),
        http_allow=cast("tuple[str, ...]", values.optional("app.task.http.allow")),
        sources=values.places,
        warnings=tuple(warnings),
    )


def _scheduler(values: _Values, problems: list[str], warnings: list[str]) -> SchedulerSettings:
    lease_key = "app.task.distributed-lock.redis.default-expire-time"
    lease_ms = values.get(lease_key, int)
    misfire = values.optional("app.task.scheduler.misfire-threshold")
    misfire_ms = misfire if isinstance(misfire, int) else max(15_000, lease_ms + 5_000)
    if misfire_ms <= lease_ms + 2_000:
        problems.append(
            f"app.task.scheduler.misfire-threshold is {misfire_ms} ms and must be more than {lease_key} + 2000 ms"
            f" = {lease_ms + 2_000} ms, or every failover would make misfires"
        )
    if lease_ms > _SLOW_FAILOVER_MS:
        warnings.append(f"{lease_key} is {lease_ms} ms: after the death of a leader nothing fires for as long")
    return SchedulerSettings(
        lease_ms=lease_ms,
        lock_prefix=values.get("app.task.distributed-lock.redis.key-prefix", str),
        scan_interval_ms=values.get("app.task.scheduler.scan-interval", int),
        batch_size=values.get("app.task.scheduler.batch-size", int),
        concurrent_limit=values.get("app.task.scheduler.concurrent-limit", int),
        misfire_threshold_ms=misfire_ms,
        time_zone=values.get("app.task.time-zone", str),
        partitions=values.get("app.task.partitions", int),
        worker_ttl_ms=values.get("app.task.worker.ttl", int),
    )


def _executor(values: _Values, problems: list[str]) -> ExecutorSettings:
    executor = ExecutorSettings(
        core_pool_size=values.get("app.task.executor.core-pool-size", int),
        max_pool_size=values.get("app.task.executor.max-pool-size", int),
        queue_capacity=values.get("app.task.executor.queue-capacity", int),
        async_slots=values.get("app.task.executor.async-slots", int),
    )
    if executor.core_pool_size > executor.max_pool_size:
        problems.append(
            f"app.task.executor.core-pool-size is {executor.core_pool_size} and must not be more than"
            f" app.task.executor.max-pool-size, {executor.max_pool_size}"
        )
    return executor


def _redis(values: _Values) -> RedisSettings:
    url = values.optional("taskservice.redis.url")
    if not isinstance(url, str):
        password = values.get("redis.password", str)
        user = f":{quote(password, safe='')}@" if password else ""
        url = f"redis://{user}{values.get('redis.host', str)}:{values.get('redis.port', int)}/0"
    return RedisSettings(
        url=url,
        allow_eviction=values.get("taskservice.allow-eviction", bool),
        allow_no_aof=values.get("taskservice.allow-no-aof", bool),
    )


def _mysql(values: _Values, problems: list[str]) -> MysqlSettings:
    url = values.optional("taskservice.mysql.url")
    if not isinstance(url, str):
        return MysqlSettings(
            host=values.get("mysql.host", str),
            port=values.get("mysql.port", int),
            user=values.get("mysql.user", str),
            password=values.get("mysql.password", str),
            database=values.get("mysql.database", str),
        )
    settings = mysql_from_url(url)
    if settings is None:
        problems.append("taskservice.mysql.url must be like mysql://user:password@host:3306/database")
        return MysqlSettings(host="", port=0, user="", password="", database="")
    return settings


def mysql_from_url(url: str) -> MysqlSettings | None:
    """The parts of `mysql://user:password@host:port/database`; None when it is not one."""
    try:
        parts = urlsplit(url)
        port = parts.port or 3_306
    except ValueError:
        return None
    database = unquote(parts.path.lstrip("/"))
    if parts.scheme != "mysql" or not parts.hostname or not parts.username or not database:
        return None
    return MysqlSettings(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        database=database,
    )
