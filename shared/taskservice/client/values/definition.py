"""Definitions."""

from typing import Any

import msgspec


class DefinitionWarning(msgspec.Struct, frozen=True, kw_only=True):
    """Something worth knowing about a definition that is valid."""

    code: str
    detail: str


class Definition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a tenant asked to be run.

    :ivar members: everything that the service answered, by the contract's names: what a script changes and sends back.
    """

    id: str
    version: int
    task_name: str
    task_handler: str
    schedule_type: str
    enabled: bool
    tenant_id: str = ""
    key: str | None = None
    description: str = ""
    owner: str | None = None
    labels: dict[str, str] = {}
    task_params: str = "{}"
    cron_expression: str | None = None
    cron_dialect: str | None = None
    interval_ms: int | None = None
    run_at: str | None = None
    start_at: str | None = None
    end_at: str | None = None
    time_zone: str = "UTC"
    dst_policy: str = "ONCE"
    jitter_ms: int = 0
    misfire_policy: str = "FIRE_ONCE"
    misfire_window_ms: int | None = None
    misfire_limit: int = 100
    overlap_policy: str = "SKIP"
    max_concurrency: int | None = None
    queue: str = "default"
    required_labels: dict[str, str] = {}
    priority: int = 5
    isolation: str | None = None
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
    retry_backoff: str = "EXPONENTIAL"
    retry_delay_ms: int = 1_000
    retry_max_delay_ms: int = 600_000
    retry_jitter: float = 0.2
    on_worker_loss: str = "RETRY"
    max_worker_losses: int = 3
    min_role: str = "OPERATOR"
    status: str = ""
    created_at: str = ""
    updated_at: str = ""
    created_by: str = ""
    updated_by: str = ""
    next_fire_at: str | None = None
    last_fire_at: str | None = None
    last_instance_id: str | None = None
    last_status: str | None = None
    warnings: tuple[DefinitionWarning, ...] = ()
    members: dict[str, Any] = {}


class PreviewedFire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One nominal due instant."""

    fire_time: str


class Preview(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """When a definition would fire, were it made now."""

    items: tuple[PreviewedFire, ...]
    time_zone: str
    warnings: tuple[DefinitionWarning, ...] = ()
