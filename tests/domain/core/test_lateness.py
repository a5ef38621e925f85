"""Fires and deadlines of a definition are decided in the order of their instants, however late the leader is (design §6).

A leader in time decides each as it comes. One that comes late, or is told of something later first, must come to the
same: here both play the same scenario, and everything that became of it is compared.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, World, spec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.decide import InboxItem

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


def test_a_gap_meets_what_is_active_at_its_end() -> None:
    """The scheduler is stopped over a fire; what was active then has run out of time when the disable cuts the gap."""
    world = World(slots=0)
    world.create(overlap_policy="SKIP", start_timeout_ms=5 * SECOND)
    world.submit(c.StopScheduler(id="stop", tenant_id=TENANT, actor=ACTOR))
    world.now = T0 + 6 * SECOND
    world.trigger()
    world.now = T0 + 12 * SECOND  # the trigger's start timeout was at 11 s
    world.submit(c.DisableDefinition(id="disable", tenant_id=TENANT, actor=ACTOR, definition_id="d1"))

    assert [x.at for x in world.events(e.InstanceFailed)] == [T0 + 11 * SECOND]
    assert world.ledger() == {T0 + 10 * SECOND: "RAN"}


def asked(kind: str, number: int) -> c.AnyCommand:
    """A command about the definition, of many kinds."""
    who: dict[str, Any] = {"id": f"{kind}-{number}", "tenant_id": TENANT, "actor": ACTOR, "definition_id": "d1"}
    match kind:
        case "trigger":
            return c.TriggerDefinition(**who, params=(None,) * (1 + number % 2), batch=number % 2 == 1)
        case "disable":
            return c.DisableDefinition(**who)
        case "enable":
            return c.EnableDefinition(**who)
        case _:
            members = {"overlap_policy": POLICIES[number % 5], "deadline_ms": (None, 4_000, 9_000)[number % 3]}
            interval = (3_000, 5_000, 7_000)[number % 3] if kind == "reschedule" else 3_000
            return c.UpdateDefinition(**who, spec=spec(interval_ms=interval, **members))


KINDS = ("trigger", "trigger", "disable", "enable", "reschedule", "edit")
plans = st.lists(st.tuples(st.integers(1, 40_000), st.sampled_from(KINDS)), max_size=6)


def reach(world: World, at: int, blind: range) -> None:
    """Until `at`, of which nothing is decided within `blind`; whatever was asked then is decided at its end, first."""
    if world.now < T0 + blind.stop:
        in_time(world, min(at, T0 + blind.start))
        if at < T0 + blind.start:
            return
        world.now = T0 + blind.stop
        if at < T0 + blind.stop:
            return
        world.tick()
    in_time(world, at)


def play(plan: list[tuple[int, str]], policy: str, deadline: int | None, blind: range) -> list[Any]:
    """What a leader decides that sees nothing within `blind`, in ms after T0; without the times at which it decided."""
    world = World(slots=0, settings=e.DecisionSettings(misfire_threshold_ms=120_000, max_waiting_fires=2))
    world.create(interval_ms=3_000, overlap_policy=policy, deadline_ms=deadline)
    for number, (after, kind) in enumerate(sorted(plan)):
        at = T0 + after + number
        reach(world, at, blind)
        item = InboxItem(entry_id=f"{at}-{number}", at=at, command=asked(kind, number))
        world.arbiter.handle(item, 0, world.now, 200)
        world._append()
    reach(world, T0 + 70_000, blind)
    late_times: dict[str, Any] = {"ts": 0, "ended_at": 0}
    return [
        msgspec.structs.replace(x, **{name: to for name, to in late_times.items() if hasattr(x, name)})
        for x in world.events()
    ]


@settings(max_examples=60, deadline=None)
@given(
    plan=plans,
    policy=st.sampled_from(POLICIES),
    deadline=st.sampled_from((None, 4_000, 9_000)),
    begin=st.integers(1_000, 30_000),
    lasts=st.integers(500, 20_000),
)
def test_commands_and_fires_come_to_the_same_however_late_the_leader_is(
    plan: list[tuple[int, str]], policy: str, deadline: int | None, begin: int, lasts: int
) -> None:
    seeing = play(plan, policy, deadline, range(0))
    late = play(plan, policy, deadline, range(begin, begin + lasts))

    def key(event: Any) -> tuple[Any, ...]:
        return event.at, type(event).__name__, repr(event)

    assert sorted(seeing, key=key) == sorted(late, key=key)
