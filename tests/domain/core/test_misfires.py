"""Instants that nobody could decide in time: what each policy makes of a gap, in the tests' own arithmetic.

The misfire threshold is 15 s. An outage of 60 s over a definition of 10 s leaves the instants T0+20 … T0+70 undecided
at T0+70: those up to T0+50 are late by 20 s and more, T0+60 and T0+70 are not misfired.
"""

from typing import Any

import pytest
from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, World

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.agenda import Agenda

IN_TIME = {T0 + 10_000: "RAN"}
AFTER = {T0 + 60_000: "RAN", T0 + 70_000: "RAN"}


def outage(**members: Any) -> World:
    world = World()
    world.create(**({"overlap_policy": "ALLOW"} | members))
    world.advance(10 * SECOND)
    world.leaderless(60 * SECOND)
    return world


def skips(world: World) -> list[tuple[str, int, int, int]]:
    return [(x.reason, x.first, x.last, x.count) for x in world.events(e.FireSkipped)]


def runs(world: World) -> list[int]:
    return [x.fire_time for x in world.events(e.InstanceScheduled)]


def test_fire_once_runs_the_latest_of_the_gap() -> None:
    world = outage(misfire_policy="FIRE_ONCE")

    assert skips(world) == [("MISFIRE", T0 + 20_000, T0 + 40_000, 3)]
    assert runs(world) == [T0 + n * 10_000 for n in (1, 5, 6, 7)]


def test_skip_runs_none_of_the_gap() -> None:
    world = outage(misfire_policy="SKIP")

    assert skips(world) == [("MISFIRE", T0 + 20_000, T0 + 50_000, 4)]
    assert runs(world) == [T0 + n * 10_000 for n in (1, 6, 7)]


def test_fire_all_runs_them_all_at_most_ten_a_second() -> None:
    world = outage(misfire_policy="FIRE_ALL")

    assert skips(world) == []
    assert runs(world) == [T0 + n * 10_000 for n in range(1, 8)]
    starts = {x.fire_time: x.not_before for x in world.events(e.InstanceScheduled)}
    assert [starts[T0 + n * 10_000] for n in (2, 3, 4, 5)] == [None, *(world.now + k * 100 for k in (1, 2, 3))]


def test_fire_all_runs_the_latest_up_to_its_limit() -> None:
    world = outage(misfire_policy="FIRE_ALL", misfire_limit=2)

    assert skips(world) == [("MISFIRE", T0 + 20_000, T0 + 30_000, 2)]
    assert runs(world) == [T0 + n * 10_000 for n in (1, 4, 5, 6, 7)]


@pytest.mark.parametrize(
    ("window", "skipped"),
    [(50_000, 0), (49_999, 1), (30_000, 2), (20_000, 3), (19_999, 4)],
)
def test_an_instant_later_than_the_window_does_not_run(window: int, skipped: int) -> None:
    world = outage(misfire_policy="FIRE_ALL", misfire_window_ms=window)

    missed = [T0 + n * 10_000 for n in (2, 3, 4, 5)]
    assert [x for x in runs(world) if x in missed] == missed[skipped:]
    assert sum(count for _, _, _, count in skips(world)) == skipped


def test_fire_once_within_a_window_that_nothing_reaches_runs_none() -> None:
    world = outage(misfire_policy="FIRE_ONCE", misfire_window_ms=19_999)

    assert skips(world) == [("MISFIRE", T0 + 20_000, T0 + 50_000, 4)]


def test_a_night_without_a_leader_is_no_flood() -> None:
    night = 8 * 3_600
    world = World()
    world.create(interval_ms=1_000, misfire_policy="FIRE_ALL", overlap_policy="ALLOW", max_concurrency=1_000)
    world.leaderless(night * SECOND)
    world.advance(30 * SECOND, step=100)

    not_misfired = 15
    late = [x for x in world.events(e.InstanceScheduled) if x.ts - x.fire_time > 15_000]
    assert [x.fire_time for x in late] == [T0 + (night - not_misfired - 100 + n) * 1_000 for n in range(100)]
    assert sum(count for _, _, _, count in skips(world)) == night - not_misfired - 100 - 1
    begins = sorted(
        entry.order.dispatched_at for entry in world.entries.values() if entry.order.fire_time <= late[-1].fire_time
    )
    assert all(sum(at <= one < at + 1_000 for one in begins) <= 10 for at in begins)


def test_a_gap_that_is_planned_in_parts_keeps_its_spacing() -> None:
    world = World()
    world.create(interval_ms=1_000, misfire_policy="FIRE_ALL", misfire_limit=250, overlap_policy="ALLOW")
    world.leaderless(1_000 * SECOND)

    late = [x for x in world.events(e.InstanceScheduled) if x.ts - x.fire_time > 15_000]
    assert len(late) == 250
    assert [x.not_before for x in late] == [None, *(world.now + n * 100 for n in range(1, 250))]


@pytest.mark.parametrize("missed", [999, 1_000, 1_001, 1_050, 1_099, 1_100, 1_101, 2_050])
def test_a_gap_longer_than_a_part_keeps_its_latest(missed: int) -> None:
    world = World()
    world.create(interval_ms=1_000, misfire_policy="FIRE_ALL", overlap_policy="ALLOW")
    world.leaderless((missed + 15) * SECOND)

    late = [x.fire_time for x in world.events(e.InstanceScheduled) if x.ts - x.fire_time > 15_000]
    assert late == [T0 + n * 1_000 for n in range(missed - 100, missed)]
    assert sum(count for _, _, _, count in skips(world)) == missed - 1 - 100


def test_under_skip_only_the_first_of_fire_all_runs() -> None:
    world = outage(misfire_policy="FIRE_ALL", overlap_policy="SKIP")

    assert runs(world) == [T0 + 10_000]
    assert {reason for reason, *_ in skips(world)} == {"OVERLAP"}


def test_under_queue_all_those_of_fire_all_run_one_after_the_other() -> None:
    world = outage(misfire_policy="FIRE_ALL", overlap_policy="QUEUE_ALL")

    order = []
    while entries := world.take():
        (entry,) = entries
        order.append(entry.order.fire_time)
        world.succeed(entry)
        world.advance(100)
    assert order == [T0 + n * 10_000 for n in range(1, 8)]


@pytest.mark.parametrize(("policy", "ran"), [("FIRE_ONCE", [60]), ("SKIP", []), ("FIRE_ALL", [20, 30, 40, 50, 60])])
def test_what_was_due_during_a_stop_is_misfired_and_says_so(policy: str, ran: list[int]) -> None:
    world = World()
    world.create(overlap_policy="ALLOW", misfire_policy=policy)
    world.advance(15 * SECOND)
    world.submit(c.StopScheduler(id="stop", tenant_id=TENANT, actor=ACTOR))
    world.advance(50 * SECOND)
    world.submit(c.StartScheduler(id="start", tenant_id=TENANT, actor=ACTOR))
    world.tick()

    due = [20, 30, 40, 50, 60]
    assert runs(world) == [T0 + n * 1_000 for n in (10, *ran)]
    skipped = [n for n in due if n not in ran]
    if skipped:
        assert skips(world) == [("SCHEDULER_STOPPED", T0 + skipped[0] * 1_000, T0 + skipped[-1] * 1_000, len(skipped))]
    else:
        assert skips(world) == []


def test_the_start_of_the_scheduler_ends_a_gap_and_what_is_missed_after_it_is_another() -> None:
    world = World()
    world.create(overlap_policy="ALLOW")
    world.advance(15 * SECOND)
    world.submit(c.StopScheduler(id="stop", tenant_id=TENANT, actor=ACTOR))
    world.advance(50 * SECOND)
    world.submit(c.StartScheduler(id="start", tenant_id=TENANT, actor=ACTOR))
    world.leaderless(60 * SECOND)

    # Stopped from T0+15 to T0+65; at T0+125 what was due up to T0+100 is late by more than 15 s.
    assert runs(world) == [T0 + n * 1_000 for n in (10, 60, 100, 110, 120)]
    assert skips(world) == [
        ("SCHEDULER_STOPPED", T0 + 20_000, T0 + 50_000, 4),
        ("MISFIRE", T0 + 70_000, T0 + 90_000, 3),
    ]


def test_a_once_that_was_missed_under_skip_never_runs() -> None:
    world = World()
    world.create(schedule_type="ONCE", run_at=T0 + 5_000, misfire_policy="SKIP")
    world.leaderless(60 * SECOND)

    assert skips(world) == [("MISFIRE", T0 + 5_000, T0 + 5_000, 1)]
    assert runs(world) == []


def test_a_fixed_delay_under_skip_goes_on_from_the_instants_it_skipped() -> None:
    world = World()
    world.create(schedule_type="FIXED_DELAY", misfire_policy="SKIP")
    world.leaderless(64 * SECOND)
    world.advance(10 * SECOND)

    # Due at T0+10 …; at T0+64 those up to T0+40 are late by more than 15 s, T0+50 is not.
    assert skips(world) == [("MISFIRE", T0 + 10_000, T0 + 40_000, 4)]
    assert runs(world) == [T0 + 50_000]


def test_a_fixed_delay_within_a_window_runs_its_first_instant_in_it() -> None:
    world = World()
    world.create(schedule_type="FIXED_DELAY", misfire_policy="FIRE_ONCE", misfire_window_ms=30_000)
    world.leaderless(64 * SECOND)

    assert skips(world) == [("MISFIRE", T0 + 10_000, T0 + 30_000, 3)]
    assert runs(world) == [T0 + 40_000]


def test_a_fixed_delay_of_a_tenth_of_a_second_is_skipped_in_ranges() -> None:
    world = World()
    world.create(schedule_type="FIXED_DELAY", interval_ms=100, misfire_policy="SKIP", end_at=T0 + 600 * SECOND)
    world.leaderless(3_600 * SECOND)

    assert len(skips(world)) == 6
    assert sum(count for _, _, _, count in skips(world)) == 5_999
    assert Agenda(world.state).next_at() is None


def test_an_edit_in_the_middle_of_a_gap_cuts_it() -> None:
    world = World()
    world.create(overlap_policy="ALLOW", misfire_policy="SKIP")
    world.advance(10 * SECOND)
    world.now += 40 * SECOND
    world.submit(c.DisableDefinition(id="d", tenant_id=TENANT, actor=ACTOR, definition_id="d1"))
    world.advance(30 * SECOND)

    # At T0+50 the instants T0+20 and T0+30 are misfired, T0+40 and T0+50 are not; none is due after the disable.
    assert skips(world) == [("MISFIRE", T0 + 20_000, T0 + 30_000, 2)]
    assert runs(world) == [T0 + n * 10_000 for n in (1, 4, 5)]


def test_in_time_everything_runs_whatever_the_policy() -> None:
    policies: tuple[Any, ...] = ("FIRE_ONCE", "SKIP", "FIRE_ALL")
    for policy in policies:
        world = World()
        world.create(overlap_policy="ALLOW", misfire_policy=policy, misfire_window_ms=1)
        world.advance(10 * SECOND)
        world.now += 24 * SECOND
        world.tick()  # 14 s late for the second, in time for the third

        assert runs(world) == [T0 + 10_000, T0 + 20_000, T0 + 30_000]
