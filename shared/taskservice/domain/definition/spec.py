"""What a tenant asked to be run: every member of a definition that a version carries.

Names and defaults are those of the contract (docs/reference/definitions).
A spec is a value: an edit makes a new one with the next version number, and runs in flight keep the one they started with.
"""

from typing import Literal, TypeAlias

import msgspec

ScheduleType: TypeAlias = Literal["CRON", "FIXED_RATE", "FIXED_DELAY", "ONCE"]
CronDialect: TypeAlias = Literal["QUARTZ", "UNIX"]
DstPolicy: TypeAlias = Literal["ONCE", "QUARTZ"]
MisfirePolicy: TypeAlias = Literal["FIRE_ONCE", "SKIP", "FIRE_ALL"]
OverlapPolicy: TypeAlias = Literal["ALLOW", "SKIP", "QUEUE_ONE", "QUEUE_ALL", "CANCEL_PREVIOUS"]
Isolation: TypeAlias = Literal["ASYNC", "THREAD", "PROCESS"]
RetryBackoff: TypeAlias = Literal["FIXED", "EXPONENTIAL"]
OnWorkerLoss: TypeAlias = Literal["RETRY", "FAIL"]
MinRole: TypeAlias = Literal["OPERATOR", "ADMIN"]


class DefinitionSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One version of a definition, already validated and resolved (time zone stored, dialect chosen).

    Durations are in milliseconds, sizes in bytes, instants in milliseconds since the epoch.
    `task_params` is the JSON text as the client sent it (an object or value was encoded once).
    """

    task_name: str
    task_handler: str
    schedule_type: ScheduleType
    key: str | None = None
    description: str = ""
    owner: str | None = None
    labels: dict[str, str] = {}
    task_params: str = "{}"
    cron_expression: str | None = None
    cron_dialect: CronDialect | None = None
    interval_ms: int | None = None
    run_at: int | None = None
    start_at: int | None = None
    end_at: int | None = None
    time_zone: str = "UTC"
    dst_policy: DstPolicy = "ONCE"
    jitter_ms: int = 0
    misfire_policy: MisfirePolicy = "FIRE_ONCE"
    misfire_window_ms: int | None = None
    misfire_limit: int = 100
    overlap_policy: OverlapPolicy = "SKIP"
    max_concurrency: int | None = None
    queue: str = "default"
    required_labels: dict[str, str] = {}
    priority: int = 5
    isolation: Isolation | None = None
    memory_limit_bytes: int | None = None
    cpu_limit_ms: int | None = None
    environment: dict[str, str] = {}
    timeout_ms: int | None = None
    start_timeout_ms: int | None = None
    deadline_ms: int | None = None
    cancel_grace_ms: int = 10_000
    max_retries: int = 0
    retry_on: tuple[str, ...] = ()
    no_retry_on: tuple[str, ...] = ()
    retry_backoff: RetryBackoff = "EXPONENTIAL"
    retry_delay_ms: int = 1_000
    retry_max_delay_ms: int = 600_000
    retry_jitter: float = 0.2
    on_worker_loss: OnWorkerLoss = "RETRY"
    max_worker_losses: int = 3
    min_role: MinRole = "OPERATOR"


SCHEDULE_FIELDS = (
    "schedule_type",
    "cron_expression",
    "cron_dialect",
    "interval_ms",
    "run_at",
    "start_at",
    "end_at",
    "time_zone",
    "dst_policy",
)
"""An update that leaves all of these alone moves no instant."""


def same_schedule(one: DefinitionSpec, other: DefinitionSpec) -> bool:
    """Whether two versions name the same instants."""
    return all(getattr(one, name) == getattr(other, name) for name in SCHEDULE_FIELDS)
