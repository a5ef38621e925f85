"""Limits of definition, queue and tenant, the tenant's start rate, and shares between tenants."""

from collections import Counter
from typing import Any

import pytest
from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, World, spec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.tenants import TenantSettings


def settle(world: World, tenant_id: str = TENANT, **members: Any) -> None:
    settings = TenantSettings(**members)
    world.submit(c.ChangeTenantSettings(id=f"s{world.sequence}", tenant_id=tenant_id, actor=ACTOR, settings=settings))


def definition(world: World, name: str, tenant_id: str = TENANT, **members: object) -> None:
    world.submit(
        c.CreateDefinition(
            id=f"c-{name}",
            tenant_id=tenant_id,
            actor=ACTOR,
            definition_id=name,
            spec=spec(max_concurrency=100_000, **members),
            enabled=False,
        )
    )


def trigger(world: World, name: str, items: int, tenant_id: str = TENANT) -> None:
    world.submit(
        c.TriggerDefinition(
            id=f"t{world.sequence}",
            tenant_id=tenant_id,
            actor=ACTOR,
            definition_id=name,
            params=(None,) * items,
            batch=True,
        )
    )


def held(world: World) -> Counter[Any]:
    return Counter(entry.order.definition_id for entry in world.entries.values())


def test_a_definition_runs_at_most_its_limit_at_once() -> None:
    world = World()
    world.create(enabled=False, max_concurrency=3)
    world.trigger(items=10)
    assert len(world.entries) == 3

    for left in range(7, 0, -1):
        world.succeed(next(iter(world.entries.values())))
        assert len(world.entries) == 3, f"{left} left"
    world.succeed(next(iter(world.entries.values())))
    assert len(world.entries) == 2


def test_a_tenant_runs_at_most_its_limit_over_all_definitions_and_queues() -> None:
    world = World()
    settle(world, max_concurrency=4)
    for name, queue in (("a", "default"), ("b", "other"), ("c", "default")):
        definition(world, name, queue=queue)
        trigger(world, name, 3)
    assert sum(held(world).values()) == 4

    done = 0
    while world.entries:
        world.succeed(next(iter(world.entries.values())))
        done += 1
        assert sum(held(world).values()) == min(4, 9 - done)
    assert done == 9


def test_a_queue_of_a_tenant_has_a_limit_of_its_own() -> None:
    world = World()
    settle(world, queue_limits={"slow": 1})
    definition(world, "a", queue="slow")
    definition(world, "b")
    trigger(world, "a", 3)
    trigger(world, "b", 3)

    assert held(world) == {"a": 1, "b": 3}
    world.succeed(next(one for one in world.entries.values() if one.order.definition_id == "a"))
    assert held(world) == {"a": 1, "b": 3}


def test_a_limit_that_is_lifted_lets_go_what_waits() -> None:
    world = World()
    settle(world, max_concurrency=1)
    definition(world, "a")
    trigger(world, "a", 5)
    assert len(world.entries) == 1

    settle(world, max_concurrency=3)
    assert len(world.entries) == 3
    settle(world)
    assert len(world.entries) == 5


def test_the_limit_of_one_tenant_does_not_hold_up_another() -> None:
    world = World()
    settle(world, "t1", max_concurrency=1)
    definition(world, "a", "t1")
    definition(world, "b", "t2")
    trigger(world, "a", 5, "t1")
    trigger(world, "b", 5, "t2")

    assert held(world) == {"a": 1, "b": 5}


def test_limits_hold_over_takeovers_and_retries() -> None:
    world = World()
    settle(world, max_concurrency=2)
    definition(world, "a", max_retries=3, retry_delay_ms=100)
    trigger(world, "a", 6)
    for _ in range(12):
        world.take_over()
        world.tick()
        entries = list(world.entries.values())
        assert len(entries) <= 2
        if entries:
            world.fail(entries[0])
        world.advance(300, step=100)


@pytest.mark.parametrize("rate", [1, 3, 10])
def test_a_tenant_starts_no_more_than_its_rate_in_any_second(rate: int) -> None:
    world = World()
    settle(world, starts_per_second=rate)
    definition(world, "a")
    trigger(world, "a", 5 * rate)
    begun = len(world.entries)
    assert begun <= rate

    world.advance(10 * SECOND, step=10)
    starts = sorted(entry.order.dispatched_at for entry in world.entries.values())
    assert len(starts) == 5 * rate, "none is forgotten"
    assert starts[-1] - starts[0] >= (4 * rate - 1) * 1_000 // rate - 10
    for at in starts:
        assert sum(at <= one < at + 1_000 for one in starts) <= rate + 1


def test_after_an_idle_second_a_tenant_may_start_one_seconds_worth_at_once() -> None:
    world = World()
    settle(world, starts_per_second=5)
    definition(world, "a")
    trigger(world, "a", 1)
    world.advance(5 * SECOND)
    trigger(world, "a", 20)

    assert len(world.entries) == 1 + 5


def test_a_takeover_gives_no_rate_for_free() -> None:
    world = World()
    settle(world, starts_per_second=2)
    definition(world, "a")
    trigger(world, "a", 50)
    world.advance(SECOND, step=10)
    before = len(world.entries)
    for _ in range(10):
        world.take_over()
        world.tick()
    assert len(world.entries) == before


def test_tenants_share_what_there_is_by_their_weights() -> None:
    world = World(slots=0)
    settle(world, "heavy", weight=3)
    definition(world, "a", "heavy")
    definition(world, "b", "light")
    trigger(world, "a", 200, "heavy")
    trigger(world, "b", 200, "light")
    world.slots = 80
    world.renew_windows()
    world.tick()

    assert held(world) == {"a": 60, "b": 20}


def test_shares_hold_from_slot_to_slot_and_over_different_streams() -> None:
    world = World(slots=0)
    for name in ("a1", "a2", "a3"):
        definition(world, name, "one", task_handler=name)
        trigger(world, name, 100, "one")
    definition(world, "b", "two", task_handler="b")
    trigger(world, "b", 100, "two")
    world.slots = 1
    world.renew_windows()
    world.tick()
    served: Counter[str] = Counter()
    for _ in range(60):
        (entry,) = world.entries.values()
        served[entry.order.tenant_id] += 1
        world.succeed(entry)

    assert served == {"one": 30, "two": 30}


def test_who_was_idle_saves_nothing_up() -> None:
    world = World(slots=0)
    definition(world, "a", "one")
    definition(world, "b", "two")
    trigger(world, "a", 100, "one")
    world.slots = 1
    world.renew_windows()
    world.tick()
    for _ in range(40):
        world.succeed(next(iter(world.entries.values())))
    trigger(world, "b", 50, "two")
    served: Counter[str] = Counter()
    for _ in range(20):
        (entry,) = world.entries.values()
        served[entry.order.tenant_id] += 1
        world.succeed(entry)

    assert served["one"] in {10, 11}


def test_priority_orders_what_a_tenant_waits_for_whatever_the_stream() -> None:
    world = World(slots=0)
    for priority, handler in ((1, "x"), (9, "y"), (5, "x"), (7, "z")):
        definition(world, f"p{priority}", task_handler=handler, priority=priority)
        trigger(world, f"p{priority}", 1)
    world.slots = 1
    world.renew_windows()
    world.tick()
    order = []
    while world.entries:
        (entry,) = world.entries.values()
        order.append(entry.order.definition_id)
        world.succeed(entry)

    assert order == ["p9", "p7", "p5", "p1"]


def asked(kind: str, instance_id: str) -> c.AnyCommand:
    """A command that asks for one more instance of d1."""
    who: dict[str, Any] = {"id": f"{kind}-1", "tenant_id": TENANT, "actor": ACTOR}
    if kind == "trigger":
        return c.TriggerDefinition(**who, definition_id="d1", params=(None,))
    if kind == "backfill":
        return c.BackfillDefinition(**who, definition_id="d1", backfill_id="b", fires=((T0 - SECOND, 1),), specs={})
    snapshot = e.InstanceSnapshot(
        definition_id="d1", definition_version=1, origin="MANUAL", fire_time=T0, created_at=T0, params=None, attempt=0
    )
    return c.RetryInstance(
        **who, instance_id=instance_id, snapshot=snapshot, known_status="CANCELLED", known_position=1
    )


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("kind", ["trigger", "backfill", "retry"])
def test_whoever_asks_after_a_fire_finds_the_room_that_it_left_however_late_the_leader_is(
    kind: str, *, late: bool
) -> None:
    world = World(slots=0, settings=e.DecisionSettings(max_waiting_instances=1))
    world.create(overlap_policy="ALLOW")
    world.trigger()
    (made,) = world.events(e.InstanceScheduled)
    world.submit(c.CancelInstance(id="cancel", tenant_id=TENANT, actor=ACTOR, instance_id=made.instance_id))
    world.now += 10 * SECOND
    if not late:
        world.tick()
    world.now += SECOND
    world.submit(asked(kind, made.instance_id))

    (refused,) = world.events(e.CommandRejected)
    assert refused.code == "limit-reached"
    assert world.ledger() == {T0 + 10 * SECOND: "RAN"}
    assert len(world.state.instances) == 1


@pytest.mark.parametrize("late", [False, True])
def test_what_a_fire_has_replaced_before_can_be_retried_however_late_the_leader_is(*, late: bool) -> None:
    world = World(slots=0)
    world.create(overlap_policy="CANCEL_PREVIOUS")
    world.advance(10 * SECOND)
    (waiting,) = world.events(e.InstanceScheduled)
    world.now += 10 * SECOND
    if not late:
        world.tick()
    world.now += SECOND
    world.submit(asked("retry", waiting.instance_id))

    (retried,) = world.events(e.InstanceRetried)
    assert retried.instance_id == waiting.instance_id


@pytest.mark.parametrize("late", [False, True])
def test_what_ran_out_of_time_before_can_be_retried_however_late_the_leader_is(*, late: bool) -> None:
    world = World(slots=0)
    world.create(deadline_ms=5 * SECOND, enabled=False)
    world.trigger()
    (waiting,) = world.events(e.InstanceScheduled)
    world.now += 6 * SECOND
    if not late:
        world.tick()
    world.submit(asked("retry", waiting.instance_id))

    assert [x.failure_reason for x in world.events(e.InstanceFailed)] == ["DEADLINE"]
    (retried,) = world.events(e.InstanceRetried)
    assert retried.instance_id == waiting.instance_id


def test_the_clock_asks_for_a_decision_when_a_rate_allows_the_next_start() -> None:
    world = World()
    settle(world, starts_per_second=4)
    definition(world, "a")
    trigger(world, "a", 10)
    world.tick()

    for fires in (True, False):
        assert world.arbiter.next_at(fires=fires) == world.now + 250
