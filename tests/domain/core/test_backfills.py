"""Past instants that are run again: under the version of then, as many at once as was asked, cancelled as one."""

from typing import Any

from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, World, fold, spec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain import reports as r

OLD = spec(task_params='{"old":1}', queue="old", max_concurrency=100)
NEW = spec(task_params='{"new":2}', max_concurrency=100)


def edited() -> World:
    """A definition whose first version is out of use: the state holds the second alone."""
    world = World()
    world.submit(c.CreateDefinition(id="c", tenant_id=TENANT, actor=ACTOR, definition_id="d1", spec=OLD, enabled=False))
    world.submit(c.UpdateDefinition(id="u", tenant_id=TENANT, actor=ACTOR, definition_id="d1", spec=NEW))
    assert list(world.state.definitions["d1"].versions) == [2]
    return world


def ask(world: World, fires: list[tuple[int, int]], name: str = "b1", **members: Any) -> list[Any]:
    given: dict[str, Any] = {"backfill_id": "b1", "specs": {1: OLD}} | members
    return world.submit(
        c.BackfillDefinition(id=name, tenant_id=TENANT, actor=ACTOR, definition_id="d1", fires=tuple(fires), **given)
    )


def past(count: int, version: int = 2) -> list[tuple[int, int]]:
    return [(T0 - (count - n) * 60_000, version) for n in range(count)]


def test_each_fire_runs_under_the_version_of_its_time() -> None:
    world = edited()
    ask(world, [(T0 - 120_000, 1), (T0 - 60_000, 1), (T0 - 1_000, 2)])

    orders = sorted((x.order.fire_time, x.order.definition_version, x.order.params) for x in world.entries.values())
    assert orders == [
        (T0 - 120_000, 1, '{"old":1}'),
        (T0 - 60_000, 1, '{"old":1}'),
        (T0 - 1_000, 2, '{"new":2}'),
    ]
    assert {x.order.origin for x in world.entries.values()} == {"BACKFILL"}
    told = [x.spec for x in world.events(e.InstanceScheduled)]
    assert told == [OLD, None, None], "the old version is told once"
    assert fold(world.log).definitions == world.state.definitions


def test_an_old_version_is_forgotten_with_its_last_run() -> None:
    world = edited()
    ask(world, [(T0 - 60_000, 1)])
    assert sorted(world.state.definitions["d1"].versions) == [1, 2]
    world.succeed(world.take_one())

    assert list(world.state.definitions["d1"].versions) == [2]


def test_it_has_one_outcome_and_its_instances_name_the_backfill() -> None:
    world = edited()
    events = ask(world, past(3), name="part-2")

    assert [x.command_id for x in events if x.outcome] == ["part-2"]
    assert {x.command_id for x in world.state.instances.values()} == {"b1"}


def test_no_more_run_at_once_than_was_asked_and_the_oldest_go_first() -> None:
    world = edited()
    ask(world, past(10), max_concurrency=3)
    order: list[int] = []
    while entries := list(world.entries.values()):
        assert len(entries) == min(3, 10 - len(order))
        first = min(entries, key=lambda entry: entry.order.fire_time)
        order.append(first.order.fire_time)
        world.succeed(first)

    assert order == [instant for instant, _ in past(10)]
    assert world.state.backfill_active == {}


def test_its_limit_holds_without_room_over_takeovers_and_retries() -> None:
    world = World(slots=0)
    world.submit(
        c.CreateDefinition(
            id="c",
            tenant_id=TENANT,
            actor=ACTOR,
            definition_id="d1",
            spec=spec(max_retries=100, retry_delay_ms=100, max_concurrency=50),
            enabled=False,
        )
    )
    ask(world, past(8, 1), max_concurrency=2, specs={})
    world.slots = 100
    ended = 0
    for turn in range(60):
        world.take_over()
        world.renew_windows()
        world.tick()
        entries = list(world.entries.values())
        assert len(entries) <= 2
        if not entries and not world.state.instances:
            break
        if entries and turn % 3 == 0:
            world.fail(entries[0])
        elif entries:
            world.succeed(entries[0])
            ended += 1
        world.advance(300, step=100)
    assert ended == 8


def test_a_manual_run_is_not_behind_a_backfill_at_its_limit() -> None:
    world = edited()
    ask(world, past(5), max_concurrency=1)
    world.trigger()

    assert sorted(x.order.origin for x in world.entries.values()) == ["BACKFILL", "MANUAL"]


def test_a_long_backfill_is_decided_in_parts_and_none_is_doubled_by_a_crash() -> None:
    world = World(slots=0)
    world.create(enabled=False)
    command = c.BackfillDefinition(
        id="b1", tenant_id=TENANT, actor=ACTOR, definition_id="d1", backfill_id="b1", fires=tuple(past(1_000, 1))
    )
    world.submit(command)
    world.take_over()
    again = world.submit(
        c.BackfillDefinition(**{k: getattr(command, k) for k in command.__struct_fields__} | {"id": "b2"})
    )

    scheduled = [x.fire_time for x in world.events(e.InstanceScheduled)]
    assert scheduled == [instant for instant, _ in past(1_000)]
    assert [type(x).__name__ for x in again] == ["CommandAccepted"]


def test_it_is_cancelled_as_one() -> None:
    world = edited()
    ask(world, past(6), max_concurrency=2)
    world.trigger()
    running = [entry for entry in world.take() if entry.order.origin == "BACKFILL"]
    events = world.submit(c.CancelBackfill(id="x", tenant_id=TENANT, actor=ACTOR, definition_id="d1", backfill_id="b1"))

    assert len([x for x in events if isinstance(x, e.InstanceCancelled)]) == 4
    assert len([x for x in events if isinstance(x, e.CancelRequested)]) == 2
    for entry in running:
        world.report(r.Stopped(entry.position, world.now - 10, world.now))
    assert [i.origin for i in world.state.instances.values()] == ["MANUAL"]
    assert [x.outcome for x in events][-1]


def test_a_big_cancel_takes_several_turns() -> None:
    world = World(slots=0)
    world.create(enabled=False)
    ask(world, past(700, 1), specs={})
    world.submit(c.CancelBackfill(id="x", tenant_id=TENANT, actor=ACTOR, definition_id="d1", backfill_id="b1"))

    assert world.state.instances == {}
    assert len([x for x in world.events() if x.outcome and x.command_id == "x"]) == 1


def test_what_does_not_fit_the_tenant_is_refused_whole() -> None:
    world = World(settings=e.DecisionSettings(max_waiting_instances=4))
    world.create(enabled=False)
    (refused,) = ask(world, past(5, 1), specs={})

    assert isinstance(refused, e.CommandRejected)
    assert (refused.code, refused.detail) == (
        "limit-reached",
        "the tenant may have 4 more open instances; the command has 5 fires",
    )


def test_fires_go_on_beside_it_under_allow_and_meet_it_under_skip() -> None:
    for policy, skipped in (("ALLOW", 0), ("SKIP", 1)):
        world = World()
        world.create(overlap_policy=policy)
        ask(world, [(T0 - 1_000, 1)], specs={})
        world.advance(10 * SECOND)
        assert len(world.events(e.FireSkipped)) == skipped


def test_the_limit_lets_the_next_go_when_the_one_whose_turn_it_was_is_cancelled() -> None:
    world = edited()
    ask(world, past(4), max_concurrency=1)
    first = world.take_one()
    world.slots = 0
    world.renew_windows()
    world.succeed(first)
    its_turn = min(world.state.instances.values(), key=lambda instance: instance.fire_time)
    world.submit(c.CancelInstance(id="x", tenant_id=TENANT, actor=ACTOR, instance_id=its_turn.id))
    world.slots = 100
    world.renew_windows()
    while world.entries:
        world.tick()
        world.succeed(world.take_one())
    world.tick()
    while entries := world.take():
        world.succeed(entries[0])

    assert not world.state.instances


def test_a_fire_before_the_cancel_of_a_backfill_met_it() -> None:
    """The leader is late: what was due before the cancel is decided as the backfill then was."""
    world = World(slots=0)
    world.create()
    ask(world, [(T0 - 1_000, 1)], specs={})
    world.now += 11 * SECOND
    world.submit(c.CancelBackfill(id="x", tenant_id=TENANT, actor=ACTOR, definition_id="d1", backfill_id="b1"))

    (skipped,) = world.events(e.FireSkipped)
    assert (skipped.last, skipped.reason) == (T0 + 10_000, "OVERLAP")
