"""Every due instant has exactly one decision: the specification of fires, in the arithmetic of the tests."""

from typing import Any

import msgspec
import pytest
from tests.domain.core.world import ACTOR, MINUTE, SECOND, T0, TENANT, World, spec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain import reports as r
from taskservice.domain.decide import InboxItem


def test_a_fixed_rate_fires_on_the_grid_of_its_creation() -> None:
    world = World()
    world.create(overlap_policy="ALLOW")

    world.advance(35 * SECOND)

    assert world.ledger() == {T0 + 10_000: "RAN", T0 + 20_000: "RAN", T0 + 30_000: "RAN"}


def test_a_fixed_rate_with_start_at_fires_first_at_that_instant_and_never_at_end_at() -> None:
    world = World()
    world.create(start_at=T0 + 3_000, end_at=T0 + 23_000, overlap_policy="ALLOW")

    world.advance(60 * SECOND)

    assert sorted(world.ledger()) == [T0 + 3_000, T0 + 13_000]


def test_a_cron_fires_at_its_local_times() -> None:
    world = World()
    world.create(schedule_type="CRON", cron_expression="0 0/5 * * * ?", cron_dialect="QUARTZ", overlap_policy="ALLOW")

    world.advance(11 * MINUTE, step=5_000)

    assert sorted(world.ledger()) == [T0 + 5 * MINUTE, T0 + 10 * MINUTE]


def test_once_fires_once_and_a_run_at_in_the_past_at_once() -> None:
    world = World()
    world.create("later", schedule_type="ONCE", run_at=T0 + 10_000)
    world.create("past", schedule_type="ONCE", run_at=T0 - MINUTE)

    world.advance(60 * SECOND)

    assert world.ledger("later") == {T0 + 10_000: "RAN"}
    assert world.ledger("past") == {T0 - MINUTE: "RAN"}


def test_a_decided_once_fires_again_only_for_a_later_run_at() -> None:
    world = World()
    world.create(schedule_type="ONCE", run_at=T0 + 1_000)
    world.advance(2 * SECOND)
    world.succeed(world.take_one())

    _update(world, "earlier", schedule_type="ONCE", run_at=T0 + 500)
    world.advance(2 * SECOND)
    _update(world, "later", schedule_type="ONCE", run_at=T0 + 20_000)
    world.advance(30 * SECOND)

    assert sorted(world.ledger()) == [T0 + 1_000, T0 + 20_000]


def test_a_fixed_delay_is_armed_by_the_end_of_the_run_before() -> None:
    world = World()
    world.create(schedule_type="FIXED_DELAY", interval_ms=10_000)
    world.advance(10 * SECOND)
    (first,) = world.take()
    world.advance(7 * SECOND)
    world.succeed(first)
    ended_at = T0 + 17_000

    world.advance(30 * SECOND)

    assert world.ledger() == {T0 + 10_000: "RAN", ended_at + 10_000: "RAN"}


def test_a_fixed_delay_counts_from_the_end_of_the_last_automatic_retry() -> None:
    world = World()
    world.create(schedule_type="FIXED_DELAY", interval_ms=10_000, max_retries=1, retry_delay_ms=2_000, retry_jitter=0.0)
    world.advance(10 * SECOND)
    world.fail(world.take_one())
    world.advance(2 * SECOND)
    world.fail(world.take_one())
    ended_at = T0 + 12_000

    world.advance(20 * SECOND)

    assert sorted(world.ledger()) == [T0 + 10_000, ended_at + 10_000]


@pytest.mark.parametrize("start_in", [None, 10 * SECOND])
def test_a_run_that_a_slow_clock_ends_before_its_instant_arms_a_later_one_all_the_same(start_in: int | None) -> None:
    world = World()
    start_at = None if start_in is None else T0 + start_in
    world.create(schedule_type="FIXED_DELAY", interval_ms=10 * SECOND, start_at=start_at)
    world.advance(10 * SECOND)
    entry = world.take_one()
    world.report(r.Succeeded(entry.position, world.now - 15_000, world.now - 12_000))
    world.advance(15 * SECOND)

    assert [x.fire_time for x in world.events(e.InstanceScheduled)] == [T0 + 10_000, T0 + 20_000]


def test_what_an_inbox_entry_asks_is_not_decided_before_its_time_by_a_leader_whose_clock_is_behind() -> None:
    world = World()
    world.create(overlap_policy="ALLOW")
    asked_at = T0 + 10_500
    command = c.TriggerDefinition(id="t1", tenant_id=TENANT, actor=ACTOR, definition_id="d1")
    world.arbiter.handle(InboxItem(entry_id=f"{asked_at}-9", at=asked_at, command=command), 0, T0 + 9_800, 200)
    world._append()

    fire, run = world.events(e.InstanceScheduled)
    assert (fire.fire_time, fire.ts) == (T0 + 10_000, asked_at)
    assert (run.fire_time, run.ts) == (asked_at, asked_at)


@pytest.mark.parametrize("start_in", [None, 200 * SECOND])
def test_a_fixed_delay_whose_schedule_changes_under_a_run_counts_from_the_end_of_that_run(start_in: int | None) -> None:
    world = World()
    world.create(schedule_type="FIXED_DELAY", interval_ms=10 * SECOND)
    world.advance(10 * SECOND)
    entry = world.take_one()
    start_at = None if start_in is None else T0 + start_in
    _update(world, "u", schedule_type="FIXED_DELAY", interval_ms=60 * SECOND, start_at=start_at)
    world.advance(70 * SECOND)
    world.succeed(entry)
    ended_at = world.now
    world.advance(150 * SECOND)

    assert not world.events(e.FireSkipped)
    assert [i.fire_time for i in world.events(e.InstanceScheduled)][1] == max(ended_at + 60 * SECOND, start_at or 0)


def test_a_disabled_definition_has_no_due_instants_and_fires_strictly_later_after_enable() -> None:
    world = World()
    world.create(overlap_policy="ALLOW")
    world.advance(15 * SECOND)
    _switch(world, c.DisableDefinition)
    world.advance(30 * SECOND)
    _switch(world, c.EnableDefinition)
    world.advance(10 * SECOND)

    assert sorted(world.ledger()) == [T0 + 10_000, T0 + 50_000]


@pytest.mark.fault("F45", invariants="I7 I9")
def test_an_update_that_leaves_the_schedule_alone_moves_no_instant() -> None:
    world = World()
    world.create(overlap_policy="ALLOW")
    world.advance(15 * SECOND)
    _update(world, "params", overlap_policy="ALLOW", task_params='{"a":1}')
    world.advance(10 * SECOND)

    assert sorted(world.ledger()) == [T0 + 10_000, T0 + 20_000]
    assert [i.definition_version for i in world.events(e.InstanceScheduled)] == [1, 2]


def test_an_update_of_the_interval_starts_a_new_grid_at_the_change() -> None:
    world = World()
    world.create(overlap_policy="ALLOW")
    world.advance(15 * SECOND)
    _update(world, "faster", overlap_policy="ALLOW", interval_ms=4_000)
    world.advance(10 * SECOND)

    assert sorted(world.ledger()) == [T0 + 10_000, T0 + 19_000, T0 + 23_000]


@pytest.mark.fault("F45", invariants="I7 I9")
def test_an_instant_before_the_edit_is_decided_under_the_old_version_however_late_the_leader_is() -> None:
    world = World()
    world.create(overlap_policy="ALLOW")
    world.now += 10_500  # the leader did not tick: instant T0 + 10 s is due and undecided
    _update(world, "faster", overlap_policy="ALLOW", interval_ms=4_000)
    world.advance(5 * SECOND)

    assert sorted(world.ledger()) == [T0 + 10_000, T0 + 14_500]
    first = world.events(e.InstanceScheduled)[0]
    assert first.definition_version == 1


def test_misfired_instants_run_once_and_the_others_are_skipped() -> None:
    world = World()
    world.create(overlap_policy="ALLOW")

    world.leaderless(65 * SECOND)

    (skip,) = world.events(e.FireSkipped)
    assert isinstance(skip, e.FireSkipped)
    assert (skip.reason, skip.first, skip.last, skip.count) == ("MISFIRE", T0 + 10_000, T0 + 30_000, 3)
    assert [i.fire_time for i in world.events(e.InstanceScheduled)] == [
        T0 + 40_000,  # the last of those that are late by more than 15 s
        T0 + 50_000,
        T0 + 60_000,
    ]


def test_instants_that_are_late_by_less_than_the_threshold_all_fire() -> None:
    world = World()
    world.create(overlap_policy="ALLOW")

    world.leaderless(24 * SECOND)

    assert world.ledger() == {T0 + 10_000: "RAN", T0 + 20_000: "RAN"}


def test_a_long_gap_is_settled_in_bounded_pieces() -> None:
    world = World()
    world.create(interval_ms=1_000, overlap_policy="ALLOW")

    world.leaderless(2_600 * SECOND)

    skips = [s for s in world.events(e.FireSkipped) if isinstance(s, e.FireSkipped)]
    ran = sorted(i.fire_time for i in world.events(e.InstanceScheduled))
    misfired = 2_600 - 15 - 1  # instants 1..2584 s are late by more than 15 s, the last of them runs
    assert sum(s.count for s in skips) == misfired - 1
    assert ran[0] == T0 + 2_584 * SECOND
    assert ran == [T0 + s * SECOND for s in range(2_584, 2_601)]
    assert all(s.count <= 1_000 for s in skips)


def test_a_reply_to_a_report_does_not_cut_the_gap() -> None:
    """A run that ended during the outage is read first; the gap is settled once, at its end."""
    world = World()
    world.create(overlap_policy="SKIP")
    world.advance(10 * SECOND)
    (entry,) = world.take()
    world.now += 5 * SECOND
    world.succeed(entry)

    world.leaderless(60 * SECOND)

    ran = [i.fire_time for i in world.events(e.InstanceScheduled)]
    assert ran == [T0 + 10_000, T0 + 50_000]
    assert {s.reason for s in world.events(e.FireSkipped)} == {"MISFIRE", "OVERLAP"}


def _update(world: World, command_id: str, **members: object) -> list[Any]:
    return world.submit(
        c.UpdateDefinition(id=command_id, tenant_id=TENANT, actor=ACTOR, definition_id="d1", spec=spec(**members))
    )


def _switch(world: World, command: type[c.EnableDefinition] | type[c.DisableDefinition]) -> list[Any]:
    return world.submit(
        command(id=f"{command.__name__}-{world.now}", tenant_id=TENANT, actor=ACTOR, definition_id="d1")
    )


def test_an_update_that_changes_nothing_makes_no_version() -> None:
    world = World()
    world.create(priority=3)
    same = c.UpdateDefinition(id="u1", tenant_id=TENANT, actor=ACTOR, definition_id="d1", spec=spec(priority=3))

    world.submit(same)
    world.submit(msgspec.structs.replace(same, id="u2", enabled=True))

    assert world.events(e.DefinitionUpdated) == []
    assert [one.command_id for one in world.events(e.CommandAccepted)] == ["u1", "u2"]
    assert world.state.definitions["d1"].version == 1


def test_an_update_that_only_switches_is_a_version() -> None:
    world = World()
    world.create(priority=3)

    world.submit(
        c.UpdateDefinition(
            id="u1", tenant_id=TENANT, actor=ACTOR, definition_id="d1", spec=spec(priority=3), enabled=False
        )
    )

    (updated,) = world.events(e.DefinitionUpdated)
    assert (updated.version, updated.enabled) == (2, False)
