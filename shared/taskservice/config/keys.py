"""Every setting: its key, its default, how its text is read and what it means. The names of API.md §8, and our own
beside them. `docs/reference/settings.md` is made from this table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from taskservice.config.kinds import (
    ANY_TEXT,
    BOOLEAN,
    FOREIGN_VARIABLES,
    HOST,
    HOST_PORTS,
    HTTP_URL,
    LABELS,
    MYSQL_URL,
    PORT,
    PORT_OR_ANY,
    PORTS,
    PROGRAMS,
    QUEUES,
    REDIS_URL,
    TIME_ZONE,
    Kind,
    Raw,
    Value,
    duration,
    integer,
    text,
)

__all__ = ["SETTINGS", "Raw", "Setting", "Value"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    :ivar key: its path, as in a YAML file; upper-cased it is the name of its environment variable.
    :ivar default: the value when no source has it.
    :ivar kind: how its text is read, and what is allowed.
    :ivar meaning: one line for the reference, in Markdown, without a full stop.
    :ivar secret: never shown.
    :ivar file_variant: also read from the file that `<ENVIRONMENT NAME>_FILE` names.
    """

    key: str
    default: Value
    kind: Kind
    meaning: str
    secret: bool = False
    file_variant: bool = False

    @property
    def read(self) -> Callable[[Raw], Value]:
        """Turns a source's value into ours; raises ValueError saying what is allowed."""
        return self.kind.read

    @property
    def env_names(self) -> tuple[str, ...]:
        """`APP_TASK_TIME_ZONE`, and Spring's form `APP_TASK_TIMEZONE`."""
        upper = self.key.upper()
        ours = upper.replace(".", "_").replace("-", "_")
        springs = upper.replace(".", "_").replace("-", "")
        return (ours,) if ours == springs else (ours, springs)


_DAY_MS = 86_400_000

_PROFILE = (
    Setting(
        "profile",
        "dev",
        text(r"[A-Za-z0-9_-]{1,64}", "a name such as dev or prod"),
        "which `config/<profile>.yaml` is read; `prod` means JSON logs, no examples, and no unset or weak passwords",
        file_variant=True,
    ),
)

_EXECUTOR = (
    Setting(
        "app.task.executor.core-pool-size",
        10,
        integer(1, 10_000),
        "threads that a worker keeps; at most `max-pool-size`",
    ),
    Setting(
        "app.task.executor.max-pool-size", 50, integer(1, 10_000), "most threads of a worker: its slots for THREAD runs"
    ),
    Setting(
        "app.task.executor.queue-capacity",
        1_000,
        integer(1, 1_000_000),
        "most runs that a worker takes ahead; it takes what it finishes in 100 ms, so that waiting stays with the leader",
    ),
    Setting("app.task.executor.async-slots", 500, integer(1, 100_000), "ASYNC runs that a worker has at once"),
    Setting(
        "app.task.executor.process-slots",
        None,
        integer(0, 1_000),
        "processes of a worker that run tasks at once: its slots for PROCESS runs and for `shell`; unset: the number of"
        " its cores, at least 2",
    ),
    Setting(
        "app.task.executor.process-environment",
        (),
        FOREIGN_VARIABLES,
        "variables of the worker's environment that such a process gets, beside a few harmless ones (`PATH`, `LANG`, ...)",
    ),
)

_SCHEDULER = (
    Setting("app.task.scheduler.scan-interval", 10_000, duration(10, 600_000), "longest sleep of the leader"),
    Setting("app.task.scheduler.batch-size", 100, integer(1, 500), "events an append, entries a read"),
    Setting(
        "app.task.scheduler.concurrent-limit",
        20,
        integer(0, 100_000),
        "`maxConcurrency` of definitions that name none; 0 = no limit",
    ),
    Setting(
        "app.task.scheduler.misfire-threshold",
        None,
        duration(1_000, _DAY_MS),
        "a fire later than this is misfired; must be more than the lock's expiry + 2000 ms;"
        " unset: 15000 ms, or the lock's expiry + 5000 ms if that is more",
    ),
    Setting(
        "app.task.distributed-lock.redis.key-prefix",
        "task:lock:",
        text(r"[^\s{}]{1,100}", "1 to 100 characters without spaces and braces"),
        "what the names of the leader's locks in Redis begin with",
    ),
    Setting(
        "app.task.distributed-lock.redis.default-expire-time",
        10_000,
        duration(1_000, 3_600_000),
        "life of the leader's lock: after a leader's death the next one decides within this + 2 s",
    ),
    Setting("app.task.time-zone", "UTC", TIME_ZONE, "zone of definitions that name none; stored at their creation"),
    Setting(
        "app.task.partitions",
        1,
        integer(1, 1_024),
        "partitions of the log; fixed at install: a tenant's work lies in one of them",
    ),
)

_TASKS = (
    Setting(
        "app.task.http.allow",
        (),
        HOST_PORTS,
        "internal addresses that the `http` handler may call although its guard denies such; this service's own Redis and"
        " database stay denied",
    ),
    Setting(
        "app.task.http.ports",
        (),
        PORTS,
        "ports that the `http` handler may call, e.g. `80,443`, beside those of `app.task.http.allow`; empty = any",
    ),
    Setting("app.task.tenant.queues", ("default",), QUEUES, "queues that a tenant may use, unless it has its own list"),
    Setting(
        "app.task.worker.ttl",
        15_000,
        duration(1_000, 3_600_000),
        "a worker whose beat stands still for so long is lost",
    ),
    Setting(
        "app.task.worker.labels", (), LABELS, "labels of a worker, which the `requiredLabels` of definitions ask for"
    ),
    Setting(
        "app.task.shell.enabled",
        False,
        BOOLEAN,
        "whether a worker has the handler `shell`: definitions then run programs as the worker's user",
    ),
    Setting("app.task.shell.allow", (), PROGRAMS, "programs that `shell` may run; empty = any"),
)

_WATCHDOG = (
    Setting(
        "app.task.watchdog.instant",
        30_000,
        duration(100, 50_000),
        "an instant may be due and undecided for so long before it is an alarm; at most 50 s, since it is promised within"
        " a minute",
    ),
    Setting(
        "app.task.watchdog.command",
        30_000,
        duration(100, 3_600_000),
        "a command or a worker's report may have no outcome for so long before it is an alarm",
    ),
    Setting(
        "app.task.watchdog.dispatch",
        30_000,
        duration(100, 3_600_000),
        "a dispatched run may lie untaken for so long, though a worker has a slot free, before it is an alarm",
    ),
    Setting(
        "app.task.watchdog.projection",
        60_000,
        duration(100, 3_600_000),
        "read model and archive may be behind the log for so long before it is an alarm",
    ),
    Setting(
        "app.task.watchdog.calm",
        30_000,
        duration(100, 3_600_000),
        "an alarm is cleared when what it told has been over for so long; not less than the pause between two scrapes",
    ),
)

_ADDRESSES = (
    Setting("app.task.api.host", "127.0.0.1", HOST, "address that the api listens on; the image sets `0.0.0.0`"),
    Setting("app.task.api.port", 8_084, PORT_OR_ANY, "port of the api; 0 = any free one"),
    Setting(
        "app.task.api.write-rate",
        2_000,
        integer(0, 1_000_000),
        "changes a second that one tenant may ask of one api, each item of a batch counted; beyond: 429; 0 = no limit",
    ),
    Setting(
        "app.task.api.write-burst",
        20_000,
        integer(1_000, 10_000_000),
        "how many of them it may save up and ask for at once",
    ),
    Setting(
        "app.task.health.host",
        "127.0.0.1",
        HOST,
        "address on which ticker, worker and projector answer `/health/*` and `/metrics`",
    ),
    Setting("app.task.health.port", 0, PORT_OR_ANY, "their port; 0 = any free one, which the log names"),
)

_SERVERS = (
    Setting("mysql.host", "127.0.0.1", HOST, "host of MySQL (8, 9) or MariaDB (10.6 or newer)", file_variant=True),
    Setting("mysql.port", 3_306, PORT, "its port", file_variant=True),
    Setting("mysql.database", "taskservice", text(r"\S{1,64}", "a database name"), "its database", file_variant=True),
    Setting("mysql.user", "taskservice", text(r"\S{1,80}", "a user name"), "who logs in there", file_variant=True),
    Setting("mysql.password", "", ANY_TEXT, "its password", secret=True, file_variant=True),
    Setting(
        "mysql.tls",
        False,
        BOOLEAN,
        "whether it is spoken to in TLS, and in nothing else; in `taskservice.mysql.url` that is `?tls=true`",
    ),
    Setting(
        "mysql.tls-ca-file",
        "",
        ANY_TEXT,
        "file, in PEM, with the authorities that sign its certificate; empty = the system's",
    ),
    Setting(
        "mysql.tls-check-name",
        True,
        BOOLEAN,
        "whether its certificate must name the host; the one that a MySQL makes for itself names none",
    ),
    Setting("redis.host", "127.0.0.1", HOST, "host of Redis (7 or newer)", file_variant=True),
    Setting("redis.port", 6_379, PORT, "its port", file_variant=True),
    Setting(
        "redis.user",
        "",
        text(r"\S{0,80}", "a user name"),
        "who logs in there; empty = Redis's default user",
        file_variant=True,
    ),
    Setting("redis.password", "", ANY_TEXT, "its password", secret=True, file_variant=True),
    Setting(
        "redis.tls",
        False,
        BOOLEAN,
        "whether it is spoken to in TLS; in `taskservice.redis.url` that is `rediss://`",
    ),
    Setting(
        "redis.tls-ca-file",
        "",
        ANY_TEXT,
        "file, in PEM, with the authorities that sign its certificate, beside the system's",
    ),
    Setting(
        "nacos.server-addr",
        "",
        ANY_TEXT,
        "accepted, since deployments set it, and not used by this release: a warning says so",
        file_variant=True,
    ),
    Setting(
        "taskservice.redis.url",
        None,
        REDIS_URL,
        "Redis in one text; wins over the `redis.*` settings",
        secret=True,
        file_variant=True,
    ),
    Setting(
        "taskservice.mysql.url",
        None,
        MYSQL_URL,
        "the database in one text; wins over the `mysql.*` settings",
        secret=True,
        file_variant=True,
    ),
    Setting(
        "taskservice.allow-eviction",
        False,
        BOOLEAN,
        "start although Redis may evict keys: accepted commands can vanish",
    ),
    Setting(
        "taskservice.allow-no-aof",
        False,
        BOOLEAN,
        "start although Redis keeps no append-only file: its restart loses what it acknowledged",
    ),
)

_CLIENT = (
    Setting(
        "taskservice.api.url",
        "http://127.0.0.1:8084",
        HTTP_URL,
        "the api that the command line speaks to",
        file_variant=True,
    ),
    Setting("taskservice.api.key", "", ANY_TEXT, "the key that it shows there", secret=True, file_variant=True),
)

SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        setting.key: setting
        for group in (_PROFILE, _EXECUTOR, _SCHEDULER, _TASKS, _WATCHDOG, _ADDRESSES, _SERVERS, _CLIENT)
        for setting in group
    }
)
