"""What the service answers, as far as a client needs it. Members that are not named here are ignored."""

from typing import Any, Generic, Literal, TypeAlias, TypeVar

import msgspec

InstanceStatus: TypeAlias = Literal["PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"]

T = TypeVar("T")


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One faulty part of a request; one of `pointer`, `parameter` and `header` names it."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None
    position: int | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why the service refused a request (RFC 9457)."""

    code: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: tuple[FieldError, ...] = ()
    current_status: str | None = None
    current_version: int | None = None
    command_id: str | None = None


class Definition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A definition. `members` holds everything that the service answered, by the contract's names."""

    id: str
    version: int
    task_name: str
    task_handler: str
    schedule_type: str
    enabled: bool
    key: str | None = None
    next_fire_at: str | None = None
    members: dict[str, Any] = {}


class Attempt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One try at an instance."""

    attempt: int
    status: str
    execution_node: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    error_type: str | None = None
    error_message: str | None = None


class Instance(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One requested run. `attempts` is filled by the detail alone."""

    id: str
    task_definition_id: str
    task_name: str
    origin: str
    fire_time: str
    status: InstanceStatus
    attempt: int
    retry_count: int
    execution_node: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    result: Any = None
    error_message: str | None = None
    failure_reason: str | None = None
    cancel_requested_at: str | None = None
    waiting_for: dict[str, Any] | None = None
    attempts: tuple[Attempt, ...] = ()


class Triggered(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of a batch."""

    id: str
    status: InstanceStatus


class LogLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line that a handler logged."""

    id: str
    attempt: int
    sequence: int
    log_level: str
    log_message: str
    log_time: str


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True, rename="camel"):
    """A page of a list; `next_cursor` null = the last one."""

    items: tuple[T, ...]
    next_cursor: str | None = None
