"""Scheduler stop and start, lost workers, takeovers, deletes: what must hold when things go away."""

from typing import Any

import pytest
from tests.domain.core.test_runs import statuses
from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, World, fold, spec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain import reports as r


def ask(world: World, command: Any, name: str = "") -> list[Any]:
    return world.submit(command(id=name or command.__name__, tenant_id=TENANT, actor=ACTOR))


@pytest.mark.fault("F43", invariants="I7")
@pytest.mark.fault("F55", invariants="I7")
def test_while_stopped_nothing_starts_and_at_start_the_last_missed_fire_runs() -> None:
    world = World()
    world.create(overlap_policy="ALLOW")
    world.advance(15 * SECOND)
    for entry in world.take():
        world.succeed(entry)
    ask(world, c.StopScheduler)
    world.trigger()
    world.advance(30 * SECOND)
    assert not world.entries

    ask(world, c.StartScheduler)
    world.advance(1 * SECOND)

    (skip,) = world.events(e.FireSkipped)
    assert (skip.reason, skip.first, skip.last) == (
        "SCHEDULER_STOPPED",
        T0 + 20_000,
        T0 + 30_000,
    )
    assert [i.fire_time for i in world.events(e.InstanceScheduled)] == [
        T0 + 10_000,
        T0 + 15_000,
        T0 + 40_000,
    ]
    assert len(world.entries) == 2


def test_a_stop_asks_back_what_nobody_took_and_leaves_what_runs() -> None:
    world = World(slots=2)
    world.create(enabled=False)
    world.trigger(items=2)
    running = world.take()[0]
    world.entries[running.entry_id].taken = True
    other = next(entry for entry in world.entries.values() if entry.entry_id != running.entry_id)
    other.taken = False
    ask(world, c.StopScheduler)

    assert list(world.entries) == [running.entry_id]
    assert [w.reason for w in world.events(e.DispatchWithdrawn)] == ["revoked"]

    world.succeed(running)
    ask(world, c.StartScheduler)
    (again,) = world.take()
    assert again.order.attempt == 1


def test_stopping_twice_is_accepted() -> None:
    world = World()
    ask(world, c.StopScheduler, "one")
    (again,) = ask(world, c.StopScheduler, "two")

    assert isinstance(again, e.CommandAccepted)


def test_a_restart_is_accepted_by_the_next_epoch() -> None:
    world = World()
    before = world.state.epoch
    events = ask(world, c.RestartScheduler)

    assert world.state.epoch == before + 1
    assert [type(x).__name__ for x in events] == ["EpochStarted", "CommandAccepted"]


def test_a_lost_workers_run_is_lost_and_run_again() -> None:
    world = World()
    world.create(enabled=False)
    world.trigger()
    (entry,) = world.take()
    world.arbiter.lose_worker("w1", [(entry.suffix, entry.entry_id)], world.now)
    world._append()
    world.tick()

    (lost,) = world.events(e.AttemptLost)
    assert (lost.worker, lost.reason, lost.final) == ("w1", "worker", False)
    (again,) = world.take()
    assert again.order.attempt == 2
    assert world.removed_workers == ["w1"]
    world.succeed(again)
    assert statuses(world) == {"SUCCESS": 1}


@pytest.mark.parametrize(("policy", "losses", "expected"), [("FAIL", 3, 1), ("RETRY", 2, 3), ("RETRY", 0, 1)])
@pytest.mark.fault("F50", invariants="I12 I14")
def test_how_often_a_lost_run_is_tried(policy: str, losses: int, expected: int) -> None:
    world = World()
    world.create(enabled=False, on_worker_loss=policy, max_worker_losses=losses)
    world.trigger()
    starts = 0
    while entries := world.take():
        starts += 1
        world.arbiter.lose_worker(f"w{starts}", [(entries[0].suffix, entries[0].entry_id)], world.now)
        world._append()
        world.tick()

    assert starts == expected
    assert statuses(world) == {"FAILED": 1}


def test_a_shutdown_does_not_count_as_a_loss() -> None:
    world = World()
    world.create(enabled=False, max_worker_losses=0)
    world.trigger()
    (entry,) = world.take()
    world.report(r.Interrupted(entry.position, world.now, world.now))
    world.tick()

    assert len(world.entries) == 1


@pytest.mark.parametrize(("policy", "status"), [("RETRY", {"PENDING": 1}), ("FAIL", {"FAILED": 1})])
def test_an_end_that_redis_acknowledged_and_lost_is_told_and_decided_by_policy(
    policy: str, status: dict[str, int]
) -> None:
    world = World()
    world.create(enabled=False, on_worker_loss=policy)
    world.trigger()
    (entry,) = world.take()

    told, lost, *_ = world.report(r.Forgotten(entry.position, world.now))

    assert isinstance(told, e.LogLossDetected)
    assert entry.entry_id in told.what
    assert isinstance(lost, e.AttemptLost)
    assert (lost.reason, lost.final, lost.counted) == ("recovery", policy == "FAIL", False)
    assert statuses(world) == status


def test_what_was_returned_is_dispatched_again_as_the_same_attempt() -> None:
    world = World()
    world.create(enabled=False)
    world.trigger()
    (entry,) = world.take()
    world.report(r.Returned(entry.position))

    (again,) = world.take()
    assert again.order.attempt == 1
    assert again.entry_id != entry.entry_id


@pytest.mark.fault("F34", invariants="I12 I13")
def test_a_report_about_an_entry_that_is_gone_changes_nothing() -> None:
    world = World()
    world.create(enabled=False)
    world.trigger()
    (entry,) = world.take()
    world.succeed(entry)
    (late,) = world.succeed(entry)

    assert isinstance(late, e.LateResultIgnored)
    assert statuses(world) == {"SUCCESS": 1}


def test_a_takeover_in_the_middle_of_a_batch_goes_on_where_it_was() -> None:
    world = World(slots=2_000)
    world.create(enabled=False, max_concurrency=2_000)
    world.trigger(items=1_000)
    cut = next(i for i, cursor in enumerate(world.cursors) if "/" in cursor)
    entries_before = len(world.state.instances)
    world.log = world.log[: _events_up_to(world, cut)]
    world.cursors = world.cursors[: cut + 1]

    world.take_over()

    assert entries_before == 1_000
    assert len(world.state.instances) == 1_000
    assert sum(isinstance(x, e.CommandAccepted) for x in world.events()) == 1


def _events_up_to(world: World, batch: int) -> int:
    """Events in the log up to the end of append number `batch`: an append ends where its cursor's item ends."""
    done = int(world.cursors[batch].partition("/")[2])
    scheduled = 0
    for index, (_, _, data) in enumerate(world.log):
        scheduled += b"InstanceScheduled" in data
        if scheduled == done:
            return index + 1
    raise AssertionError


def test_after_a_loss_open_attempts_are_lost_once_and_recovery_ends() -> None:
    world = World()
    world.create(enabled=False)
    world.trigger(items=3)
    world.entries.clear()
    world.take_over(recovering=True)
    while world.arbiter.recover(world.now, 2):
        pass
    world._append()
    world.tick()

    assert len(world.events(e.AttemptLost)) == 3
    assert len(world.events(e.RecoveryEnded)) == 1
    assert len(world.entries) == 3
    assert not world.state.recovering


@pytest.mark.fault("F16", invariants="I11")
def test_after_a_loss_there_is_a_stream_for_every_definition_again() -> None:
    """Without a stream nobody reads, and nothing is dispatched to what nobody reads."""
    world = World()
    world.create("d1", enabled=False)
    world.create("d2", enabled=False, queue="other")
    before = set(world.streams)
    world.streams.clear()  # the registry went with the rest
    world.take_over(recovering=True)
    world.renew_windows()

    assert not world.arbiter.recover(world.now, 10)
    world._append()

    assert world.streams == before
    world.trigger("d2")
    assert len(world.entries) == 1


@pytest.mark.fault("F46", invariants="I10 I11")
def test_delete_cancels_what_waits_and_lets_what_runs_finish() -> None:
    world = World(slots=1)
    world.create(enabled=False)
    world.trigger(items=3)
    (running,) = world.take()
    world.submit(c.DeleteDefinition(id="x", tenant_id=TENANT, actor=ACTOR, definition_id="d1"))
    world.tick()
    assert len(world.events(e.InstanceCancelled)) == 2
    world.succeed(running)

    assert statuses(world) == {"CANCELLED": 2, "SUCCESS": 1}
    assert "d1" not in world.state.definitions


@pytest.mark.fault("F46", invariants="I10 I11")
def test_delete_with_cancel_running_cancels_what_runs_too() -> None:
    world = World()
    world.create(enabled=False)
    world.trigger()
    (running,) = world.take()
    world.submit(c.DeleteDefinition(id="x", tenant_id=TENANT, actor=ACTOR, definition_id="d1", cancel_running=True))
    world.tick()
    assert world.signals == [(running.entry_id, "cancel")]
    world.report(r.Stopped(running.position, T0, world.now))

    assert statuses(world) == {"CANCELLED": 1}


def test_a_key_is_unique_in_its_tenant_and_free_again_after_delete() -> None:
    world = World()
    world.create("a", key="nightly")
    (taken,) = world.create("b", key="nightly")
    world.submit(c.DeleteDefinition(id="x", tenant_id=TENANT, actor=ACTOR, definition_id="a"))
    (free,) = world.create("c", key="nightly")

    assert taken.code == "key-taken"
    assert isinstance(free, e.DefinitionCreated)


def test_a_foreign_tenant_finds_nothing() -> None:
    world = World()
    world.create()
    (event,) = world.submit(
        c.TriggerDefinition(id="t", tenant_id="other", actor=ACTOR, definition_id="d1", params=(None,))
    )

    assert event.code == "not-found"


def test_an_update_under_a_wrong_version_is_refused() -> None:
    world = World()
    world.create()
    (event,) = world.submit(
        c.DeleteDefinition(id="x", tenant_id=TENANT, actor=ACTOR, definition_id="d1", expected_version=7)
    )

    assert (event.code, event.current_version) == ("version-mismatch", 1)


def test_runs_in_flight_keep_the_version_they_started_with() -> None:
    world = World(slots=1)
    world.create(enabled=False, task_params='{"v":1}')
    world.trigger(items=2)

    world.submit(
        c.UpdateDefinition(id="u", tenant_id=TENANT, actor=ACTOR, definition_id="d1", spec=spec(task_params='{"v":2}'))
    )
    world.succeed(world.take_one())
    (second,) = world.take()

    assert (second.order.params, second.order.definition_version) == ('{"v":1}', 1)


def test_the_state_is_the_fold_of_the_log() -> None:
    world = World()
    world.create(max_retries=1)
    world.trigger(items=3)
    for entry in world.take():
        world.fail(entry)
    world.advance(30 * SECOND)

    folded = fold(world.log)
    folded.cursor = world.state.cursor
    assert folded == world.state
