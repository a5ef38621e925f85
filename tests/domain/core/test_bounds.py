"""No turn, item or append is longer than its bound, whatever lies behind; and what is bounded still gets done."""

import msgspec
from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, World, spec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.decide import InboxItem
from taskservice.domain.decide.arbiter import Decided, Unfinished
from taskservice.domain.state import AttemptRecord
from taskservice.streams.batches import AppendBatch, DispatchEntry

DAY = 86_400 * SECOND
FAR_FROM_THE_CLOCK = 10 * SECOND


def test_any_number_of_fires_may_wait_for_the_inbox_without_holding_up_others() -> None:
    world = World(slots=1_000)
    for number in range(600):
        world.create(f"d{number}", interval_ms=10 * SECOND)
    world.create("later", interval_ms=10 * SECOND + 500)
    world.advance(10 * SECOND + 600)
    assert len(world.state.instances) == 601
    world.now = T0 + 21 * SECOND

    more = world.arbiter.run_timers(world.now, T0 + 20 * SECOND - 1)
    assert not more, "there is nothing to be decided before the inbox is read: somebody must look at it now"
    assert world.arbiter.deferred

    world.trigger("d0")
    world.create("other", interval_ms=1_000, overlap_policy="ALLOW")
    world.now += 1_000
    world.arbiter.run_timers(world.now, T0 + 20 * SECOND - 1)
    world._append()
    assert [i.fire_time for i in world.events(e.InstanceScheduled) if i.definition_id == "other"] == [world.now]


def test_a_turn_looks_at_a_bounded_number_of_instants() -> None:
    world = World()
    for name in "abc":
        world.create(name, interval_ms=1_000, overlap_policy="ALLOW")
    world.now += DAY
    world.take_over()

    # late by more than 15 s: 86,384 instants, skipped in 86 ranges and one of 383; the last of them and 16 more run
    turns = 0
    more = True
    while more:
        more = world.arbiter.run_timers(world.now, world.now)
        before = sum(s.count for s in world.events(e.FireSkipped))
        world._append()
        assert sum(s.count for s in world.events(e.FireSkipped)) - before <= 1_500
        turns += 1

    assert turns > 3 * 86_400 // 1_500
    assert {len(world.ledger(name)) for name in "abc"} == {2 * 86 + 2 + 1 + 16}


def test_an_edit_after_a_long_outage_settles_the_gap_before_it_in_bounded_pieces() -> None:
    world = World()
    world.create(interval_ms=1_000, overlap_policy="ALLOW")
    world.now += 3_500 * SECOND
    world.take_over()
    at = world.now - FAR_FROM_THE_CLOCK
    item = InboxItem(
        entry_id=f"{at}-9",
        at=at,
        command=c.UpdateDefinition(
            id="u", tenant_id=TENANT, actor=ACTOR, definition_id="d1", spec=spec(interval_ms=60_000)
        ),
    )

    calls = 1
    while (outcome := world.arbiter.handle(item, 0, world.now, 200)) != Decided():
        assert outcome == Unfinished(0)
        world._append()
        assert world.cursors[-1] != item.entry_id, "another leader must read the command again"
        if calls == 2:
            world.take_over()
        calls += 1
    world._append()

    assert calls == 4
    assert world.cursors[-1] == item.entry_id
    (update,) = world.events(e.DefinitionUpdated)
    assert update.effective_at == at
    decided = sum(s.count for s in world.events(e.FireSkipped)) + len(world.events(e.InstanceScheduled))
    assert decided == 3_490
    assert max(world.ledger()) == at


def test_a_stop_after_a_long_outage_settles_all_definitions_in_bounded_pieces() -> None:
    world = World()
    for number in range(1_200):
        world.create(f"d{number}", interval_ms=1_000, overlap_policy="ALLOW")
    world.now += 20 * SECOND
    world.take_over()
    item = InboxItem(
        entry_id=f"{world.now}-99999", at=world.now, command=c.StopScheduler(id="s", tenant_id="", actor=ACTOR)
    )

    calls = 1
    while (outcome := world.arbiter.handle(item, 0, world.now, 200)) != Decided():
        assert outcome == Unfinished(0)
        world._append()
        calls += 1
    world._append()

    assert calls > 10
    assert len(world.events(e.SchedulerStopped)) == 1
    for number in (0, 600, 1_199):
        assert max(world.ledger(f"d{number}")) == world.now


def test_no_append_is_larger_than_the_log_takes_however_large_an_item_is() -> None:
    """Escaped control characters make a history of short messages large; many small events stand before it."""
    world = World()
    parameters = msgspec.json.encode("\\" * 17_500).decode()
    world.create(enabled=False, task_params=parameters, description="x" * 60_000)
    records = tuple(AttemptRecord(attempt=n + 1, status="FAILED", error_message="\x1b" * 1_000) for n in range(100))
    for number in range(3):
        world.submit_later(
            c.TriggerDefinition(
                id=f"t{number}", tenant_id=TENANT, actor=ACTOR, definition_id="d1", params=(parameters,), batch=False
            )
        )
    world.submit_later(
        c.RetryInstance(
            id="r",
            tenant_id=TENANT,
            actor=ACTOR,
            instance_id="i1",
            snapshot=e.InstanceSnapshot(
                definition_id="d1",
                definition_version=1,
                origin="MANUAL",
                fire_time=T0,
                created_at=T0,
                params=parameters,
                attempt=100,
                previous_attempts=msgspec.Raw(msgspec.json.encode(records)),
            ),
            known_status="FAILED",
            known_position=1,
        )
    )
    batches = world.arbiter.take_batches()

    assert len(batches) == 2
    for batch in batches:
        AppendBatch(
            epoch=batch.epoch,
            expected_last=batch.expected_last_id,
            events=tuple(batch.events),
            cursor=batch.cursor,
            dispatches=tuple(
                DispatchEntry(d.suffix, int(d.entry_id.rpartition("-")[2]), d.payload) for d in batch.dispatches
            ),
        )
    assert batches[0].cursor == world.inbox[-2].entry_id
    assert batches[1].cursor == world.inbox[-1].entry_id
    assert batches[1].expected_last_id == batches[0].last_id


def test_a_stop_asks_back_more_than_one_append_can_carry() -> None:
    world = World(slots=2_000)
    world.create(enabled=False, max_concurrency=5_000)
    world.trigger(items=1_000)
    world.trigger(items=301, command_id="t2")
    assert len(world.entries) == 1_301
    world.submit(c.StopScheduler(id="s", tenant_id=TENANT, actor=ACTOR))
    world.tick()

    assert not world.entries
    assert len(world.events(e.DispatchWithdrawn)) == 1_301
    world.submit(c.StartScheduler(id="g", tenant_id=TENANT, actor=ACTOR))
    world.tick()
    world.tick()
    assert len(world.entries) == 1_301
