"""What follows a stop or a delete, in bounded steps: entries that nobody took are asked back."""

from taskservice.domain import events as e
from taskservice.domain.decide.context import Context
from taskservice.domain.state import Definition

POSITIONS_AN_EVENT = 200


def withdraw_untaken(context: Context) -> None:
    """The scheduler stopped: ask back, in mode `waiting`, every entry that no AttemptStarted speaks of."""
    if context.state.scheduler.stopped_at is None:
        return
    state = context.state
    positions = [
        position
        for position, instance_id in state.dispatched.items()
        if state.instances[instance_id].status == "PENDING" and state.instances[instance_id].revoking is None
    ]
    for begin in range(0, len(positions), POSITIONS_AN_EVENT):
        _ask_back(context, "", positions[begin : begin + POSITIONS_AN_EVENT], "scheduler stopped")


def cancel_deleted(context: Context, most: int) -> bool:
    """Cancel what is PENDING of deleted definitions; True = more remain."""
    done = 0
    for definition_id in list(context.agenda.deleted):
        definition = context.state.definitions.get(definition_id)
        if definition is not None:
            done += _cancel_open(context, definition, most - done)
        if done >= most:
            return True
        del context.agenda.deleted[definition_id]
    return False


def _cancel_open(context: Context, definition: Definition, most: int) -> int:
    done = 0
    untaken: list[int] = []
    for instance_id in list(definition.open_ids):
        if done >= most:
            break
        instance = context.state.instances[instance_id]
        if instance.waits:
            done += 1
            context.draft.begin_item()
            context.draft.emit(
                e.InstanceCancelled(
                    instance_id=instance.id,
                    attempt=instance.attempt,
                    ended_at=context.ts,
                    error_message="its definition was deleted",
                    **context.stamp_clock(definition.tenant_id, context.now, "definition deleted"),
                )
            )
        elif definition.cancel_running:
            if instance.cancel_requested_at is not None or instance.revoking == "any":
                continue  # it ends by a report as it is
            done += 1
            context.draft.begin_item()
            context.draft.emit(
                e.CancelRequested(
                    instance_id=instance.id,
                    attempt=instance.attempt,
                    mode="cancel",
                    reason="its definition was deleted",
                    **context.stamp_clock(definition.tenant_id, context.now, "definition deleted"),
                )
            )
        elif instance.revoking is None and instance.status == "PENDING":
            done += 1
            untaken.append(instance.entry_position)
    for begin in range(0, len(untaken), POSITIONS_AN_EVENT):
        part = untaken[begin : begin + POSITIONS_AN_EVENT]
        _ask_back(context, definition.tenant_id, part, "definition deleted")
    return done


def _ask_back(context: Context, tenant_id: str, positions: list[int], reason: str) -> None:
    context.draft.begin_item(len(positions) + 1)
    context.draft.emit(
        e.RevocationRequested(
            mode="waiting",
            positions=tuple(positions),
            reason=reason,
            **context.stamp_clock(tenant_id, context.now, reason),
        )
    )
