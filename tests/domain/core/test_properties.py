"""Properties of the core over random histories: edits, outages, stops, failures, lost workers, takeovers.

The expected instants are computed here, from the definition events alone, by the arithmetic of a fixed-rate grid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.domain.core.world import ACTOR, SECOND, TENANT, World, fold, spec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.event_codec import decode_event
from taskservice.domain.evolve import evolve
from taskservice.domain.state import State

IDS = ("a", "b", "c")
intervals = st.sampled_from((1_000, 3_000, 7_000))
POLICIES = ("ALLOW", "SKIP", "QUEUE_ONE", "QUEUE_ALL", "CANCEL_PREVIOUS")
overlaps = st.sampled_from(POLICIES)


@dataclass(frozen=True)
class Action:
    """One step of a random history."""

    name: str
    run: Callable[[World, int], object]

    def __repr__(self) -> str:
        return self.name


def _command(world: World, command: Any, definition_id: str, **members: object) -> None:
    world.submit(
        command(
            id=f"{command.__name__}-{world.sequence}",
            tenant_id=TENANT,
            actor=ACTOR,
            **({"definition_id": definition_id} if definition_id else {}),
            **members,
        )
    )


def _edit(world: World, n: int) -> None:
    members = {
        "interval_ms": (1_000, 3_000, 7_000)[n % 3],
        "overlap_policy": POLICIES[n % 5],
        "misfire_policy": ("FIRE_ONCE", "SKIP", "FIRE_ALL")[n // 2 % 3],
        "misfire_window_ms": (None, None, 20_000)[n // 3 % 3],
        "misfire_limit": (1, 3, 100)[n // 5 % 3],
        "jitter_ms": (0, 900)[n // 7 % 2],
    }
    _command(world, c.UpdateDefinition, IDS[n % 3], spec=spec(max_retries=n % 2, **members))


def _finish(world: World, n: int) -> None:
    for index, entry in enumerate(world.take()[: 1 + n % 4]):
        if (n + index) % 3 == 0:
            world.fail(entry)
        else:
            world.succeed(entry)


def _lose(world: World, n: int) -> None:
    taken = [entry for entry in world.entries.values() if entry.taken][: 1 + n % 3]
    world.arbiter.lose_worker(f"w{n}", [(entry.suffix, entry.entry_id) for entry in taken], world.now)
    world._append()


def _cancel(world: World, n: int) -> None:
    ids = sorted(world.state.instances)
    if ids:
        _command(world, c.CancelInstance, "", instance_id=ids[n % len(ids)])


def _late(world: World, n: int) -> None:
    """The leader is behind: time passes without a tick, a command comes in between."""
    world.now += 500 * (n % 9)


def _crash_into(dropped: list[e.InstanceScheduled]) -> Action:
    """The leader decides, and dies before it has appended; a successor takes over."""

    def crash(world: World, n: int) -> None:
        world.now += 300 * n
        world.arbiter.run_timers(world.now, world.now)
        world.arbiter.dispatch(world.now)
        for batch in world.arbiter.take_batches():
            decided = [decode_event(data) for data in batch.events]
            dropped.extend(x for x in decided if isinstance(x, e.InstanceScheduled) and x.origin == "SCHEDULE")
        world.take_over()

    return Action("crash", crash)


ACTIONS = (
    _crash_into([]),
    Action("advance", lambda w, n: w.advance(1 + 700 * (n % 12), step=900)),
    Action("late", _late),
    Action("outage", lambda w, n: w.leaderless(3 * SECOND * (n % 15))),
    Action("takeover", lambda w, n: w.take_over()),
    Action("edit", _edit),
    Action("enable", lambda w, n: _command(w, c.EnableDefinition, IDS[n % 3])),
    Action("disable", lambda w, n: _command(w, c.DisableDefinition, IDS[n % 3])),
    Action(
        "trigger", lambda w, n: _command(w, c.TriggerDefinition, IDS[n % 3], params=(None,) * (1 + n % 3), batch=True)
    ),
    Action("finish", _finish),
    Action("take", lambda w, n: w.take()),
    Action("lose", _lose),
    Action("cancel", _cancel),
    Action("stop", lambda w, n: _command(w, c.StopScheduler, "")),
    Action("start", lambda w, n: _command(w, c.StartScheduler, "")),
    Action("delete", lambda w, n: _command(w, c.DeleteDefinition, IDS[n % 3]) if n % 5 == 0 else None),
)
histories = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 60)), min_size=4, max_size=60)


def play(history: list[tuple[Action, int]], first: list[tuple[int, str]]) -> World:
    """A world with three fixed-rate definitions after the history, everything due decided."""
    world = World(slots=4)
    for definition_id, (interval, overlap) in zip(IDS, first, strict=True):
        world.create(definition_id, interval_ms=interval, overlap_policy=overlap, max_retries=1, retry_delay_ms=500)
    for action, number in history:
        action.run(world, number)
    _command(world, c.StartScheduler, "")
    world.advance(1 * SECOND)
    return world


firsts = st.lists(st.tuples(intervals, overlaps), min_size=3, max_size=3)


@settings(max_examples=150, deadline=None)
@given(histories, firsts)
def test_every_due_instant_has_exactly_one_decision(history: list[tuple[Action, int]], first: list[Any]) -> None:
    world = play(history, first)

    for definition_id in IDS:
        assert decided_instants(world, definition_id) == due_instants(world, definition_id)


@settings(max_examples=100, deadline=None)
@given(histories, firsts)
@pytest.mark.fault("F34", invariants="I4 I19")
def test_the_state_is_the_fold_of_the_log_and_a_redelivery_changes_nothing(
    history: list[tuple[Action, int]],
    first: list[Any],
) -> None:
    world = play(history, first)
    folded = fold(world.log)
    for epoch, position, data in world.log:
        evolve(folded, decode_event(data), epoch, position)

    folded.cursor = world.state.cursor
    assert folded == world.state


@settings(max_examples=100, deadline=None)
@given(histories, firsts)
@pytest.mark.fault("F48", invariants="I10 I12")
def test_terminal_is_final_and_attempts_are_numbered_without_gaps(
    history: list[tuple[Action, int]],
    first: list[Any],
) -> None:
    world = play(history, first)

    ended: dict[str, str] = {}
    attempts: dict[str, int] = {}
    for event in world.events():
        instance_id = getattr(event, "instance_id", None)
        if instance_id is None:
            continue
        assert instance_id not in ended, f"{event} after {ended.get(instance_id)}"
        attempt = getattr(event, "attempt", None)
        if isinstance(event, e.InstanceDispatched):
            assert attempt in {attempts.get(instance_id, 0), attempts.get(instance_id, 0) + 1}
        if isinstance(event, e.InstanceScheduled):
            attempts[instance_id] = 1 if event.dispatched else 0
        elif attempt is not None and not isinstance(event, e.RetryScheduled):
            attempts[instance_id] = attempt
        if isinstance(event, e.AttemptSucceeded | e.InstanceCancelled | e.InstanceFailed) or getattr(
            event, "final", False
        ):
            ended[instance_id] = type(event).__name__


@settings(max_examples=60, deadline=None)
@given(histories, firsts)
def test_every_command_has_exactly_one_outcome(history: list[tuple[Action, int]], first: list[Any]) -> None:
    world = play(history, first)

    outcomes = [event.command_id for event in world.events() if event.outcome]
    commands = [item.command.id for item in world.inbox if item.command is not None]
    assert outcomes == commands


@settings(max_examples=100, deadline=None)
@given(histories, firsts)
def test_what_was_decided_and_not_appended_is_decided_again_under_the_same_id(
    history: list[tuple[Action, int]],
    first: list[Any],
) -> None:
    dropped: list[e.InstanceScheduled] = []
    world = play([*history, (_crash_into(dropped), 11), *history[:5], (_crash_into(dropped), 23)], first)

    appended = {
        (x.definition_id, x.fire_time): x.instance_id
        for x in world.events(e.InstanceScheduled)
        if isinstance(x, e.InstanceScheduled) and x.origin == "SCHEDULE"
    }
    assert len(set(appended.values())) == len(appended)
    for event in dropped:
        if (event.definition_id, event.fire_time) in appended:
            assert appended[event.definition_id, event.fire_time] == event.instance_id


@settings(max_examples=60, deadline=None)
@given(histories, firsts, st.randoms(use_true_random=False))
def test_evolve_is_total(history: list[tuple[Action, int]], first: list[Any], order: Any) -> None:
    """Events in any order, on a state that never saw what they speak of: nothing is raised."""
    log = play(history, first).log
    order.shuffle(log)
    state = State(partition=0)
    for number, (epoch, _, data) in enumerate(log, start=1):
        evolve(state, decode_event(data), epoch, number)

    assert state.position == len(log)


def decided_instants(world: World, definition_id: str) -> list[int]:
    """Every decided instant, as often as it was decided; ranged skips are spread over the grid they name."""
    found: list[int] = []
    interval, grid = 0, 0
    for event in world.events():
        if getattr(event, "definition_id", "") != definition_id:
            continue
        if isinstance(event, e.DefinitionCreated):
            interval, grid = event.spec.interval_ms or 0, event.effective_at
        elif isinstance(event, e.DefinitionUpdated):
            if event.spec.interval_ms != interval:
                interval, grid = event.spec.interval_ms or 0, event.effective_at
        elif isinstance(event, e.FireSkipped):
            instants = [t for t in range(grid, event.last + 1, interval) if t >= event.first]
            assert len(instants) == event.count
            found += instants
        elif isinstance(event, e.InstanceScheduled) and event.origin == "SCHEDULE":
            found.append(event.fire_time)
    return found


def due_instants(world: World, definition_id: str) -> list[int]:
    """What was due by the definition's own history: the grid of each version in force while it was enabled."""
    found: list[int] = []
    interval, grid, since, enabled = 0, 0, 0, False

    def close(until: int) -> None:
        if enabled:
            found.extend(t for t in range(grid, until + 1, interval) if t > since and t > grid)

    for event in world.events():
        if getattr(event, "definition_id", "") != definition_id:
            continue
        if isinstance(event, e.DefinitionCreated):
            interval, grid, since, enabled = event.spec.interval_ms or 0, event.effective_at, event.effective_at, True
        elif isinstance(event, e.DefinitionUpdated):
            close(event.effective_at)
            since = event.effective_at if enabled else since
            if event.spec.interval_ms != interval:
                interval, grid = event.spec.interval_ms or 0, event.effective_at
        elif isinstance(event, e.DefinitionEnabled):
            since, enabled = event.effective_at, True
        elif isinstance(event, e.DefinitionDisabled | e.DefinitionDeleted):
            close(event.effective_at)
            enabled = False
    close(world.now)
    return found


@settings(max_examples=150, deadline=None)
@given(histories, firsts)
def test_fires_in_turn_never_begin_beside_another_run_of_their_definition(
    history: list[tuple[Action, int]],
    first: list[Any],
) -> None:
    world = play(history, first)

    in_turn: set[str] = set()
    policies: dict[str, str] = {}
    holding: dict[str, str] = {}
    state = State(partition=0)
    for epoch, position, data in world.log:
        event: Any = decode_event(data)
        if isinstance(event, e.DefinitionCreated | e.DefinitionUpdated):
            policies[event.definition_id] = event.spec.overlap_policy
        evolve(state, event, epoch, position)
        fires = isinstance(event, e.InstanceScheduled) and event.origin == "SCHEDULE"
        if fires and policies[event.definition_id] in {"QUEUE_ONE", "QUEUE_ALL", "CANCEL_PREVIOUS"}:
            in_turn.add(event.instance_id)
        begins = isinstance(event, e.InstanceDispatched) or getattr(event, "dispatched", False)
        if begins and event.instance_id in in_turn:
            definition_id = state.instances[event.instance_id].definition_id
            beside = [one for one, of in holding.items() if of == definition_id and one != event.instance_id]
            assert not beside, f"{event} while {beside} hold dispatch entries"
        holding = {one.id: one.definition_id for one in state.instances.values() if one.entry_position}
