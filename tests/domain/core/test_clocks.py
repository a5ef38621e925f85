"""The leader's clocks of one run where they meet each other: start timeout, timeout, deadline, hand-back, delete."""

import pytest
from tests.domain.core.test_runs import statuses
from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, Entry, World

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain import reports as r


def taken_just_in_time(world: World, *, timeout_ms: int | None = None, cancel_grace_ms: int = 10_000) -> Entry:
    """A run that was taken within its start timeout of 1 s; the leader has asked it back in vain."""
    world.create(enabled=False, start_timeout_ms=1_000, timeout_ms=timeout_ms, cancel_grace_ms=cancel_grace_ms)
    world.trigger()
    (entry,) = world.take()
    world.advance(1_200)
    (reached,) = world.events(e.TimeoutReached)
    assert (reached.kind, reached.mode) == ("START_TIMEOUT", "waiting")
    return entry


def test_a_run_taken_just_in_time_still_has_its_timeout() -> None:
    world = World()
    entry = taken_just_in_time(world, timeout_ms=2_000, cancel_grace_ms=1_000)
    world.report(r.Started(entry.position, T0 + 900))
    world.advance(2_000 + 1_000 + 5_000 + 200)

    (ended,) = world.events(e.AttemptTimedOut)
    assert (ended.started_at, ended.final) == (T0 + 900, True)


def test_what_is_handed_back_after_its_start_timeout_is_not_started_any_more() -> None:
    world = World()
    entry = taken_just_in_time(world)
    world.report(r.Returned(entry.position))
    world.tick()

    (failed,) = world.events(e.InstanceFailed)
    assert failed.failure_reason == "START_TIMEOUT"
    assert not world.entries


@pytest.mark.parametrize("before", ["stop", "start timeout"])
def test_a_delete_cancels_a_run_that_was_asked_back_in_vain(before: str) -> None:
    world = World()
    if before == "stop":
        world.create(enabled=False)
        world.trigger()
        (entry,) = world.take()
        world.submit(c.StopScheduler(id="stop", tenant_id=TENANT, actor=ACTOR))
        world.submit(c.StartScheduler(id="start", tenant_id=TENANT, actor=ACTOR))
    else:
        entry = taken_just_in_time(world)
    world.report(r.Started(entry.position, world.now))
    world.submit(c.DeleteDefinition(id="x", tenant_id=TENANT, actor=ACTOR, definition_id="d1", cancel_running=True))
    world.tick()

    assert world.signals == [(entry.entry_id, "cancel")]
    world.report(r.Stopped(entry.position, T0, world.now))
    assert statuses(world) == {"CANCELLED": 1}


def test_every_clock_that_ran_out_before_a_report_is_decided_before_it() -> None:
    """Both start timeout and deadline passed while the leader was behind: the failure that comes after is the last."""
    world = World()
    world.create(enabled=False, start_timeout_ms=1_000, deadline_ms=3_000, max_retries=5, retry_delay_ms=0)
    world.trigger()
    (entry,) = world.take()
    world.now += 4 * SECOND
    world.fail(entry)
    world.tick()

    assert [(x.kind) for x in world.events(e.TimeoutReached)] == ["START_TIMEOUT", "DEADLINE"]
    assert not world.events(e.RetryScheduled)
    (ended,) = world.events(e.AttemptTimedOut)
    assert (ended.failure_reason, ended.final) == ("DEADLINE", True)


@pytest.mark.parametrize("cancelled_when", ["waiting", "ended by its start timeout"])
def test_a_retry_by_hand_is_not_ended_by_the_start_timeout_of_its_first_life(cancelled_when: str) -> None:
    world = World(slots=0)
    world.create(enabled=False, start_timeout_ms=2_000)
    (scheduled,) = world.trigger()
    if cancelled_when == "waiting":
        world.submit(
            c.CancelInstance(id="c", tenant_id=TENANT, actor=ACTOR, instance_id=scheduled.instance_id, reason="")
        )
    world.advance(3_000)
    assert not world.state.instances
    retry(world, scheduled.instance_id)
    world.slots = 1
    world.renew_windows()
    world.tick()

    world.succeed(world.take_one())
    assert statuses(world) == {"SUCCESS": 1}


def test_a_retry_by_hand_after_the_deadline_has_a_deadline_of_its_own() -> None:
    world = World()
    world.create(enabled=False, deadline_ms=2_000, cancel_grace_ms=0)
    (scheduled,) = world.trigger()
    world.fail(world.take_one())
    world.advance(5_000)
    retry(world, scheduled.instance_id)
    again = world.take_one()
    assert again.order.deadline_at == world.now + 2_000
    world.advance(1_500)
    assert not world.events(e.TimeoutReached)
    world.advance(1_000)

    (reached,) = world.events(e.TimeoutReached)
    assert reached.kind == "DEADLINE"


def retry(world: World, instance_id: str) -> None:
    held = world.state.ended[instance_id]
    (event,) = world.submit(
        c.RetryInstance(
            id=f"retry-{world.sequence}",
            tenant_id=TENANT,
            actor=ACTOR,
            instance_id=instance_id,
            snapshot=e.InstanceSnapshot(
                definition_id="d1", definition_version=1, origin="MANUAL", fire_time=T0, created_at=T0
            ),
            known_status=held.status,
            known_position=held.position,
        )
    )[:1]
    assert isinstance(event, e.InstanceRetried)


def test_a_deadline_that_ran_out_before_a_cancel_is_decided_before_it() -> None:
    world = World(slots=0)
    world.create(enabled=False, deadline_ms=2_000)
    (scheduled,) = world.trigger()
    world.now += 3_000
    events = world.submit(
        c.CancelInstance(id="c", tenant_id=TENANT, actor=ACTOR, instance_id=scheduled.instance_id, reason="")
    )

    assert [type(x).__name__ for x in events] == ["InstanceFailed", "CommandRejected"]
    assert events[1].current_status == "FAILED"
