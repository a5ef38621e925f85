"""From the waiting line into dispatch streams: window by window, tenants by their shares, priority within one."""

import heapq

from taskservice.domain import events as e
from taskservice.domain.agenda.windows import Window
from taskservice.domain.decide.context import Context
from taskservice.domain.decide.limits import bound_by, note_start
from taskservice.domain.overlap import held_up_by
from taskservice.domain.state import backfill_is_full
from taskservice.domain.tenants import DEPLOYMENT


def release_delayed(context: Context, most: int) -> bool:
    """Retries and delayed starts whose instant has come join the waiting line; True = more are due at once."""
    delayed = context.agenda.delayed
    for tenant_id in context.agenda.rates.take_due(context.now):
        context.agenda.waiting.recall(tenant_id)
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
        context.agenda.line_up(instance)
    return False


def dispatch_waiting(context: Context, most: int) -> bool:
    """Dispatch up to `most` waiting instances; True = more could go at once."""
    if context.state.scheduler.stopped_at is not None or not len(context.agenda.waiting):
        return False
    left = most
    for window, contenders in _contenders(context):
        left -= _fill(context, window, contenders, left)
        if left <= 0:
            return True
    return False


def _contenders(context: Context) -> list[tuple[Window, dict[str, list[str]]]]:
    """Windows with room, each with the tenants that wait for it and the streams of it that they wait for."""
    windows = context.agenda.windows
    found: dict[int, tuple[Window, dict[str, list[str]]]] = {}
    if not any(window.has_room for window in windows.all()):
        return []
    for tenant_id, suffixes in context.agenda.waiting.tenants():
        for suffix in suffixes:
            window = windows.of(suffix)
            if window is not None and window.has_room:
                _, tenants = found.setdefault(id(window), (window, {}))
                tenants.setdefault(tenant_id, []).append(suffix)
    return list(found.values())


def _fill(context: Context, window: Window, contenders: dict[str, list[str]], most: int) -> int:
    """Dispatch into one window until it is full, nobody may go, or `most` went; how many did."""
    shares = context.agenda.shares_of(window)
    order = [(shares.place(tenant_id), tenant_id) for tenant_id in contenders]
    heapq.heapify(order)
    sent = 0
    while order and sent < most and window.has_room:
        tenant_id = order[0][1]
        if _dispatch_next(context, tenant_id, contenders[tenant_id]):
            sent += 1
            weight = context.state.tenants.get(tenant_id, DEPLOYMENT).weight
            heapq.heapreplace(order, (shares.serve(tenant_id, weight), tenant_id))
        else:
            heapq.heappop(order)
    return sent


def _dispatch_next(context: Context, tenant_id: str, suffixes: list[str]) -> bool:
    """Dispatch who is next of the tenant in these streams; False = nobody may."""
    waiting = context.agenda.waiting
    while (found := waiting.next(tenant_id, suffixes)) is not None:
        instance = context.state.instances[found.instance_id]
        definition = context.state.definitions[found.definition_id]
        if held_up_by(context.state, instance) is not None or backfill_is_full(context.state, instance):
            context.agenda.line_up(instance)  # out of the line: it comes back when what holds it up has ended
            continue
        bound = bound_by(context, definition, context.state.spec_of(instance))
        if bound is None:
            context.draft.begin_item()
            context.draft.emit(
                e.InstanceDispatched(
                    instance_id=instance.id,
                    attempt=instance.next_attempt,
                    **context.stamp_clock(tenant_id, context.now, "room"),
                )
            )
            note_start(context, tenant_id)
            waiting.served(tenant_id, found.suffix)
            return True
        if bound.by == "DEFINITION_LIMIT":
            waiting.park(found.suffix, definition.id)
            continue
        waiting.set_aside(tenant_id, found.suffix)
        if bound.until is not None:
            context.agenda.rates.wait_until(tenant_id, bound.until)
    return False
