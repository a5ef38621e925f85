"""Whoever is new takes no room that somebody waits for: priority and shares decide about every slot (design §6)."""

from typing import Any

import pytest
from tests.domain.core.test_limits import definition, settle, trigger
from tests.domain.core.world import ACTOR, SECOND, TENANT, World, spec

from taskservice.domain import commands as c
from taskservice.domain import reports as r
from taskservice.domain.decide import InboxItem


def fires(world: World, name: str, tenant_id: str = TENANT, **members: object) -> None:
    """A definition that fires every 10 s."""
    world.submit(
        c.CreateDefinition(
            id=f"c-{name}", tenant_id=tenant_id, actor=ACTOR, definition_id=name, spec=spec(**members), enabled=True
        )
    )


def turn(world: World, *items: dict[str, Any]) -> None:
    """One turn as the leader takes it: all that was read, then the clock, then room."""
    for members in items:
        world.sequence += 1
        item = InboxItem(entry_id=f"{world.now}-{world.sequence}", at=world.now, **members)
        world.inbox.append(item)
        world.arbiter.handle(item, 0, world.now, 200)
    world.tick()


def ended(world: World) -> dict[str, Any]:
    """The worker says that what it held has ended."""
    entry = world.entries.pop(next(iter(world.entries)))
    return {"reports": (r.Succeeded(entry.position, world.now - 10, world.now),), "worker": "w1"}


def holders(world: World) -> list[str]:
    return [entry.order.definition_id for entry in world.entries.values()]


def full(slots: int = 1, **members: Any) -> World:
    """A world whose slots are taken by `first`, while `waiting` waits for one of them."""
    world = World(slots=slots)
    definition(world, "first")
    definition(world, "waiting", **members)
    trigger(world, "first", slots)
    trigger(world, "waiting", 1)
    assert holders(world) == ["first"] * slots
    return world


def test_a_fire_takes_no_slot_that_a_run_of_higher_priority_waits_for() -> None:
    world = full(priority=9)
    fires(world, "new", priority=1)
    world.now += 10 * SECOND

    turn(world, ended(world))

    assert holders(world) == ["waiting"]
    turn(world, ended(world))
    assert holders(world) == ["new"]


def test_a_fire_of_higher_priority_still_goes_first() -> None:
    world = full(priority=1)
    fires(world, "new", priority=9)
    world.now += 10 * SECOND

    turn(world, ended(world))

    assert holders(world) == ["new"]


def test_a_trigger_takes_no_slot_that_somebody_waits_for_in_another_stream_of_the_same_workers() -> None:
    world = full(priority=9, task_handler="other")
    definition(world, "new", priority=1)
    world.renew_windows()
    asked = c.TriggerDefinition(id="t", tenant_id=TENANT, actor=ACTOR, definition_id="new", params=(None,))

    turn(world, ended(world), {"command": asked})

    assert holders(world) == ["waiting"]


def test_who_waited_and_was_cancelled_keeps_nobody_from_going_at_once() -> None:
    world = full()
    definition(world, "new")
    (waiting,) = [one.id for one in world.state.instances.values() if one.definition_id == "waiting"]
    cancel = c.CancelInstance(id="c", tenant_id=TENANT, actor=ACTOR, instance_id=waiting)
    asked = c.TriggerDefinition(id="t", tenant_id=TENANT, actor=ACTOR, definition_id="new", params=(None,))

    turn(world, {"command": cancel}, ended(world), {"command": asked})

    (scheduled,) = [x for x in world.events() if getattr(x, "definition_id", "") == "new" and hasattr(x, "dispatched")]
    assert scheduled.dispatched


def test_fires_of_many_definitions_leave_a_neighbour_its_share() -> None:
    world = World(slots=1)
    definition(world, "neighbour", "quiet")
    for number in range(30):
        fires(world, f"loud-{number}", "loud")
    definition(world, "first", "loud")
    trigger(world, "first", 1, "loud")
    trigger(world, "neighbour", 5, "quiet")
    served = []
    for step in range(10):
        if step % 3 == 0:
            world.now += 10 * SECOND  # all of them are due again
        turn(world, ended(world))
        served += holders(world)

    assert sorted(served).count("neighbour") == 5


def test_new_room_is_for_those_who_wait() -> None:
    world = World(slots=0)
    definition(world, "waiting")
    trigger(world, "waiting", 1)
    fires(world, "new")
    world.now += 10 * SECOND
    world.slots = 1
    world.renew_windows()

    turn(world)

    assert holders(world) == ["waiting"]


@pytest.mark.parametrize("limit", ["definition", "tenant"])
def test_who_waits_for_a_limit_keeps_nobody_from_going_at_once(limit: str) -> None:
    world = World(slots=10)
    world.create("limited", max_concurrency=1 if limit == "definition" else None)
    if limit == "tenant":
        settle(world, max_concurrency=1)
    trigger(world, "limited", 3)
    world.tick()
    fires(world, "free", "another")
    world.now += 10 * SECOND

    turn(world)

    (scheduled,) = [x for x in world.events() if getattr(x, "definition_id", "") == "free" and hasattr(x, "dispatched")]
    assert scheduled.dispatched
