"""Workers that are gone, and what is left open after part of the log or of the streams was lost."""

from typing import Final

from taskservice.domain import events as e
from taskservice.domain.commands import DeclareLostCommands
from taskservice.domain.decide.context import Context
from taskservice.domain.decide.reports import lose_attempt

MAX_ENTRIES = 400
LOST_CODE: Final = "storage-unavailable"
"""The problem that a command ends with which Redis lost."""
LOST_DETAIL: Final = (
    "Redis acknowledged the command and lost it before it was decided, as a failover may: nothing was done. Send the same "
    "request again; its Idempotency-Key is free."
)


def lose_worker(context: Context, worker: str, entries: list[tuple[str, str]]) -> None:
    """WorkerLost, with a revocation in mode `any` for each entry pending to it; its next beat answers LOST.

    Raises:
        ValueError: more than 400 entries, which would not fit one append.
    """
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"at most {MAX_ENTRIES} entries a call, not {len(entries)}")
    context.draft.begin_item(len(entries) + 1)
    context.draft.emit(
        e.WorkerLost(
            worker=worker,
            entries=tuple(f"{suffix}|{entry_id}" for suffix, entry_id in entries),
            **context.stamp_clock("", context.now, "beat stood still"),
        )
    )
    context.draft.add_lost_worker(worker)


def recover(context: Context, most: int) -> bool:
    """Decide AttemptLost{recovery} for attempts dispatched before this epoch; True = more remain.

    The inbox must have been read to its end. The last call decides RecoveryEnded. Streams are made where definitions are,
    which may be in a part of the log that was restored: those that the registry lost with the rest are made with it,
    since nothing is dispatched to a stream that nobody reads.
    """
    state = context.state
    if not state.recovering:
        return False
    lost = [i for position, i in state.dispatched.items() if position < state.epoch_position]
    for instance_id in lost[:most]:
        instance = state.instances[instance_id]
        context.begin("recovery", context.now, None)
        context.draft.begin_item()
        lose_attempt(context, instance, instance.worker, "recovery", instance.started_at, context.ts)
    if len(lost) > most:
        return True
    context.draft.begin_item()
    context.draft.emit(e.RecoveryEnded(epoch=state.epoch, **context.stamp_clock("", context.now, "recovery")))
    context.draft.need_all_streams()
    return False


def declare_lost_commands(context: Context, command: DeclareLostCommands) -> None:
    """Each of these commands gets its one outcome: rejected, since nobody will ever read it.

    A term is bound to one Redis, which came back with a shorter history once: what was lost is one loss, whoever found
    it out. So LogLossDetected is told with the first testimony of a term, and not when the term began with a loss.
    One append has all of it: half a testimony would be decided again after a takeover.
    """
    emit = context.draft.emit
    context.draft.begin_item(len(command.lost) + 2)
    if not context.losses_told:
        first, last = command.lost[0].id, command.lost[-1].id
        what = (
            f"{len(command.lost)} or more commands of the inbox that nobody had decided, among them {first} and {last}"
        )
        emit(e.LogLossDetected(from_position=0, to_position=0, what=what, **context.stamp("")))
        context.losses_told.append(what)
    for one in command.lost:
        emit(
            e.CommandRejected(
                code=LOST_CODE,
                detail=LOST_DETAIL,
                actor=one.actor,
                outcome=True,
                command_id=one.id,
                command_type=one.type,
                source=one.source,
                **context.stamp_clock(one.tenant_id, min(one.at, context.ts), "inbox loss"),
            )
        )
    emit(e.CommandAccepted(**context.stamp(command.tenant_id), **context.asked(), **context.outcome()))


def tell_loss(context: Context, from_position: int, to_position: int, what: str) -> None:
    """LogLossDetected; positions 0 where none can be named."""
    context.losses_told.append(what)
    context.draft.begin_item()
    context.draft.emit(
        e.LogLossDetected(
            from_position=from_position,
            to_position=to_position,
            what=what,
            **context.stamp_clock("", context.now, "takeover"),
        )
    )
