"""From the waiting line into dispatch streams: room by room, tenants in rotation, priority within one."""

import heapq

from taskservice.domain import events as e
from taskservice.domain.decide.context import Context


def release_delayed(context: Context, most: int) -> bool:
    """Retries and delayed starts whose instant has come join the waiting line; True = more are due at once."""
    delayed = context.agenda.delayed
    released = 0
    while delayed and delayed[0][0] <= context.now:
        if released == most:
            return True
        released += 1
        _, instance_id = heapq.heappop(delayed)
        instance = context.state.instances.get(instance_id)
        if instance is None or not instance.waits:
            continue
        if instance.not_before is not None and instance.not_before > context.now:
            continue  # put off since; it has an entry of its own
        context.agenda.line_up(instance, context.state.spec_of(instance))
    return False


def dispatch_waiting(context: Context, most: int) -> bool:
    """Dispatch up to `most` waiting instances; True = more could go at once."""
    if context.state.scheduler.stopped_at is not None:
        return False
    sent = 0
    suffixes = [s for s in context.agenda.waiting.suffixes() if context.agenda.windows.room(s) > 0]
    while suffixes:
        still: list[str] = []
        for suffix in suffixes:
            if sent == most:
                return True
            if context.agenda.windows.room(suffix) > 0 and _dispatch_next(context, suffix):
                sent += 1
                still.append(suffix)
        suffixes = still
    return False


def _dispatch_next(context: Context, suffix: str) -> bool:
    """Dispatch who is next for the stream; False = nobody may."""
    waiting = context.agenda.waiting
    while (found := waiting.next(suffix)) is not None:
        definition_id, instance_id = found
        instance = context.state.instances[instance_id]
        definition = context.state.definitions[definition_id]
        limit = context.limit_of(definition.spec)
        if limit is not None and definition.active >= limit:
            waiting.park(suffix, definition_id)
            continue
        context.draft.begin_item()
        context.draft.emit(
            e.InstanceDispatched(
                instance_id=instance_id,
                attempt=instance.next_attempt,
                **context.stamp_clock(instance.tenant_id, context.now, "room"),
            )
        )
        waiting.served(suffix)
        return True
    return False
