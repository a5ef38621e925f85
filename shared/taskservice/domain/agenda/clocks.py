"""The leader's clocks of one instance: when the next of them runs out.

`timeoutMs` runs on the worker; the leader's own deadline for it, `startedAt + timeoutMs + cancelGraceMs + 5 s`, is for
a worker that forgot. `startTimeoutMs` and `deadlineMs` count from the nominal instant, or from the last
retry by hand, and are the leader's alone.
"""

from typing import Literal, TypeAlias

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.state import Instance

FORGOTTEN_MS = 5_000
"""How long after its grace a worker may still report before the leader ends the attempt itself."""

Clock: TypeAlias = Literal["DEADLINE", "START_TIMEOUT", "TIMEOUT", "REVOKE_ANY"]


def start_timeout_at(instance: Instance, spec: DefinitionSpec) -> int | None:
    """When it must have been started; None once it was, or has no such clock."""
    if spec.start_timeout_ms is None or instance.status != "PENDING":
        return None
    if instance.attempt > 1 or instance.previous_attempts or instance.timeout_kind is not None:
        return None
    return instance.due_at + spec.start_timeout_ms


def deadline_at(instance: Instance, spec: DefinitionSpec) -> int | None:
    """When it must have ended, retries included."""
    if spec.deadline_ms is None or instance.timeout_kind == "DEADLINE":
        return None
    return instance.due_at + spec.deadline_ms


def forgotten_at(instance: Instance, spec: DefinitionSpec) -> int | None:
    """When a running attempt must have been reported timed out by its worker."""
    if spec.timeout_ms is None or instance.status != "RUNNING" or instance.started_at is None:
        return None
    if instance.timeout_kind in {"TIMEOUT", "DEADLINE"} or instance.cancel_requested_at is not None:
        return None  # START_TIMEOUT asked it back in vain: it was taken in time, and runs
    return instance.started_at + spec.timeout_ms + spec.cancel_grace_ms + FORGOTTEN_MS


def revoke_any_at(instance: Instance, spec: DefinitionSpec) -> int | None:
    """When an entry that was asked back in mode `cancel` is taken back whoever holds it."""
    if instance.revoking != "cancel" or instance.revoke_asked_at is None:
        return None
    return instance.revoke_asked_at + spec.cancel_grace_ms + FORGOTTEN_MS


def next_clock(instance: Instance, spec: DefinitionSpec) -> tuple[int, Clock] | None:
    """The clock of an open instance that runs out first, and when."""
    found: tuple[int, Clock] | None = None
    for at, clock in (
        (deadline_at(instance, spec), "DEADLINE"),
        (start_timeout_at(instance, spec), "START_TIMEOUT"),
        (forgotten_at(instance, spec), "TIMEOUT"),
        (revoke_any_at(instance, spec), "REVOKE_ANY"),
    ):
        if at is not None and (found is None or at < found[0]):
            found = (at, clock)  # type: ignore[assignment]
    return found
