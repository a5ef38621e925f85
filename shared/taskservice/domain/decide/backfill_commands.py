"""Commands about backfills: past instants of a definition run (again), each under the version that was in force then.

The api plans a backfill from the archive and the rows, and sends it in commands of up to 1,000 fires, all of which name
the first one's id as the backfill. What is open of a backfill is cancelled by one command.
"""

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.decide.context import Context
from taskservice.domain.decide.definition_commands import live_definition, resource_of, role_suffices
from taskservice.domain.decide.fires import FireDecisions
from taskservice.domain.decide.limits import may_start_now, note_start
from taskservice.domain.ids import instance_id_of_backfill
from taskservice.domain.state import Definition, Instance


def backfill(
    context: Context, fires: FireDecisions, command: c.BackfillDefinition, items_done: int, max_items: int
) -> int:
    """Schedule the fires of one command; it is taken or refused whole at its first. Returns how many are done."""
    total = len(command.fires)
    definition = _may_change(context, command)
    if definition is None:
        return total
    if items_done == 0:
        fires.settle(definition, cut_gap=False)
        state = context.state
        room = state.most_open_of(definition.tenant_id) - state.tenant_open.get(definition.tenant_id, 0)
        if total > room:
            detail = f"the tenant may have {max(room, 0)} more open instances; the command has {total} fires"
            context.reject("limit-reached", detail, resource_of(definition.id))
            return total
    end = min(total, items_done + max_items)
    entry = context.cause.rpartition("#")[0]
    for index in range(items_done, end):
        context.cause = f"{entry}#{index}"
        _schedule(context, definition, command, *command.fires[index])
        context.draft.cursor = f"{entry}/{index + 1}"  # a batch may be closed in the middle of this entry
    if end == total:
        context.accept(resource_of(definition.id))
    return end


def cancel_backfill(context: Context, fires: FireDecisions, command: c.CancelBackfill, max_items: int) -> bool:
    """End what is open of a backfill; False = more remain, call again."""
    definition = _may_change(context, command)
    if definition is None:
        return True
    fires.settle(definition, cut_gap=False)
    done = 0
    for instance_id in list(definition.open_ids):
        instance = context.state.instances[instance_id]
        if not _is_of(instance, command.backfill_id) or instance.cancel_requested_at is not None:
            continue
        if done == max_items:
            return False
        done += 1
        context.draft.begin_item()
        context.draft.emit(_cancelled(context, instance))
    context.accept(resource_of(definition.id))
    return True


def _may_change(context: Context, command: c.BackfillDefinition | c.CancelBackfill) -> Definition | None:
    resource = resource_of(command.definition_id)
    definition = live_definition(context, command.definition_id)
    if definition is None:
        context.reject("not-found", "no such definition", resource)
        return None
    if not role_suffices(context, definition.spec):
        context.reject("forbidden", f"the definition's minRole is {definition.spec.min_role}", resource)
        return None
    return definition


def _schedule(
    context: Context, definition: Definition, command: c.BackfillDefinition, instant: int, version: int
) -> None:
    state = context.state
    instance_id = instance_id_of_backfill(command.backfill_id, definition.id, instant)
    if instance_id in state.instances or instance_id in state.ended:
        return
    spec = definition.versions.get(version)
    at_once = state.backfill_active.get(command.backfill_id, 0) < (
        command.max_concurrency or len(command.fires)
    ) and may_start_now(context, definition, command.specs[version] if spec is None else spec)
    context.draft.begin_item()
    context.draft.emit(
        e.InstanceScheduled(
            instance_id=instance_id,
            definition_id=definition.id,
            definition_version=version,
            origin="BACKFILL",
            fire_time=instant,
            dispatched=at_once,
            backfill_limit=command.max_concurrency,
            spec=command.specs[version] if spec is None else None,
            command_id=command.backfill_id,
            **context.stamp(definition.tenant_id),
            **context.asked(),
        )
    )
    if at_once:
        note_start(context, definition.tenant_id)


def _is_of(instance: Instance, backfill_id: str) -> bool:
    return instance.origin == "BACKFILL" and instance.command_id == backfill_id


def _cancelled(context: Context, instance: Instance) -> e.InstanceCancelled | e.CancelRequested:
    stamp = context.stamp(instance.tenant_id)
    if instance.waits:
        return e.InstanceCancelled(
            instance_id=instance.id,
            attempt=instance.attempt,
            ended_at=context.ts,
            error_message="its backfill was cancelled",
            **stamp,
            **context.asked(),
        )
    return e.CancelRequested(
        instance_id=instance.id,
        attempt=instance.attempt,
        mode="cancel",
        reason="its backfill was cancelled",
        **stamp,
        **context.asked(),
    )
