"""Fires that wait for each other: who holds up whom.

Under QUEUE_ONE, QUEUE_ALL and CANCEL_PREVIOUS a fire that was decided to run starts when nothing of its definition is
active any more: every older open instance has ended, and no instance of it is in a dispatch stream. Manual triggers,
backfills and manual retries are not held up; a fire that comes later waits for them all the same.
"""

from taskservice.domain.definition.spec import OverlapPolicy
from taskservice.domain.state import Definition, Instance, State

IN_TURN: frozenset[OverlapPolicy] = frozenset({"QUEUE_ONE", "QUEUE_ALL", "CANCEL_PREVIOUS"})
"""Policies under which the fires of a definition run one after the other."""


def goes_in_turn(definition: Definition, instance: Instance) -> bool:
    """Whether the instance is a fire that waits for what is active: by the policy of the version that decided it."""
    return (
        instance.origin == "SCHEDULE"
        and instance.retried_at is None
        and definition.versions[instance.definition_version].overlap_policy in IN_TURN
    )


def held_up_by(state: State, instance: Instance) -> str | None:
    """The instance whose end a waiting one needs before it may be dispatched; null = it may go, or went."""
    definition = state.definitions[instance.definition_id]
    if not instance.waits or not goes_in_turn(definition, instance):
        return None
    oldest = next(iter(definition.open_ids))
    if oldest != instance.id:
        return oldest
    if not definition.active:
        return None
    return next((one for one in definition.open_ids if state.instances[one].entry_position), None)


def queued_fire(state: State, definition: Definition) -> str | None:
    """The latest fire of the definition that waits for its turn; null = none does."""
    for instance_id in reversed(definition.open_ids):
        instance = state.instances[instance_id]
        if instance.waits and instance.origin == "SCHEDULE" and held_up_by(state, instance) is not None:
            return instance_id
    return None
