"""Commands about definitions.

A new version, a disable or a delete governs the instants after max(time of the command, last instant decided), which
its event carries as `effective_at`; the instants before are settled first, as the state then was.
"""

import msgspec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.decide.context import Context
from taskservice.domain.decide.fires import FireDecisions
from taskservice.domain.decide.tenant_commands import allows_queue
from taskservice.domain.definition.spec import DefinitionSpec, same_schedule
from taskservice.domain.state import Definition

_GAP_FIELDS = ("misfire_policy", "misfire_window_ms", "misfire_limit", "overlap_policy")


def resource_of(definition_id: str) -> str:
    """How outcomes name a definition."""
    return f"definitions/{definition_id}"


def create(context: Context, command: c.CreateDefinition) -> None:
    """A new definition, unless its key is taken."""
    state = context.state
    spec = command.spec
    resource = resource_of(command.definition_id)
    if command.definition_id in state.definitions:
        context.reject("state-conflict", "a definition with this id exists already", resource)
        return
    if spec.key is not None and (command.tenant_id, spec.key) in state.keys:
        context.reject("key-taken", f"the key {spec.key!r} belongs to another definition of this tenant", resource)
        return
    if not allows_queue(context, command.tenant_id, spec, resource):
        return
    context.draft.begin_item()
    context.draft.emit(
        e.DefinitionCreated(
            definition_id=command.definition_id,
            spec=spec,
            enabled=command.enabled,
            effective_at=context.at,
            **context.stamp(command.tenant_id),
            **context.asked(),
            **context.outcome(),
        )
    )


def update(context: Context, fires: FireDecisions, command: c.UpdateDefinition) -> bool:
    """A new version, if anything changes; the key stays as it was made. False, here and below = call again (`FireDecisions.settle`)."""
    definition = _found(context, command, command.definition_id)
    if definition is None or not _version_fits(context, definition, command.expected_version):
        return True
    if not allows_queue(context, definition.tenant_id, command.spec, resource_of(definition.id)):
        return True
    spec = msgspec.structs.replace(command.spec, key=definition.spec.key)
    enabled = definition.enabled if command.enabled is None else command.enabled
    if spec == definition.spec and enabled == definition.enabled:
        context.accept(resource_of(definition.id))
        return True
    cut_gap = enabled != definition.enabled or _moves_instants(definition.spec, spec)
    if not fires.settle(definition, cut_gap=cut_gap):
        return False
    context.draft.begin_item()
    context.draft.emit(
        e.DefinitionUpdated(
            definition_id=definition.id,
            version=definition.version + 1,
            spec=spec,
            enabled=enabled,
            effective_at=_effective_at(context, definition),
            **context.stamp(definition.tenant_id),
            **context.asked(),
            **context.outcome(),
        )
    )
    return True


def delete(context: Context, fires: FireDecisions, command: c.DeleteDefinition) -> bool:
    """No more instants; what is PENDING is cancelled by the sweep that follows."""
    definition = _found(context, command, command.definition_id)
    if definition is None or not _version_fits(context, definition, command.expected_version):
        return True
    if not fires.settle(definition, cut_gap=True):
        return False
    context.draft.begin_item()
    context.draft.emit(
        e.DefinitionDeleted(
            definition_id=definition.id,
            effective_at=_effective_at(context, definition),
            cancel_running=command.cancel_running,
            **context.stamp(definition.tenant_id),
            **context.asked(),
            **context.outcome(),
        )
    )
    return True


def enable(context: Context, fires: FireDecisions, command: c.EnableDefinition) -> bool:
    """Its first fire is strictly later."""
    return _switch(context, fires, command, e.DefinitionEnabled, enabled=True)


def disable(context: Context, fires: FireDecisions, command: c.DisableDefinition) -> bool:
    """No due instants from here on; what was requested before still runs."""
    return _switch(context, fires, command, e.DefinitionDisabled, enabled=False)


def live_definition(context: Context, definition_id: str) -> Definition | None:
    """The definition of the item's tenant, if it exists and is not deleted."""
    definition = context.state.definitions.get(definition_id)
    command = context.command
    if definition is None or definition.deleted_at is not None or command is None:
        return None
    return definition if definition.tenant_id == command.tenant_id else None


def role_suffices(context: Context, spec: DefinitionSpec) -> bool:
    """`minRole`: the api checked it against its rows; here it is checked against the version in force."""
    return context.command is None or spec.min_role == "OPERATOR" or context.command.role == "ADMIN"


def _switch(
    context: Context,
    fires: FireDecisions,
    command: c.EnableDefinition | c.DisableDefinition,
    switched: type[e.DefinitionEnabled | e.DefinitionDisabled],
    *,
    enabled: bool,
) -> bool:
    definition = _found(context, command, command.definition_id)
    if definition is None:
        return True
    if definition.enabled == enabled:
        context.accept(resource_of(definition.id))
        return True
    if not fires.settle(definition, cut_gap=True):
        return False
    context.draft.begin_item()
    context.draft.emit(
        switched(
            definition_id=definition.id,
            version=definition.version + 1,
            effective_at=_effective_at(context, definition),
            note=command.note,
            **context.stamp(definition.tenant_id),
            **context.asked(),
            **context.outcome(),
        )
    )
    return True


def _found(context: Context, command: c.Command, definition_id: str) -> Definition | None:
    definition = live_definition(context, definition_id)
    if definition is None:
        context.reject("not-found", "no such definition", resource_of(definition_id))
        return None
    if not role_suffices(context, definition.spec):
        context.reject(
            "forbidden",
            f"the definition's minRole is {definition.spec.min_role}, the key's role is {command.role}",
            resource_of(definition_id),
        )
        return None
    return definition


def _version_fits(context: Context, definition: Definition, expected: int | None) -> bool:
    if expected is None or expected == definition.version:
        return True
    context.reject(
        "version-mismatch",
        f"the definition has version {definition.version}, not {expected}",
        resource_of(definition.id),
        current_version=definition.version,
    )
    return False


def _effective_at(context: Context, definition: Definition) -> int:
    return max(context.at, definition.last_decided or 0)


def _moves_instants(old: DefinitionSpec, new: DefinitionSpec) -> bool:
    return not same_schedule(old, new) or any(getattr(old, name) != getattr(new, name) for name in _GAP_FIELDS)
