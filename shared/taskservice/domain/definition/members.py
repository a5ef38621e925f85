"""The members of a definition: the contract's names, the spec's fields, and what each may be by itself."""

from dataclasses import dataclass
from typing import get_args

from taskservice.domain.definition import spec as words
from taskservice.domain.definition.checks import (
    Check,
    choice,
    instant,
    integer,
    number,
    string_list,
    string_map,
    text,
    time_zone,
)
from taskservice.domain.definition.params import task_params

YEAR_MS = 31_536_000_000
_FOREIGN_TO_NAMES = r"[^A-Za-z0-9_.:-]"
_NAME_CHARACTERS = "A-Z a-z 0-9 _ . : -"
_class_name = text(1, 200, outside=_FOREIGN_TO_NAMES, made_of=_NAME_CHARACTERS)
_labels = string_map(16, text(1, 63), text(0, 255))
_environment = string_map(
    32,
    text(1, 255, outside=r"[^A-Za-z0-9_]", made_of="A-Z a-z 0-9 _"),
    text(0, 4096, outside=r"\x00", made_of="characters other than NUL"),
    at_most_bytes=4096,
)


@dataclass(frozen=True, slots=True)
class Member:
    """One member: `name` in JSON, `field` in the spec. Absent, it has the spec's default, or it is `required`."""

    name: str
    field: str
    check: Check
    nullable: bool = False
    required: bool = False


MEMBERS = (
    Member("taskName", "task_name", text(1, 100), required=True),
    Member(
        "key",
        "key",
        text(1, 100, outside=r"[^A-Za-z0-9._/-]", made_of="A-Z a-z 0-9 . _ / -"),
        nullable=True,
    ),
    Member("description", "description", text(0, 500, layout=True)),
    Member("owner", "owner", text(0, 100), nullable=True),
    Member("labels", "labels", _labels),
    Member(
        "taskHandler",
        "task_handler",
        text(1, 200, outside=_FOREIGN_TO_NAMES, made_of=_NAME_CHARACTERS),
        required=True,
    ),
    Member("taskParams", "task_params", task_params),
    Member("scheduleType", "schedule_type", choice(*get_args(words.ScheduleType)), required=True),
    Member("cronExpression", "cron_expression", text(1, 100, free=True), nullable=True),
    Member("cronDialect", "cron_dialect", choice(*get_args(words.CronDialect)), nullable=True),
    Member("intervalMs", "interval_ms", integer(100, YEAR_MS), nullable=True),
    Member("runAt", "run_at", instant, nullable=True),
    Member("startAt", "start_at", instant, nullable=True),
    Member("endAt", "end_at", instant, nullable=True),
    Member("timeZone", "time_zone", time_zone),
    Member("dstPolicy", "dst_policy", choice(*get_args(words.DstPolicy))),
    Member("jitterMs", "jitter_ms", integer(0, 3_600_000)),
    Member("misfirePolicy", "misfire_policy", choice(*get_args(words.MisfirePolicy))),
    Member("misfireWindowMs", "misfire_window_ms", integer(1, YEAR_MS), nullable=True),
    Member("misfireLimit", "misfire_limit", integer(1, 10_000)),
    Member("overlapPolicy", "overlap_policy", choice(*get_args(words.OverlapPolicy))),
    Member("maxConcurrency", "max_concurrency", integer(1, 100_000), nullable=True),
    Member("queue", "queue", text(1, 64, outside=r"[^a-z0-9._-]", made_of="a-z 0-9 . _ -")),
    Member("requiredLabels", "required_labels", _labels),
    Member("priority", "priority", integer(0, 9)),
    Member("isolation", "isolation", choice(*get_args(words.Isolation)), nullable=True),
    Member("memoryLimitBytes", "memory_limit_bytes", integer(1, 2**63 - 1), nullable=True),
    Member("cpuLimitMs", "cpu_limit_ms", integer(1, YEAR_MS), nullable=True),
    Member("environment", "environment", _environment),
    Member("timeoutMs", "timeout_ms", integer(1, YEAR_MS), nullable=True),
    Member("startTimeoutMs", "start_timeout_ms", integer(1, YEAR_MS), nullable=True),
    Member("deadlineMs", "deadline_ms", integer(1, YEAR_MS), nullable=True),
    Member("cancelGraceMs", "cancel_grace_ms", integer(0, 600_000)),
    Member("maxRetries", "max_retries", integer(0, 100)),
    Member("retryOn", "retry_on", string_list(20, _class_name)),
    Member("noRetryOn", "no_retry_on", string_list(20, _class_name)),
    Member("retryBackoff", "retry_backoff", choice(*get_args(words.RetryBackoff))),
    Member("retryDelayMs", "retry_delay_ms", integer(0, YEAR_MS)),
    Member("retryMaxDelayMs", "retry_max_delay_ms", integer(0, YEAR_MS)),
    Member("retryJitter", "retry_jitter", number(0, 1)),
    Member("onWorkerLoss", "on_worker_loss", choice(*get_args(words.OnWorkerLoss))),
    Member("maxWorkerLosses", "max_worker_losses", integer(0, 100)),
    Member("minRole", "min_role", choice(*get_args(words.MinRole))),
)

BY_NAME = {member.name: member for member in MEMBERS}
NAME_OF = {member.field: member.name for member in MEMBERS}

ENABLED = "enabled"
READ_ONLY = frozenset(
    {
        "id",
        "tenantId",
        "version",
        "createdAt",
        "updatedAt",
        "createdBy",
        "updatedBy",
        "status",
        "nextFireAt",
        "lastFireAt",
        "lastInstanceId",
        "lastStatus",
        "warnings",
    }
)
"""Sent back by clients that send what they were given; without effect."""

INSTANTS = frozenset({"run_at", "start_at", "end_at"})
"""Fields that are instants, and times in JSON."""
