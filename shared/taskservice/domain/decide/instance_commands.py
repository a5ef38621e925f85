"""Commands about instances: trigger, cancel, retry."""

import msgspec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.decide.clocks import ClockDecisions
from taskservice.domain.decide.context import Context
from taskservice.domain.decide.definition_commands import live_definition, resource_of, role_suffices
from taskservice.domain.decide.fires import FireDecisions
from taskservice.domain.decide.limits import may_start_now, note_start
from taskservice.domain.ids import instance_id_of_trigger
from taskservice.domain.state import AttemptRecord, Definition, Instance

_encode_records = msgspec.json.Encoder().encode


def resource_of_instance(instance_id: str) -> str:
    """How outcomes name an instance."""
    return f"instances/{instance_id}"


def trigger(
    context: Context, fires: FireDecisions, command: c.TriggerDefinition, items_done: int, max_items: int
) -> int:
    """Run it now, once for each item; a batch is taken or refused whole at its first item. Returns items done."""
    total = len(command.params)
    definition = live_definition(context, command.definition_id)
    if items_done == 0:
        if definition is not None:
            fires.settle(definition, cut_gap=False)
        definition = _may_trigger(context, definition, command)
        if definition is None:
            return total
    if definition is None:
        # Deleted between two turns: impossible, since the delete is a later entry. Total all the same.
        return total
    end = min(total, items_done + max_items)
    cause = context.cause.rpartition("#")[0]
    for index in range(items_done, end):
        context.cause = f"{cause}#{index}"
        _schedule(context, definition, command, index)
        context.draft.cursor = f"{cause}/{index + 1}"  # a batch may be closed in the middle of this entry
    if end == total and command.batch:
        context.accept(resource_of(definition.id))
    return end


def cancel(context: Context, fires: FireDecisions, clocks: ClockDecisions, command: c.CancelInstance) -> None:
    """What waits ends at once; what was dispatched ends by a report."""
    resource = resource_of_instance(command.instance_id)
    instance = context.state.instances.get(command.instance_id)
    if instance is None or instance.tenant_id != command.tenant_id:
        _answer_ended(context, command)
        return
    definition = context.state.definitions[instance.definition_id]
    if not role_suffices(context, definition.spec):
        context.reject("forbidden", f"the definition's minRole is {definition.spec.min_role}", resource)
        return
    fires.settle(definition, cut_gap=False)
    clocks.settle(instance)
    if not instance.is_open:
        _answer_ended(context, command)
        return
    if instance.cancel_requested_at is not None:
        context.accept(resource)
        return
    context.draft.begin_item()
    stamp = context.stamp(instance.tenant_id)
    if instance.waits:
        context.draft.emit(
            e.InstanceCancelled(
                instance_id=instance.id,
                attempt=instance.attempt,
                ended_at=context.ts,
                error_message=command.reason,
                **stamp,
                **context.asked(),
                **context.outcome(),
            )
        )
        return
    context.draft.emit(
        e.CancelRequested(
            instance_id=instance.id,
            attempt=instance.attempt,
            mode="cancel",
            reason=command.reason,
            **stamp,
            **context.asked(),
            **context.outcome(),
        )
    )


def retry(context: Context, fires: FireDecisions, clocks: ClockDecisions, command: c.RetryInstance) -> None:
    """A FAILED or CANCELLED instance is PENDING again, under the definition's current version."""
    state = context.state
    resource = resource_of_instance(command.instance_id)
    opened = state.instances.get(command.instance_id)
    known = opened or state.ended.get(command.instance_id) or command.snapshot
    definition = live_definition(context, known.definition_id)
    if definition is not None:
        fires.settle(definition, cut_gap=False)
    if opened is not None:
        clocks.settle(opened)
    if opened is not None and opened.is_open:
        context.reject(
            "state-conflict",
            "the instance has not ended; to run the definition once more use trigger",
            resource,
            current_status=opened.status,
        )
        return
    held = state.ended.get(command.instance_id)
    if held is None and command.known_position < state.horizon:
        context.reject("read-model-behind", "the instance was read too long ago; ask again with a new key", resource)
        return
    status = command.known_status if held is None else held.status
    if status not in {"FAILED", "CANCELLED"}:
        context.reject(
            "state-conflict",
            f"an instance that is {status} is not retried; to run the definition once more use trigger",
            resource,
            current_status=status,
        )
        return
    if definition is None:
        context.reject("state-conflict", "its definition was deleted", resource, current_status=status)
        return
    if not role_suffices(context, definition.spec):
        context.reject("forbidden", f"the definition's minRole is {definition.spec.min_role}", resource)
        return
    if not _has_room(context, definition, 1):
        context.reject("limit-reached", "the tenant has as many open instances as it may have", resource)
        return
    context.draft.begin_item()
    context.draft.emit(
        e.InstanceRetried(
            instance_id=command.instance_id,
            definition_version=definition.version,
            snapshot=command.snapshot if held is None else snapshot_of(held),
            **context.stamp(definition.tenant_id),
            **context.asked(),
            **context.outcome(),
        )
    )


def snapshot_of(instance: Instance) -> e.InstanceSnapshot:
    """What a retry needs of an ended instance; its last attempt is among the records."""
    records = list(instance.previous_attempts)
    if instance.attempt and (not records or records[-1].attempt != instance.attempt):
        records.append(
            AttemptRecord(
                attempt=instance.attempt,
                status="CANCELLED",
                worker=instance.worker,
                dispatched_at=instance.dispatched_at,
                started_at=instance.started_at,
                ended_at=instance.ended_at,
            )
        )
    return e.InstanceSnapshot(
        definition_id=instance.definition_id,
        definition_version=instance.definition_version,
        origin=instance.origin,
        fire_time=instance.fire_time,
        created_at=instance.created_at,
        params=instance.params,
        attempt=instance.attempt,
        worker_losses=instance.worker_losses,
        actor=instance.actor,
        command_id=instance.command_id,
        traceparent=instance.traceparent,
        previous_attempts=msgspec.Raw(_encode_records(records)),
    )


def _may_trigger(context: Context, definition: Definition | None, command: c.TriggerDefinition) -> Definition | None:
    resource = resource_of(command.definition_id)
    if definition is None:
        context.reject("not-found", "no such definition", resource)
        return None
    if not role_suffices(context, definition.spec):
        context.reject("forbidden", f"the definition's minRole is {definition.spec.min_role}", resource)
        return None
    if not _has_room(context, definition, len(command.params)):
        context.reject("limit-reached", "the tenant would have more open instances than it may have", resource)
        return None
    return definition


def _schedule(context: Context, definition: Definition, command: c.TriggerDefinition, index: int) -> None:
    spec = definition.spec
    context.draft.begin_item()
    at_once = may_start_now(context, definition, spec)
    event = e.InstanceScheduled(
        instance_id=instance_id_of_trigger(command.id, index, context.at),
        definition_id=definition.id,
        definition_version=definition.version,
        origin="MANUAL",
        fire_time=context.at,
        dispatched=at_once,
        params=command.params[index],
        ts=context.ts,
        at=context.at,
        tenant_id=command.tenant_id,
        cause=context.cause,
        outcome=not command.batch,
        command_id=command.id,
        command_type="" if command.batch else "TriggerDefinition",
        source="" if command.batch else command.source,
        actor=command.actor,
        traceparent=command.traceparent,
    )
    context.draft.emit(event)
    if at_once:
        note_start(context, definition.tenant_id)


def _has_room(context: Context, definition: Definition, wanted: int) -> bool:
    state = context.state
    return state.tenant_open.get(definition.tenant_id, 0) + wanted <= state.most_open_of(definition.tenant_id)


def _answer_ended(context: Context, command: c.CancelInstance) -> None:
    """A cancel of what is not open: asked again it is no conflict, whoever was faster."""
    resource = resource_of_instance(command.instance_id)
    held = context.state.ended.get(command.instance_id)
    status = held.status if held is not None and held.tenant_id == command.tenant_id else command.known_status
    if status == "CANCELLED":
        context.accept(resource)
    elif status in {"SUCCESS", "FAILED"}:
        context.reject("state-conflict", "the instance has ended", resource, current_status=status)
    elif command.known_status is not None:
        context.reject("read-model-behind", "the instance was read too long ago; ask again with a new key", resource)
    else:
        context.reject("not-found", "no such instance", resource)
