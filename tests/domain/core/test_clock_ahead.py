"""The clock of Redis is set ahead: what bears such a time is decided, and no instant or deadline before its own (design §6)."""

from typing import Any

import pytest
from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, World

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain import reports as r
from taskservice.domain.decide import InboxItem

AHEAD = 30 * SECOND
NOTHING_MISFIRES = e.DecisionSettings(misfire_threshold_ms=60 * SECOND)


def comes(world: World, *, ahead: int, **members: Any) -> None:
    """An inbox entry under a time that is so far ahead of the leader's."""
    world.sequence += 1
    at = world.now + ahead
    item = InboxItem(entry_id=f"{at}-{world.sequence}", at=at, **members)
    world.inbox.append(item)
    world.arbiter.handle(item, 0, world.now, 200)
    world._append()


def trigger_of(definition_id: str) -> c.TriggerDefinition:
    return c.TriggerDefinition(id="t", tenant_id=TENANT, actor=ACTOR, definition_id=definition_id, params=(None,))


def test_a_report_from_ahead_brings_no_fire_before_its_instant() -> None:
    world = World(settings=NOTHING_MISFIRES)
    world.create(overlap_policy="ALLOW")
    world.advance(11 * SECOND)
    entry = world.take_one()

    comes(world, ahead=AHEAD, reports=(r.Succeeded(entry.position, world.now, world.now),), worker="w1")

    assert [type(x) for x in world.events(e.AttemptSucceeded, e.InstanceScheduled)] == [
        e.InstanceScheduled,
        e.AttemptSucceeded,
    ]
    world.advance(20 * SECOND)
    assert world.ledger() == {T0 + 10_000: "RAN", T0 + 20_000: "RAN", T0 + 30_000: "RAN"}


def test_a_trigger_from_ahead_brings_no_fire_before_its_instant() -> None:
    world = World(settings=NOTHING_MISFIRES)
    world.create(overlap_policy="ALLOW")

    comes(world, ahead=AHEAD, command=trigger_of("d1"))

    assert [x.origin for x in world.events(e.InstanceScheduled)] == ["MANUAL"]


@pytest.mark.parametrize("clock", ["deadline_ms", "timeout_ms"])
def test_a_report_from_ahead_ends_no_run_before_its_time(clock: str) -> None:
    world = World()
    members: dict[str, Any] = {clock: 10 * SECOND}
    world.create(enabled=False, **members)
    world.trigger()
    entry = world.take_one()
    world.report(r.Started(entry.position, world.now))

    comes(world, ahead=AHEAD, reports=(r.Failed(entry.position, world.now, world.now, "E", "no", False),), worker="w1")

    assert world.events(e.TimeoutReached) == []
    assert [x.final for x in world.events(e.AttemptFailed)] == [True]


def test_while_the_clocks_disagree_no_report_settles_anything_by_them() -> None:
    """The leader's own measure of that clock has jumped with it."""
    world = World(settings=NOTHING_MISFIRES)
    world.create(overlap_policy="ALLOW")
    world.advance(11 * SECOND)
    entry = world.take_one()
    world.now += AHEAD
    world.arbiter.doubt_clock(in_doubt=True)

    comes(world, ahead=0, reports=(r.Succeeded(entry.position, world.now, world.now),), worker="w1")
    assert world.ledger() == {T0 + 10_000: "RAN"}

    world.arbiter.doubt_clock(in_doubt=False)
    world.tick()
    assert world.ledger() == {T0 + second * SECOND: "RAN" for second in (10, 20, 30, 40)}


def test_a_time_that_is_ahead_by_what_clocks_may_differ_is_believed() -> None:
    world = World(settings=NOTHING_MISFIRES)
    world.create(overlap_policy="ALLOW")
    world.now += 9 * SECOND

    comes(world, ahead=1_500, command=trigger_of("d1"))

    assert [x.origin for x in world.events(e.InstanceScheduled)] == ["SCHEDULE", "MANUAL"]
