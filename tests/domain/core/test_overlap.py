"""What a fire does when something of its definition is active: the five overlap policies, in the tests' arithmetic."""

from typing import Any

import pytest
from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, World, spec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain import reports as r
from taskservice.domain.overlap import held_up_by

FIRST, SECOND_FIRE, THIRD, FOURTH = (T0 + n * 10_000 for n in (1, 2, 3, 4))


def running(policy: str, **members: Any) -> tuple[World, Any]:
    """A definition every 10 s whose first fire runs."""
    world = World()
    world.create(overlap_policy=policy, **members)
    world.advance(10 * SECOND)
    return world, world.take_one()


def fires(world: World) -> list[int]:
    return [x.fire_time for x in world.events(e.InstanceScheduled) if x.origin == "SCHEDULE"]


def in_streams(world: World) -> list[int]:
    return sorted(entry.order.fire_time for entry in world.entries.values())


def test_allow_runs_beside_what_is_active() -> None:
    world, _ = running("ALLOW")
    world.advance(20 * SECOND)

    assert in_streams(world) == [FIRST, SECOND_FIRE, THIRD]


def test_skip_names_what_is_active() -> None:
    world, first = running("SKIP")
    world.advance(10 * SECOND)

    (skip,) = world.events(e.FireSkipped)
    assert (skip.reason, skip.first, skip.blocked_by) == ("OVERLAP", SECOND_FIRE, first.order.instance_id)


def test_queue_one_lets_one_wait_and_skips_the_next() -> None:
    world, first = running("QUEUE_ONE")
    world.advance(20 * SECOND)

    assert world.ledger() == {FIRST: "RAN", SECOND_FIRE: "RAN", THIRD: "OVERLAP"}
    assert in_streams(world) == [FIRST]
    (skip,) = world.events(e.FireSkipped)
    assert skip.blocked_by == first.order.instance_id

    world.succeed(first)
    assert in_streams(world) == [SECOND_FIRE]
    world.advance(10 * SECOND)
    assert world.ledger()[FOURTH] == "RAN"
    assert in_streams(world) == [SECOND_FIRE]


def test_queue_all_runs_one_after_the_other_in_the_order_of_their_instants() -> None:
    world, first = running("QUEUE_ALL", max_concurrency=5)
    world.advance(30 * SECOND)
    assert in_streams(world) == [FIRST]

    order = [first.order.fire_time]
    entry = first
    for _ in range(3):
        world.succeed(entry)
        entry = world.take_one()
        order.append(entry.order.fire_time)
    assert order == [FIRST, SECOND_FIRE, THIRD, FOURTH]


def test_queue_all_skips_beyond_its_limit() -> None:
    world = World(settings=e.DecisionSettings(max_waiting_fires=3))
    world.create(overlap_policy="QUEUE_ALL")
    world.advance(10 * SECOND)
    world.take()
    world.advance(50 * SECOND)

    assert [world.ledger()[T0 + n * 10_000] for n in (1, 2, 3, 4, 5, 6)] == ["RAN"] * 4 + ["LIMIT"] * 2
    assert {x.limited_by for x in world.events(e.FireSkipped)} == {"WAITING_FIRES"}


def test_a_tenant_with_as_many_open_instances_as_it_may_have_fires_no_more_and_says_so() -> None:
    world = World(settings=e.DecisionSettings(max_waiting_instances=2))
    world.create(overlap_policy="ALLOW")
    world.advance(30 * SECOND)

    (skip,) = world.events(e.FireSkipped)
    assert (skip.reason, skip.first, skip.limited_by) == ("LIMIT", THIRD, "OPEN_INSTANCES")


def test_cancel_previous_asks_what_runs_to_end_and_starts_when_it_has() -> None:
    world, first = running("CANCEL_PREVIOUS")
    world.advance(10 * SECOND)

    (asked,) = world.events(e.CancelRequested)
    assert (asked.instance_id, asked.at, asked.actor) == (first.order.instance_id, SECOND_FIRE, None)
    assert asked.reason == "replaced by the fire of 2027-01-15T08:00:20.000Z"
    assert world.signals == [(first.entry_id, "cancel")]
    assert in_streams(world) == [FIRST]

    world.report(r.Stopped(first.position, world.now - 10, world.now))
    (cancelled,) = world.events(e.InstanceCancelled)
    assert cancelled.instance_id == first.order.instance_id
    assert in_streams(world) == [SECOND_FIRE]


def test_cancel_previous_replaces_what_waits_at_once() -> None:
    world, first = running("CANCEL_PREVIOUS")
    world.advance(20 * SECOND)

    (replaced,) = world.events(e.InstanceCancelled)
    assert replaced.error_message == "replaced by the fire of 2027-01-15T08:00:30.000Z"
    world.report(r.Stopped(first.position, world.now - 10, world.now))
    assert in_streams(world) == [THIRD]


def test_a_fire_that_finds_no_room_cancels_nothing() -> None:
    """The tenant may have one open instance: what runs is worth more than a fire that will not."""
    world = World(settings=e.DecisionSettings(max_waiting_instances=1))
    world.create(overlap_policy="CANCEL_PREVIOUS")
    world.advance(10 * SECOND)
    world.take_one()
    world.advance(10 * SECOND)

    assert world.ledger() == {FIRST: "RAN", SECOND_FIRE: "LIMIT"}
    assert world.events(e.CancelRequested) == []
    assert world.signals == []


def test_a_fire_finds_room_where_what_it_replaces_waits() -> None:
    world = World(slots=0, settings=e.DecisionSettings(max_waiting_instances=1, max_waiting_fires=1))
    world.create(overlap_policy="CANCEL_PREVIOUS")
    world.advance(20 * SECOND)

    assert world.ledger() == {FIRST: "RAN", SECOND_FIRE: "RAN"}
    assert [x.instance_id for x in world.events(e.InstanceCancelled)] == [
        world.events(e.InstanceScheduled)[0].instance_id
    ]


def test_cancel_previous_lets_a_success_that_came_first_stand() -> None:
    world, first = running("CANCEL_PREVIOUS")
    world.advance(10 * SECOND)
    world.succeed(first)

    assert [x.instance_id for x in world.events(e.AttemptSucceeded)] == [first.order.instance_id]
    assert in_streams(world) == [SECOND_FIRE]


@pytest.mark.parametrize("deadline_ms", [None, 60_000])
def test_a_cancel_of_what_a_fire_before_it_has_replaced_changes_nothing(deadline_ms: int | None) -> None:
    """The leader is late: the fire is settled before the cancel, and ends the last run of an old version."""
    world = World(slots=0)
    body: dict[str, Any] = {"overlap_policy": "CANCEL_PREVIOUS", "deadline_ms": deadline_ms}
    world.create(**body)
    world.advance(10 * SECOND)
    (waiting,) = world.events(e.InstanceScheduled)
    update = c.UpdateDefinition(
        id="u1", tenant_id=TENANT, actor=ACTOR, definition_id="d1", spec=spec(priority=9, **body)
    )
    world.submit(update)

    world.now += 11 * SECOND
    world.submit(c.CancelInstance(id="c1", tenant_id=TENANT, actor=ACTOR, instance_id=waiting.instance_id))

    (replaced,) = world.events(e.InstanceCancelled)
    assert replaced.error_message == "replaced by the fire of 2027-01-15T08:00:20.000Z"
    (nothing_left,) = world.events(e.CommandAccepted)
    assert nothing_left.command_id == "c1"


@pytest.mark.parametrize("policy", ["QUEUE_ONE", "QUEUE_ALL", "CANCEL_PREVIOUS"])
def test_a_manual_run_goes_at_once_and_a_fire_in_turn_waits_for_it(policy: str) -> None:
    world = World()
    world.create(overlap_policy=policy)
    world.trigger()
    manual = world.take_one()
    world.advance(10 * SECOND)
    if policy == "CANCEL_PREVIOUS":
        assert [x.instance_id for x in world.events(e.CancelRequested)] == [manual.order.instance_id]
    assert fires(world) == [FIRST]
    assert in_streams(world) == [T0]

    world.trigger(command_id="t2")
    again = world.take_one()
    assert again.order.origin == "MANUAL"
    world.succeed(manual)
    assert in_streams(world) == [T0 + 10_000], "the second manual run alone"
    world.succeed(again)
    fire = world.take_one()
    assert (fire.order.origin, fire.order.fire_time) == ("SCHEDULE", FIRST)


def test_a_manual_run_is_not_held_up_by_the_queue() -> None:
    world, _ = running("QUEUE_ALL")
    world.advance(10 * SECOND)
    world.trigger()

    assert [entry.order.origin for entry in world.take()] == ["MANUAL"]


def test_a_fire_in_turn_waits_for_the_retries_of_the_one_before() -> None:
    world, first = running("QUEUE_ALL", max_retries=1, retry_delay_ms=15_000, retry_jitter=0.0)
    world.advance(10 * SECOND)
    world.fail(first)
    assert in_streams(world) == []

    world.advance(15 * SECOND)
    assert in_streams(world) == [FIRST]
    world.succeed(world.take_one())
    assert in_streams(world) == [SECOND_FIRE]


def test_the_queue_goes_on_after_a_takeover_and_a_lost_worker() -> None:
    world, first = running("QUEUE_ALL")
    world.advance(10 * SECOND)
    world.take_over()
    world.arbiter.lose_worker("w1", [(first.suffix, first.entry_id)], world.now)
    world._append()
    retried = world.take_one()
    assert (retried.order.fire_time, retried.order.attempt) == (FIRST, 2)

    world.succeed(retried)
    assert in_streams(world) == [SECOND_FIRE]


def test_cancelling_the_one_that_runs_lets_the_next_go() -> None:
    world, first = running("QUEUE_ONE")
    world.advance(10 * SECOND)
    world.submit(c.CancelInstance(id="c", tenant_id=TENANT, actor=ACTOR, instance_id=first.order.instance_id))
    world.report(r.Stopped(first.position, world.now - 10, world.now))

    assert in_streams(world) == [SECOND_FIRE]


def test_the_policy_is_tested_when_the_fire_is_due_and_not_when_it_is_dispatched() -> None:
    world = World(slots=0)
    world.create(overlap_policy="SKIP")
    world.advance(10 * SECOND)
    world.submit(
        c.UpdateDefinition(id="u", tenant_id=TENANT, actor=ACTOR, definition_id="d1", spec=spec(overlap_policy="ALLOW"))
    )
    world.advance(10 * SECOND)
    world.submit(
        c.UpdateDefinition(id="v", tenant_id=TENANT, actor=ACTOR, definition_id="d1", spec=spec(overlap_policy="SKIP"))
    )
    world.slots = 5
    world.renew_windows()
    world.tick()

    assert in_streams(world) == [FIRST, SECOND_FIRE]


def test_what_holds_up_a_fire_can_be_named() -> None:
    world, first = running("QUEUE_ALL")
    world.advance(20 * SECOND)
    by_fire = {one.fire_time: one for one in world.state.instances.values()}

    assert held_up_by(world.state, by_fire[SECOND_FIRE]) == first.order.instance_id
    assert held_up_by(world.state, by_fire[THIRD]) == first.order.instance_id
    assert held_up_by(world.state, by_fire[FIRST]) is None
