"""Fires and deadlines of a definition are decided in the order of their instants, however late the leader is (design §6).

A leader in time decides each as it comes. One that comes late, or is told of something later first, must come to the
same: here both play the same scenario, and everything that became of it is compared.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, World

from taskservice.domain import commands as c
from taskservice.domain import events as e

POLICIES = ("SKIP", "QUEUE_ONE", "QUEUE_ALL", "CANCEL_PREVIOUS", "ALLOW")


def in_time(world: World, until: int) -> None:
    """A tick for every 100 ms."""
    world.advance(until - world.now, step=100)


def late(world: World, until: int) -> None:
    """Nothing is decided until then."""
    world.now = until
    world.tick()


def late_and_told_first(world: World, until: int) -> None:
    """A command about the definition is the first thing that the leader decides again."""
    world.now = until
    world.submit(c.TriggerDefinition(id="trigger", tenant_id=TENANT, actor=ACTOR, definition_id="d1", params=(None,)))
    world.tick()


def lives(world: World) -> list[Any]:
    """What became of each fire: its decision, and how and by which instant its run ended."""
    found: list[Any] = sorted(world.ledger().items())
    fire_of = {x.instance_id: x.fire_time for x in world.events(e.InstanceScheduled) if x.origin == "SCHEDULE"}
    ends = world.events(e.InstanceFailed, e.InstanceCancelled)
    return found + [(fire_of[x.instance_id], type(x).__name__, x.at) for x in ends if x.instance_id in fire_of]


@pytest.mark.parametrize("passes", [in_time, late, late_and_told_first])
def test_a_fire_before_the_deadline_is_skipped_and_one_after_it_runs(passes: Callable[[World, int], None]) -> None:
    world = World(slots=0)
    world.create(overlap_policy="SKIP", deadline_ms=15 * SECOND)
    in_time(world, T0 + 11 * SECOND)

    passes(world, T0 + 31 * SECOND)

    assert world.ledger() == {T0 + 10_000: "RAN", T0 + 20_000: "OVERLAP", T0 + 30_000: "RAN"}
    assert [(x.failure_reason, x.at) for x in world.events(e.InstanceFailed)] == [("DEADLINE", T0 + 25_000)]


@pytest.mark.parametrize("passes", [in_time, late, late_and_told_first])
def test_what_ran_out_of_time_is_not_replaced_any_more(passes: Callable[[World, int], None]) -> None:
    world = World(slots=0)
    world.create(overlap_policy="CANCEL_PREVIOUS", start_timeout_ms=5 * SECOND)
    in_time(world, T0 + 11 * SECOND)

    passes(world, T0 + 21 * SECOND)

    assert [x.failure_reason for x in world.events(e.InstanceFailed)] == ["START_TIMEOUT"]
    assert world.events(e.InstanceCancelled) == []


@pytest.mark.parametrize("passes", [in_time, late])
def test_a_trigger_finds_the_room_that_a_deadline_left(passes: Callable[[World, int], None]) -> None:
    world = World(slots=0, settings=e.DecisionSettings(max_waiting_instances=1))
    world.create(enabled=False, deadline_ms=5 * SECOND)
    world.trigger()
    if passes is in_time:
        in_time(world, T0 + 6 * SECOND)
    world.now = T0 + 6 * SECOND

    world.trigger(command_id="t2")

    assert world.events(e.CommandRejected) == []


@settings(max_examples=60, deadline=None)
@given(
    policy=st.sampled_from(POLICIES),
    interval=st.sampled_from((3_000, 5_000, 7_000)),
    deadline=st.sampled_from((None, 4_000, 9_000, 16_000)),
    start_timeout=st.sampled_from((None, 2_000, 6_000, 12_000)),
    blind_from=st.integers(1, 30),
    blind_for=st.integers(1, 20),
)
def test_what_becomes_of_every_fire_does_not_depend_on_how_late_it_is_decided(
    policy: str,
    interval: int,
    deadline: int | None,
    start_timeout: int | None,
    blind_from: int,
    blind_for: int,
) -> None:
    found = []
    for passes in (in_time, late):
        # No slots: what a worker holds ends by its word, and when that comes depends on when it is asked.
        world = World(slots=0, settings=e.DecisionSettings(misfire_threshold_ms=60_000))
        world.create(interval_ms=interval, overlap_policy=policy, deadline_ms=deadline, start_timeout_ms=start_timeout)
        in_time(world, T0 + blind_from * 1_000)
        passes(world, T0 + (blind_from + blind_for) * 1_000)
        in_time(world, T0 + 60_000)
        found.append(lives(world))

    assert found[0] == found[1]
