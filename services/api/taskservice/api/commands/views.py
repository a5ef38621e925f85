"""A command as the contract shows it."""

from typing import Literal, TypeAlias

import msgspec

from taskservice.api.ports import CommandRow
from taskservice.api.wire.problems import Problem
from taskservice.api.writes.outcomes import rejection
from taskservice.domain.events import Actor
from taskservice.domain.ids import time_of
from taskservice.domain.instant_text import rfc3339

CommandState: TypeAlias = Literal["PENDING", "ACCEPTED", "REJECTED"]


class CommandView(msgspec.Struct, kw_only=True, rename="camel"):
    """A request to change something."""

    id: str
    type: str | None
    status: CommandState
    submitted_at: str
    decided_at: str | None
    position: int | None
    actor: Actor | None
    resource: str | None
    problem: Problem | None


def command_view(row: CommandRow, request_id: str) -> CommandView:
    """A decided one."""
    return CommandView(
        id=row.id,
        type=row.type,
        status=row.status,
        submitted_at=rfc3339(row.submitted_at),
        decided_at=rfc3339(row.decided_at),
        position=row.position,
        actor=row.actor,
        resource=row.resource or None,
        problem=rejection(row).body(request_id) if row.status == "REJECTED" else None,
    )


def pending_view(
    command_id: str, command_type: str | None, actor: Actor | None, submitted_at: int | None = None
) -> CommandView:
    """One whose outcome can't be read yet. `type` and `actor` are null when only its id is known.

    :param submitted_at: None = as its id says.
    """
    return CommandView(
        id=command_id,
        type=command_type,
        status="PENDING",
        submitted_at=rfc3339(time_of(command_id) if submitted_at is None else submitted_at),
        decided_at=None,
        position=None,
        actor=actor,
        resource=None,
        problem=None,
    )
