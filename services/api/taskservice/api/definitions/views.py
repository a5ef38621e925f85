"""A definition as the contract shows it. What is absent is null, never left out."""

import msgspec

from taskservice.api.ports import DefinitionRow
from taskservice.domain.agenda.agenda import next_instant
from taskservice.domain.definition.advice import warnings
from taskservice.domain.definition.spec import (
    CronDialect,
    DefinitionSpec,
    DstPolicy,
    Isolation,
    MinRole,
    MisfirePolicy,
    OnWorkerLoss,
    OverlapPolicy,
    RetryBackoff,
    ScheduleType,
)
from taskservice.domain.instant_text import LATEST_INSTANT, rfc3339
from taskservice.domain.state import InstanceStatus


class WarningView(msgspec.Struct, kw_only=True):
    """Something worth knowing about a definition that is valid."""

    code: str
    detail: str


class DefinitionView(msgspec.Struct, kw_only=True, rename="camel"):
    """What a tenant asked to be run."""

    id: str
    tenant_id: str
    version: int
    created_at: str
    updated_at: str
    created_by: str
    updated_by: str
    task_name: str
    key: str | None
    description: str
    owner: str | None
    labels: dict[str, str]
    task_handler: str
    task_params: str
    schedule_type: ScheduleType
    cron_expression: str | None
    cron_dialect: CronDialect | None
    interval_ms: int | None
    run_at: str | None
    start_at: str | None
    end_at: str | None
    time_zone: str
    dst_policy: DstPolicy
    jitter_ms: int
    misfire_policy: MisfirePolicy
    misfire_window_ms: int | None
    misfire_limit: int
    overlap_policy: OverlapPolicy
    max_concurrency: int | None
    queue: str
    required_labels: dict[str, str]
    priority: int
    isolation: Isolation | None
    memory_limit_bytes: int | None
    cpu_limit_ms: int | None
    environment: dict[str, str]
    timeout_ms: int | None
    start_timeout_ms: int | None
    deadline_ms: int | None
    cancel_grace_ms: int
    max_retries: int
    retry_on: list[str]
    no_retry_on: list[str]
    retry_backoff: RetryBackoff
    retry_delay_ms: int
    retry_max_delay_ms: int
    retry_jitter: float
    on_worker_loss: OnWorkerLoss
    max_worker_losses: int
    min_role: MinRole
    enabled: bool
    status: str
    next_fire_at: str | None
    last_fire_at: str | None
    last_instance_id: str | None
    last_status: InstanceStatus | None
    warnings: list[WarningView]


_SPEC_FIELDS = tuple(
    name
    for name in DefinitionSpec.__struct_fields__
    if name not in {"run_at", "start_at", "end_at", "retry_on", "no_retry_on"}
)


def definition_view(row: DefinitionRow, *, handlers: frozenset[str] | None, now_ms: int) -> DefinitionView:
    """The view of a row.

    :param handlers: those that live workers of its queue know; None = that can't be told now.
    """
    one, spec = row.definition, row.definition.spec
    known = frozenset({spec.task_handler}) if handlers is None else handlers
    return DefinitionView(
        id=one.id,
        tenant_id=one.tenant_id,
        version=one.version,
        created_at=rfc3339(one.created_at),
        updated_at=rfc3339(one.updated_at),
        created_by=one.created_by,
        updated_by=one.updated_by,
        **{name: getattr(spec, name) for name in _SPEC_FIELDS},
        run_at=_text(spec.run_at),
        start_at=_text(spec.start_at),
        end_at=_text(spec.end_at),
        retry_on=list(spec.retry_on),
        no_retry_on=list(spec.no_retry_on),
        enabled=one.enabled,
        status="ENABLED" if one.enabled else "DISABLED",
        next_fire_at=_text(next_instant(one)),
        last_fire_at=_text(one.last_fire_at),
        last_instance_id=one.last_instance_id or None,
        last_status=row.last_status,
        warnings=[
            WarningView(code=code, detail=detail)
            for code, detail in warnings(spec, known_handlers=known, now_ms=now_ms, definition_id=one.id)
        ],
    )


def _text(instant: int | None) -> str | None:
    return None if instant is None or instant > LATEST_INSTANT else rfc3339(instant)
