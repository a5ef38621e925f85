"""Instances, their attempts and their log lines."""

from typing import Any, Final, Literal, TypeAlias

import msgspec

InstanceStatus: TypeAlias = Literal["PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"]
TERMINAL: Final[frozenset[InstanceStatus]] = frozenset({"SUCCESS", "FAILED", "CANCELLED"})


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who asked: an api key, a user, or the system."""

    type: str
    id: str


class WaitingFor(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a PENDING instance has not started."""

    reason: str
    limit: int | None = None
    current: int | None = None
    task_instance_id: str | None = None
    until: str | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One try at an instance."""

    attempt: int
    status: str
    execution_node: str | None = None
    dispatched_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    error_type: str | None = None
    error_message: str | None = None


class Instance(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One requested run. `attempts` is null in lists."""

    id: str
    task_definition_id: str
    task_name: str
    origin: str
    fire_time: str
    status: InstanceStatus
    attempt: int
    retry_count: int
    tenant_id: str = ""
    definition_version: int = 0
    task_handler: str = ""
    waiting_for: WaitingFor | None = None
    execution_params: str = "{}"
    execution_node: str | None = None
    queue: str = ""
    priority: int = 5
    start_time: str | None = None
    end_time: str | None = None
    execution_duration: int | None = None
    """Milliseconds from start to end of the current attempt."""
    result: Any = None
    error_message: str | None = None
    error_type: str | None = None
    failure_reason: str | None = None
    cancel_requested_at: str | None = None
    actor: Actor | None = None
    command_id: str | None = None
    traceparent: str | None = None
    created_at: str = ""
    updated_at: str = ""
    attempts: tuple[Attempt, ...] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether only a retry by hand can change it."""
        return self.status in TERMINAL


class Triggered(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of a batch."""

    id: str
    status: InstanceStatus


class LogLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line that a handler logged; `sequence` counts within an attempt, from 1."""

    id: str
    attempt: int
    sequence: int
    log_level: str
    log_message: str
    log_time: str
    task_instance_id: str = ""
    execution_node: str | None = None
