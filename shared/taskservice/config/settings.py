"""The settings as the services see them: frozen, typed, checked. Durations are integer milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from taskservice.domain.watch import WatchBounds


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Where Redis is, and which of its start-up checks the operator has waived by name."""

    url: str
    allow_eviction: bool = False
    """Start although Redis may evict keys: accepted commands can then vanish."""
    allow_no_aof: bool = False
    """Start although Redis keeps no append-only file: its restart then loses what it acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlSettings:
    """Where the database is. MariaDB >= 10.6, MySQL 8 or 9."""

    host: str
    port: int
    user: str
    password: str
    database: str
    tls: bool = False
    tls_ca_file: str = ""
    """Of the authorities that sign its certificate; empty = the system's."""
    tls_check_name: bool = True

    @property
    def url(self) -> str:
        """`mysql://user:password@host:port/database`, quoted, with `?tls=true` and what belongs to it."""
        told = {"tls": "true"} if self.tls else {}
        if self.tls and self.tls_ca_file:
            told["tls-ca-file"] = self.tls_ca_file
        if self.tls and not self.tls_check_name:
            told["tls-check-name"] = "false"
        return (
            f"mysql://{quote(self.user, safe='')}:{quote(self.password, safe='')}"
            f"@{self.host}:{self.port}/{quote(self.database, safe='')}{'?' if told else ''}{urlencode(told)}"
        )


def mysql_from_url(url: str) -> MysqlSettings | None:
    """The parts of `mysql://user:password@host:port/database?tls=true`; None when it is not one."""
    try:
        parts = urlsplit(url)
        port = parts.port or 3_306
    except ValueError:
        return None
    database = unquote(parts.path.lstrip("/"))
    told = {name: found[-1] for name, found in parse_qs(parts.query, keep_blank_values=True).items()}
    switches = {name: told.get(name, default) for name, default in (("tls", "false"), ("tls-check-name", "true"))}
    if told.keys() - {*switches, "tls-ca-file"} or not {"true", "false"}.issuperset(switches.values()):
        return None
    if parts.scheme != "mysql" or not parts.hostname or not parts.username or not database:
        return None
    return MysqlSettings(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        database=database,
        tls=switches["tls"] == "true",
        tls_ca_file=told.get("tls-ca-file", ""),
        tls_check_name=switches["tls-check-name"] == "true",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """How the leader decides and how leadership is held."""

    lease_ms: int
    """Life of the leader's lock; the next fire after a killed leader comes within this + 2 s."""
    lock_prefix: str
    scan_interval_ms: int
    """Longest sleep of the leader."""
    batch_size: int
    """Events an append, entries a read."""
    concurrent_limit: int
    """`maxConcurrency` of definitions that name none; 0 = no limit."""
    misfire_threshold_ms: int
    """A fire later than this is misfired."""
    time_zone: str
    """IANA zone of definitions that name none."""
    partitions: int
    worker_ttl_ms: int
    """A worker whose beat stands still for so long is lost."""
    watch: WatchBounds
    """How long what may last before it is an alarm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorSettings:
    """How much a worker runs at once."""

    core_pool_size: int
    """Threads kept."""
    max_pool_size: int
    """Most threads: the THREAD slots of a worker."""
    queue_capacity: int
    """Upper bound of a worker's prefetch."""
    async_slots: int
    process_slots: int | None = None
    """Processes at once; None = the number of cores, at least 2."""
    process_environment: tuple[str, ...] = ()
    """Variables of the worker's environment that they get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """What a worker is for, and what it lets definitions do."""

    labels: Mapping[str, str]
    shell_allow: tuple[str, ...] | None
    """Programs that `shell` may run, empty = any; None = there is no such handler."""
    http_ports: frozenset[int]
    """Ports that `http` may call beside those of `Settings.http_allow`; empty = any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Where the api listens, and what a tenant may use."""

    host: str
    port: int
    tenant_queues: tuple[str, ...]
    write_rate: int
    """Changes a second that one tenant may ask of one api; 0 = no limit."""
    write_burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings:
    """Where ticker, worker and projector answer `/health/*` and `/metrics`; port 0 = any free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What the command line speaks to, when it speaks HTTP."""

    url: str
    api_key: str
    """Empty when none is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that one process was told."""

    profile: str
    redis: RedisSettings
    mysql: MysqlSettings
    scheduler: SchedulerSettings
    executor: ExecutorSettings
    worker: WorkerSettings
    api: ApiSettings
    health: HealthSettings
    client: ClientSettings
    http_allow: tuple[str, ...]
    """`host:port` pairs that may pass the guard of the built-in `http` handler."""
    sources: Mapping[str, str]
    """Each key with the name of the place that its value came from."""
    warnings: tuple[str, ...] = ()
    """What is accepted but costs something; each service logs them at its start."""

    @property
    def production(self) -> bool:
        """True under `PROFILE=prod`: JSON logs, no examples, no unset passwords."""
        return self.profile == "prod"
