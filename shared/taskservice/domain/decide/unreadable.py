"""Commands that this release can't read: every acknowledged command has an outcome, these too."""

import msgspec

from taskservice.domain import events as e
from taskservice.domain.decide.context import Context


class UnreadableCommand(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What could be read of it: its envelope."""

    entry_id: str
    at: int
    command_id: str
    command_type: str
    tenant_id: str


def reject(context: Context, command: UnreadableCommand) -> None:
    """CommandRejected{internal}: it changes nothing."""
    context.begin(f"{command.entry_id}#0", command.at, None)
    context.draft.begin_item()
    context.draft.emit(
        e.CommandRejected(
            code="internal",
            detail="the leader can't read this command; it was made by another release, or is damaged",
            outcome=True,
            command_id=command.command_id,
            command_type=command.command_type,
            **context.stamp(command.tenant_id),
        )
    )
