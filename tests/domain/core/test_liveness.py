"""Over random histories of every kind of schedule: nothing stays open for ever, no counter drifts, no timer is forgotten.

Afterwards the workers come back and everything that is taken succeeds; what then is still open would be so for ever.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.domain.core.recount import assert_counted, assert_followed
from tests.domain.core.test_properties import ACTIONS, IDS, POLICIES, Action
from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, World, fold, spec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain import reports as r
from taskservice.domain.agenda import Agenda
from taskservice.domain.overlap import held_up_by
from taskservice.domain.tenants import DEPLOYMENT, TenantSettings

ROUNDS = 10


def members_of(n: int) -> dict[str, Any]:
    """One of many bodies."""
    kind = ("FIXED_DELAY", "FIXED_RATE", "ONCE", "FIXED_DELAY")[n % 4]
    schedule: dict[str, Any] = {"schedule_type": kind, "interval_ms": (1_000, 4_000)[n // 4 % 2]}
    if kind == "ONCE":
        schedule = {"schedule_type": kind, "run_at": T0 + (n * 1_700) % 90_000}
    return schedule | {
        "overlap_policy": POLICIES[n // 3 % 5],
        "misfire_policy": ("FIRE_ONCE", "SKIP", "FIRE_ALL")[n // 4 % 3],
        "misfire_window_ms": (None, None, 25_000)[n // 9 % 3],
        "misfire_limit": (100, 2)[n // 23 % 2],
        "jitter_ms": (0, 0, 900)[n // 8 % 3],
        "max_retries": n // 5 % 3,
        "retry_delay_ms": 700,
        "start_timeout_ms": (None, 2_000, 30_000)[n // 2 % 3],
        "deadline_ms": (None, None, 9_000)[n // 7 % 3],
        "timeout_ms": (None, 3_000)[n // 6 % 2],
        "cancel_grace_ms": 1_000,
        "max_concurrency": (None, 1, 2)[n // 11 % 3],
        "priority": 1 + n % 9,
        "queue": ("default", "other")[n // 13 % 2],
        "on_worker_loss": ("RETRY", "FAIL")[n // 17 % 2],
        "max_worker_losses": n % 2,
        "end_at": None if n % 19 or kind == "ONCE" else T0 + 60_000,
    }


def _ask(world: World, command: Any, definition_id: str = "", **members: object) -> None:
    named = {"definition_id": definition_id} if definition_id else {}
    world.submit(command(id=f"{command.__name__}-{world.sequence}", tenant_id=TENANT, actor=ACTOR, **named, **members))


def _update(world: World, n: int) -> None:
    _ask(
        world,
        c.UpdateDefinition,
        IDS[n % 3],
        spec=spec(**members_of(n)),
        enabled=(None, None, None, True, False)[n % 5],
    )


def _capacity(world: World, n: int) -> None:
    world.slots = (0, 1, 4, 9)[n % 4]
    world.renew_windows()


def _retry(world: World, n: int) -> None:
    """By hand, an instance that ended; by its row when nobody holds it any more."""
    ended = [i for i in world.state.ended.values() if i.status != "SUCCESS"]
    if not ended:
        return
    found = ended[n % len(ended)]
    snapshot = e.InstanceSnapshot(
        definition_id=found.definition_id,
        definition_version=found.definition_version,
        origin=found.origin,
        fire_time=found.fire_time,
        created_at=found.created_at,
    )
    _ask(
        world,
        c.RetryInstance,
        instance_id=found.id,
        snapshot=snapshot,
        known_status=found.status,
        known_position=world.state.position,
    )


def _report(world: World, n: int) -> None:
    """What else workers say of what they took."""
    taken = [entry for entry in world.entries.values() if entry.taken]
    for entry in taken[: 1 + n % 3]:
        at = world.now
        reports: tuple[r.AnyReport, ...] = (
            r.Started(entry.position, at - 100),
            r.Returned(entry.position),
            r.Interrupted(entry.position, at - 100, at),
            r.Stopped(entry.position, None, at),
            r.Stopped(entry.position, at - 100, at),
            r.TimedOut(entry.position, at - 100, at),
        )
        world.report(reports[n % len(reports)])


def _started(world: World, n: int) -> None:
    for entry in world.take()[: 1 + n % 4]:
        world.report(r.Started(entry.position, world.now))


def _limits(world: World, n: int) -> None:
    """What the tenant may have changes: lines are set aside, and come back."""
    limits = TenantSettings(
        max_concurrency=(None, 1, 3)[n % 3],
        queue_limits={} if n % 4 else {"default": 1 + n % 2},
        starts_per_second=(None, None, 1, 5)[n // 3 % 4],
    )
    world.submit(c.ChangeTenantSettings(id=f"limits-{world.sequence}", tenant_id=TENANT, actor=ACTOR, settings=limits))


def _lose_deliveries(world: World, n: int) -> None:
    """Part of Redis is gone: the streams are made anew, and whoever leads decides what was open. It may die over it."""
    for _ in range(1 + n % 2):
        world.entries.clear()
        world.take_over(recovering=True)
        world.arbiter.recover(world.now, 1 + n % 5)
        world._append()
    while world.arbiter.recover(world.now, 200):
        world._append()
    world._append()


def _delete(world: World, n: int) -> None:
    if n % 4 == 0:
        _ask(world, c.DeleteDefinition, IDS[n % 3], cancel_running=n % 8 == 0)


def _behind(world: World, n: int) -> None:
    """The inbox is read up to some instant before now only: what it could change must wait."""
    world.now += 400 * (n % 12)
    world.arbiter.run_timers(world.now, world.now - 300 * (n % 7))
    world.arbiter.dispatch(world.now)
    world._append()


def _backfill(world: World, n: int) -> None:
    definition = world.state.definitions.get(IDS[n % 3])
    if definition is not None:
        fires = tuple((T0 - 1_000 * k, definition.version) for k in range(1 + n % 6, 0, -1))
        limit = (None, 1, 2)[n // 6 % 3]
        name = f"backfill-{world.sequence}"
        _ask(world, c.BackfillDefinition, definition.id, backfill_id=name, fires=fires, max_concurrency=limit)
        if n % 4 == 0:
            _ask(world, c.CancelBackfill, definition.id, backfill_id=name)


MORE: tuple[Action, ...] = (
    Action("update", _update),
    Action("update", _update),
    Action("capacity", _capacity),
    Action("retry", _retry),
    Action("report", _report),
    Action("report", _report),
    Action("started", _started),
    Action("behind", _behind),
    Action("delete it", _delete),
    Action("backfill", _backfill),
    Action("limits", _limits),
    Action("lose deliveries", _lose_deliveries),
    Action("long", lambda w, n: w.advance(1_000 + 300 * n, step=1_000)),
)
KEPT = tuple(action for action in ACTIONS if action.name not in {"edit", "delete"})
histories = st.lists(st.tuples(st.sampled_from(KEPT + MORE), st.integers(0, 1_000)), min_size=8, max_size=60)
firsts = st.lists(st.integers(0, 1_000), min_size=3, max_size=3)


def play(history: list[tuple[Action, int]], first: list[int]) -> World:
    world = World(slots=4)
    for definition_id, number in zip(IDS, first, strict=True):
        world.create(definition_id, **members_of(number))
    for action, number in history:
        action.run(world, number if action in MORE else number % 61)
        assert_in_step(world)
    return world


@settings(max_examples=40, deadline=None)
@given(histories, firsts)
def test_nothing_stays_open_for_ever(history: list[tuple[Action, int]], first: list[int]) -> None:
    world = play(history, first)

    come_back(world)
    for definition in list(world.state.definitions.values()):
        if definition.enabled:
            _ask(world, c.DisableDefinition, definition.id)
    for _ in range(ROUNDS):
        if not world.state.instances:
            break
        world.advance(2 * SECOND, step=1_000)
        finish_all(world)
        assert_in_step(world)

    assert not world.state.instances
    assert not world.entries, "an entry that no attempt is open for"
    assert (world.state.in_flight, world.state.dispatched, world.state.tenant_open) == ({}, {}, {})
    assert (world.state.tenant_active, world.state.backfill_active) == ({}, {})
    assert len(world.arbiter.agenda.waiting) == 0
    assert world.arbiter.agenda.deadlines.next_at() is None
    for definition in world.state.definitions.values():
        assert (definition.active, definition.waiting_fires, list(definition.versions)) == (0, 0, [definition.version])


@settings(max_examples=40, deadline=None)
@given(histories, firsts)
def test_every_fixed_delay_that_is_enabled_has_an_open_run_or_an_armed_instant(
    history: list[tuple[Action, int]], first: list[int]
) -> None:
    world = play(history, first)
    come_back(world)
    fired = {i: len(list(scheduled(world, i))) for i in IDS}

    for definition in world.state.definitions.values():
        if definition.spec.schedule_type != "FIXED_DELAY" or not definition.enabled:
            continue
        assert definition.armed_at is not None or definition.delay_instance in world.state.instances

    for _ in range(10):
        world.advance(2 * SECOND, step=1_000)
        finish_all(world)
    for definition in world.state.definitions.values():
        lives = definition.enabled and (definition.spec.end_at is None or definition.spec.end_at > world.now)
        if lives and definition.spec.schedule_type == "FIXED_DELAY":
            assert len(list(scheduled(world, definition.id))) > fired[definition.id]


@settings(max_examples=40, deadline=None)
@given(histories, firsts)
def test_the_state_is_the_fold_and_no_instant_is_decided_twice(
    history: list[tuple[Action, int]], first: list[int]
) -> None:
    world = play(history, first)
    come_back(world)

    for definition_id in IDS:
        world.ledger(definition_id)
    folded = fold(world.log)
    folded.cursor = world.state.cursor
    assert folded == world.state


def come_back(world: World) -> None:
    """The scheduler runs, no limit is the tenant's own, and workers take and end what there is."""
    _ask(world, c.StartScheduler)
    _ask(world, c.ChangeTenantSettings, settings=DEPLOYMENT)
    world.slots = 50
    world.renew_windows()
    world.tick()
    finish_all(world)


def finish_all(world: World) -> None:
    while entries := list(world.entries.values()):
        world.succeed(entries[0])
        world.tick()


def scheduled(world: World, definition_id: str) -> list[Any]:
    return [x for x in world.events(e.InstanceScheduled, e.FireSkipped) if x.definition_id == definition_id]


def assert_in_step(world: World) -> None:
    """Counters and timers that are kept step by step are what the state amounts to."""
    state, agenda = world.state, world.arbiter.agenda
    assert_counted(state)
    assert_followed(state, agenda)
    assert {int(entry.entry_id.rpartition("-")[2]) for entry in world.entries.values()} >= set(state.dispatched)
    anew = Agenda(state)
    assert agenda.fires._next == anew.fires._next
    assert agenda.deadlines._bucket_of == anew.deadlines._bucket_of
    waiting = {instance.id for instance in state.instances.values() if instance.waits}
    held_up = {i for i in waiting if held_up_by(state, state.instances[i]) is not None}
    held_up |= {i for heap in agenda._backfills.values() for _, i in heap}
    assert waiting - held_up <= set(agenda.waiting._waiting) | {one for _, one in agenda.delayed}
    assert set(agenda.waiting._waiting) <= waiting
