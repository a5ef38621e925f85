"""What may hold back one more start: limits of the definition, of its queue and of its tenant, and the tenant's rate.

A limit counts attempts that are dispatched. They are judged by the leader at the moment of the dispatch, so they hold
over the whole partition, and a tenant lives in one partition.
"""

from typing import Literal, TypeAlias

import msgspec

from taskservice.domain.decide.context import Context
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.dispatch import stream_suffix
from taskservice.domain.state import Definition
from taskservice.domain.tenants import TenantSettings

Binding: TypeAlias = Literal["DEFINITION_LIMIT", "QUEUE_LIMIT", "TENANT_LIMIT", "TENANT_RATE"]


class Bound(msgspec.Struct, frozen=True, gc=False):
    """A start is held back by `by`; `until` in ms since the epoch where time alone lifts it."""

    by: Binding
    until: int | None = None


def bound_by(context: Context, definition: Definition, spec: DefinitionSpec) -> Bound | None:
    """What holds back one more start of the definition under `spec`; null = nothing does."""
    limit = context.limit_of(spec)
    if limit is not None and definition.active >= limit:
        return Bound("DEFINITION_LIMIT")
    settings = context.state.tenants.get(definition.tenant_id)
    return None if settings is None else _bound_by_tenant(context, definition.tenant_id, spec.queue, settings)


def may_start_now(context: Context, definition: Definition, spec: DefinitionSpec) -> bool:
    """Whether a new instance may go to its stream at once: nobody it would overtake, room, no limit that binds."""
    if context.state.scheduler.stopped_at is not None:
        return False
    suffix = stream_suffix(spec)
    window, waiting = context.agenda.windows.of(suffix), context.agenda.waiting
    if window is None or not window.has_room or waiting.has_lane(suffix, definition.id):
        return False
    if waiting.anyone_ready(window.suffixes):
        return False  # room that was just made, and not given to anybody yet: priority and shares decide about it
    return bound_by(context, definition, spec) is None


def note_start(context: Context, tenant_id: str) -> None:
    """A start was decided: the tenant's rate counts it."""
    settings = context.state.tenants.get(tenant_id)
    if settings is not None and settings.starts_per_second is not None:
        context.agenda.rates.take(tenant_id, settings.starts_per_second, context.ts)


def _bound_by_tenant(context: Context, tenant_id: str, queue: str, settings: TenantSettings) -> Bound | None:
    active = context.state.active_of(tenant_id)
    queue_limit = settings.queue_limits.get(queue)
    if queue_limit is not None and active.get(queue, 0) >= queue_limit:
        return Bound("QUEUE_LIMIT")
    if settings.max_concurrency is not None and sum(active.values()) >= settings.max_concurrency:
        return Bound("TENANT_LIMIT")
    if settings.starts_per_second is not None:
        ready_at = context.agenda.rates.ready_at(tenant_id, settings.starts_per_second, context.ts)
        if ready_at > context.ts:
            return Bound("TENANT_RATE", ready_at)
    return None
