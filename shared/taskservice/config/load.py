"""From effective values to checked settings."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import quote

from taskservice.config.checks import LEASE, misfire_threshold_ms, problems_in, warnings_in
from taskservice.config.effective import Effective, effective_values
from taskservice.config.errors import SettingsError
from taskservice.config.settings import (
    ApiSettings,
    ClientSettings,
    ExecutorSettings,
    HealthSettings,
    MysqlSettings,
    RedisSettings,
    SchedulerSettings,
    Settings,
    WorkerSettings,
    mysql_from_url,
)
from taskservice.config.tls import mysql_tls
from taskservice.domain.watch import WatchBounds

TAKEOVER_MS = 2_000
"""After the lock of a leader that died the next one decides within this."""


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
    return settings_from(effective_values(flags, env, cwd, config_file))


def settings_from(values: Effective) -> Settings:
    """The same from values that were read already.

    :raises SettingsError: with every problem found.
    """
    problems = [*values.problems, *problems_in(values)]
    if problems:
        raise SettingsError(problems)
    return Settings(
        profile=values.get("profile", str),
        redis=_redis(values),
        mysql=_mysql(values),
        scheduler=_scheduler(values),
        executor=_executor(values),
        worker=_worker(values),
        api=ApiSettings(
            host=values.get("app.task.api.host", str),
            port=values.get("app.task.api.port", int),
            tenant_queues=cast("tuple[str, ...]", values.optional("app.task.tenant.queues")),
            write_rate=values.get("app.task.api.write-rate", int),
            write_burst=values.get("app.task.api.write-burst", int),
        ),
        health=HealthSettings(
            host=values.get("app.task.health.host", str), port=values.get("app.task.health.port", int)
        ),
        client=ClientSettings(
            url=values.get("taskservice.api.url", str).rstrip("/"), api_key=values.get("taskservice.api.key", str)
        ),
        http_allow=cast("tuple[str, ...]", values.optional("app.task.http.allow")),
        sources=values.places,
        warnings=(*values.warnings, *warnings_in(values)),
    )


def _scheduler(values: Effective) -> SchedulerSettings:
    return SchedulerSettings(
        lease_ms=values.get(LEASE, int),
        lock_prefix=values.get("app.task.distributed-lock.redis.key-prefix", str),
        scan_interval_ms=values.get("app.task.scheduler.scan-interval", int),
        batch_size=values.get("app.task.scheduler.batch-size", int),
        concurrent_limit=values.get("app.task.scheduler.concurrent-limit", int),
        misfire_threshold_ms=misfire_threshold_ms(values),
        time_zone=values.get("app.task.time-zone", str),
        partitions=values.get("app.task.partitions", int),
        worker_ttl_ms=values.get("app.task.worker.ttl", int),
        watch=WatchBounds(
            instant_ms=values.get("app.task.watchdog.instant", int),
            command_ms=values.get("app.task.watchdog.command", int),
            dispatch_ms=values.get("app.task.watchdog.dispatch", int),
            projection_ms=values.get("app.task.watchdog.projection", int),
            leaderless_ms=values.get(LEASE, int) + TAKEOVER_MS,
            calm_ms=values.get("app.task.watchdog.calm", int),
        ),
    )


def _worker(values: Effective) -> WorkerSettings:
    labels = cast("tuple[str, ...]", values.optional("app.task.worker.labels"))
    shell_allow = cast("tuple[str, ...]", values.optional("app.task.shell.allow"))
    return WorkerSettings(
        labels={key: value for key, _, value in (label.partition("=") for label in labels)},
        shell_allow=shell_allow if values.get("app.task.shell.enabled", bool) else None,
        http_ports=frozenset(int(port) for port in cast("tuple[str, ...]", values.optional("app.task.http.ports"))),
    )


def _executor(values: Effective) -> ExecutorSettings:
    return ExecutorSettings(
        core_pool_size=values.get("app.task.executor.core-pool-size", int),
        max_pool_size=values.get("app.task.executor.max-pool-size", int),
        queue_capacity=values.get("app.task.executor.queue-capacity", int),
        async_slots=values.get("app.task.executor.async-slots", int),
        process_slots=cast("int | None", values.optional("app.task.executor.process-slots")),
        process_environment=cast("tuple[str, ...]", values.optional("app.task.executor.process-environment")),
    )


def _redis(values: Effective) -> RedisSettings:
    url = values.optional("taskservice.redis.url")
    if not isinstance(url, str):
        user = quote(values.get("redis.user", str), safe="")
        password = quote(values.get("redis.password", str), safe="")
        login = f"{user}:{password}@" if user or password else ""
        scheme = "rediss" if values.get("redis.tls", bool) else "redis"
        url = f"{scheme}://{login}{values.get('redis.host', str)}:{values.get('redis.port', int)}/0"
    authorities = values.get("redis.tls-ca-file", str)
    if authorities and "ssl_ca_certs=" not in url:
        url += f"{'&' if '?' in url else '?'}ssl_ca_certs={quote(authorities, safe='')}"
    return RedisSettings(
        url=url,
        allow_eviction=values.get("taskservice.allow-eviction", bool),
        allow_no_aof=values.get("taskservice.allow-no-aof", bool),
    )


def _mysql(values: Effective) -> MysqlSettings:
    url = values.optional("taskservice.mysql.url")
    named = mysql_from_url(url) if isinstance(url, str) else None
    tls, authorities, check_name = mysql_tls(values, named)
    if named is not None:
        return replace(named, tls_ca_file=authorities)
    return MysqlSettings(
        host=values.get("mysql.host", str),
        port=values.get("mysql.port", int),
        user=values.get("mysql.user", str),
        password=values.get("mysql.password", str),
        database=values.get("mysql.database", str),
        tls=tls,
        tls_ca_file=authorities,
        tls_check_name=check_name,
    )
