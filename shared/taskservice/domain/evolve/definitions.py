"""How events change definitions: versions, the high-water mark of decided instants, FIXED_DELAY's one armed instant."""

from taskservice.domain import events as e
from taskservice.domain.definition.spec import DefinitionSpec, same_schedule
from taskservice.domain.state import Definition, State, attach_definition, changed_definition


def created(state: State, event: e.DefinitionCreated) -> None:
    """A definition exists; its instants are those after `effective_at` (a ONCE in the past fires at once)."""
    if event.definition_id in state.definitions:
        return
    spec = event.spec
    who = event.actor.id if event.actor else ""
    definition = Definition(
        id=event.definition_id,
        tenant_id=event.tenant_id,
        version=1,
        spec=spec,
        enabled=event.enabled,
        created_at=event.ts,
        updated_at=event.ts,
        created_by=who,
        updated_by=who,
        effective_at=event.effective_at,
        grid_start=spec.start_at if spec.start_at is not None else event.effective_at,
        decided_until=event.effective_at,
        versions={1: spec},
    )
    _begin_schedule(definition, event.effective_at)
    attach_definition(state, definition)
    changed_definition(state, definition)


def updated(state: State, event: e.DefinitionUpdated) -> None:
    """A new version is in force; one that leaves the schedule's fields alone moves no instant."""
    definition = state.definitions.get(event.definition_id)
    if definition is None or event.version <= definition.version:
        return
    moved = not same_schedule(definition.spec, event.spec)
    enabled_now = event.enabled and not definition.enabled
    _new_version(state, definition, event.version, event.spec)
    _touch(state, definition, event)
    definition.enabled = event.enabled
    if moved:
        definition.effective_at = event.effective_at
        definition.decided_until = max(definition.decided_until, event.effective_at)
        definition.grid_start = event.spec.start_at if event.spec.start_at is not None else event.effective_at
        _begin_schedule(definition, event.effective_at)
    elif enabled_now:
        _restart_schedule(definition, event.effective_at, event.ts)


def switched(state: State, event: e.DefinitionEnabled | e.DefinitionDisabled) -> None:
    """Enabled or disabled: a disabled definition has no due instants; on enable the first is strictly later."""
    definition = state.definitions.get(event.definition_id)
    if definition is None or event.version <= definition.version:
        return
    enabled = isinstance(event, e.DefinitionEnabled)
    _new_version(state, definition, event.version, definition.spec)
    _touch(state, definition, event)
    if enabled and not definition.enabled:
        _restart_schedule(definition, event.effective_at, event.ts)
    definition.enabled = enabled


def deleted(state: State, event: e.DefinitionDeleted) -> None:
    """No more instants; it is remembered until its last open instance has ended."""
    definition = state.definitions.get(event.definition_id)
    if definition is None:
        return
    if definition.spec.key is not None:
        state.keys.pop((definition.tenant_id, definition.spec.key), None)
    _touch(state, definition, event)
    definition.enabled = False
    definition.deleted_at = event.ts
    definition.cancel_running = event.cancel_running
    if not definition.open_ids:
        del state.definitions[definition.id]


def fire_skipped(state: State, event: e.FireSkipped) -> None:
    """The instants of the range have their decision."""
    definition = state.definitions.get(event.definition_id)
    if definition is None:
        return
    changed_definition(state, definition)
    definition.decided_until = max(definition.decided_until, event.last)
    definition.last_decided = event.last
    if definition.spec.schedule_type == "FIXED_DELAY":
        definition.armed_at = event.last + (definition.spec.interval_ms or 0)


def fired(state: State, definition: Definition, instant: int, instance_id: str) -> None:
    """An instant was decided to run as `instance_id`."""
    changed_definition(state, definition)
    definition.decided_until = max(definition.decided_until, instant)
    definition.last_decided = instant
    definition.last_fire_at = instant
    definition.delay_instance = instance_id
    definition.armed_at = None


def run_ended(state: State, definition: Definition, instance_id: str, ended_at: int) -> None:
    """FIXED_DELAY: the end of the latest SCHEDULE instance arms the next instant."""
    if definition.spec.schedule_type != "FIXED_DELAY" or definition.delay_instance != instance_id:
        return
    if definition.armed_at is None:
        # A worker's clock may be behind: no run ends before it was due, or the same instant would be due again.
        definition.armed_at = _delayed_from(definition.spec, max(ended_at, definition.last_decided or ended_at))
        changed_definition(state, definition)


def _begin_schedule(definition: Definition, effective_at: int) -> None:
    """The schedule starts anew. A ONCE in the past is still due, unless an instant at or after it was decided."""
    spec = definition.spec
    definition.armed_at = None
    if spec.schedule_type == "ONCE" and spec.run_at is not None:
        undecided = definition.last_decided is None or definition.last_decided < spec.run_at
        if undecided:
            definition.decided_until = min(definition.decided_until, spec.run_at - 1)
    elif spec.schedule_type == "FIXED_DELAY" and definition.delay_instance not in definition.open_ids:
        definition.armed_at = _delayed_from(spec, effective_at)  # else the end of that run arms it


def _restart_schedule(definition: Definition, effective_at: int, ts: int) -> None:
    """Enabled again: nothing that fell into the disabled span is due."""
    definition.effective_at = effective_at
    definition.decided_until = max(definition.decided_until, effective_at)
    spec = definition.spec
    if spec.schedule_type == "FIXED_DELAY":
        definition.armed_at = _delayed_from(spec, max(effective_at, ts))


def _delayed_from(spec: DefinitionSpec, instant: int) -> int:
    """FIXED_DELAY's one instant, counted from this one."""
    first = instant + (spec.interval_ms or 0)
    return first if spec.start_at is None else max(first, spec.start_at)


def _new_version(state: State, definition: Definition, version: int, spec: DefinitionSpec) -> None:
    """Keep the old version while open instances run under it."""
    if definition.version_uses.get(definition.version, 0) == 0:
        definition.versions.pop(definition.version, None)
    old_key = definition.spec.key
    if old_key != spec.key and old_key is not None:
        state.keys.pop((definition.tenant_id, old_key), None)
    definition.version = version
    definition.spec = spec
    definition.versions[version] = spec
    if spec.key is not None:
        state.keys[definition.tenant_id, spec.key] = definition.id


def _touch(
    state: State,
    definition: Definition,
    event: e.DefinitionUpdated | e.DefinitionEnabled | e.DefinitionDisabled | e.DefinitionDeleted,
) -> None:
    changed_definition(state, definition)
    definition.updated_at = event.ts
    if event.actor is not None:
        definition.updated_by = event.actor.id
