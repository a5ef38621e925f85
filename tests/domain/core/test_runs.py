"""Dispatch, limits, retries, cancel, timeouts: what happens to an instance."""

from typing import Any

import pytest
from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, World

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain import reports as r


def statuses(world: World) -> dict[str, int]:
    """How many instances end in which status."""
    found: dict[str, int] = {}
    for instance in [*world.state.instances.values(), *world.state.ended.values()]:
        found[instance.status] = found.get(instance.status, 0) + 1
    return found


def cancel(world: World, instance_id: str, command_id: str = "cancel") -> list[Any]:
    return world.submit(
        c.CancelInstance(id=command_id, tenant_id=TENANT, actor=ACTOR, instance_id=instance_id, reason="enough")
    )


def test_a_short_run_is_two_events() -> None:
    world = World()
    world.create(enabled=False)
    world.trigger()
    world.succeed(world.take_one())

    assert [type(x).__name__ for x in world.events()][2:] == ["InstanceScheduled", "AttemptSucceeded"]
    assert statuses(world) == {"SUCCESS": 1}


def test_overlap_skip_names_the_run_that_blocks() -> None:
    world = World()
    world.create()
    world.advance(20 * SECOND)

    (first,) = world.events(e.InstanceScheduled)
    (skip,) = world.events(e.FireSkipped)
    assert (skip.reason, skip.blocked_by) == ("OVERLAP", first.instance_id)


def test_a_manual_run_is_active_too_and_blocks_a_fire_but_is_not_skipped_itself() -> None:
    world = World()
    world.create()
    world.trigger()
    world.advance(10 * SECOND)
    world.trigger(command_id="t2")

    assert world.ledger() == {T0 + 10_000: "OVERLAP"}
    assert len(world.entries) == 2


def test_max_concurrency_holds_the_others_in_the_leader_until_one_ends() -> None:
    world = World()
    world.create(enabled=False, max_concurrency=2)
    world.trigger(items=5)
    assert len(world.entries) == 2

    world.succeed(world.take()[0])

    assert len(world.entries) == 2
    assert len(world.state.instances) == 4


def test_a_definition_at_its_limit_does_not_stand_in_the_way_of_another() -> None:
    world = World(slots=3)
    world.create("full", enabled=False, max_concurrency=1)
    world.create("free", enabled=False)
    world.trigger("full", items=3)
    world.trigger("free", command_id="t2")

    assert sorted(entry.order.definition_id for entry in world.entries.values()) == ["free", "full"]


def test_no_more_lies_in_the_streams_than_the_workers_can_take() -> None:
    world = World(slots=3)
    world.create(enabled=False)
    world.trigger(items=10)
    assert len(world.entries) == 3

    for entry in world.take():
        world.succeed(entry)

    assert len(world.entries) == 3


def test_higher_priority_is_dispatched_first_within_a_tenant() -> None:
    world = World(slots=1)
    world.create("low", enabled=False, priority=1)
    world.create("high", enabled=False, priority=9)
    world.trigger("low", items=3)
    world.trigger("high", items=2, command_id="t2")

    order: list[str] = []
    while entries := world.take():
        order += [entry.order.definition_id for entry in entries]
        for entry in entries:
            world.succeed(entry)

    assert order == ["low", "high", "high", "low", "low"]


def test_nothing_is_dispatched_without_a_worker_and_all_of_it_when_one_comes() -> None:
    world = World(slots=0)
    world.create(enabled=False)
    world.trigger(items=4)
    assert not world.entries

    world.slots = 10
    world.renew_windows()
    world.tick()

    assert len(world.entries) == 4


def test_a_failure_is_retried_with_backoff_and_ends_failed_when_retries_are_used_up() -> None:
    world = World()
    world.create(enabled=False, max_retries=2, retry_delay_ms=1_000, retry_jitter=0.0)
    world.trigger()
    world.fail(world.take_one())
    world.advance(999, step=1)
    assert not world.entries
    world.advance(1, step=1)
    world.fail(world.take_one())
    world.advance(1_999, step=1)
    assert not world.entries
    world.advance(1, step=1)
    world.fail(world.take_one())

    assert [x.final for x in world.events(e.AttemptFailed)] == [False, False, True]
    assert [x.attempt for x in world.events(e.AttemptFailed)] == [1, 2, 3]
    assert statuses(world) == {"FAILED": 1}


@pytest.mark.parametrize(
    ("members", "error_type", "retried"),
    [
        ({"max_retries": 1, "retry_on": ("ValueError",)}, "ValueError", True),
        ({"max_retries": 1, "retry_on": ("ValueError",)}, "KeyError", False),
        ({"max_retries": 1, "no_retry_on": ("KeyError",)}, "KeyError", False),
        ({"max_retries": 1, "no_retry_on": ("KeyError",)}, "ValueError", True),
        ({}, "ValueError", False),
    ],
)
def test_which_errors_are_retried(members: dict[str, Any], error_type: str, retried: bool) -> None:
    world = World()
    world.create(enabled=False, **members)
    world.trigger()
    world.fail(world.take_one(), error_type)

    assert bool(world.events(e.RetryScheduled)) == retried


def test_a_workers_clock_that_is_behind_starts_no_run_before_it_was_dispatched() -> None:
    world = World()
    world.create(schedule_type="FIXED_DELAY", interval_ms=10_000)
    world.advance(10_000)
    entry = world.take_one()
    world.now += 2
    world.report(r.Succeeded(entry.position, T0 + 9_990, T0 + 9_995))
    world.advance(20_000, step=1_000)

    (ended, *_) = world.events(e.AttemptSucceeded)
    assert (ended.started_at, ended.ended_at) == (T0 + 10_000, T0 + 10_000)
    assert [x.fire_time for x in world.events(e.InstanceScheduled)] == [T0 + 10_000, T0 + 20_000]


@pytest.mark.parametrize("off_ms", [-3_600_000, 3_600_000])
@pytest.mark.parametrize("kind", [r.Interrupted, r.Stopped])
def test_a_workers_clock_that_is_an_hour_off_moves_no_end_either(
    kind: type[r.Interrupted | r.Stopped], off_ms: int
) -> None:
    world = World()
    world.create(enabled=False)
    world.trigger()
    entry = world.take_one()
    dispatched_at, told_at = world.now, world.now + 500
    world.now = told_at
    world.report(kind(entry.position, dispatched_at + off_ms, told_at + off_ms))

    (lost,) = world.events(e.AttemptLost)
    spans = {-3_600_000: (dispatched_at, dispatched_at), 3_600_000: (told_at, told_at)}
    assert (lost.started_at, lost.ended_at) == spans[off_ms]


def test_a_failure_that_says_no_retry_is_final() -> None:
    world = World()
    world.create(enabled=False, max_retries=5)
    world.trigger()
    world.fail(world.take_one(), retry=False)

    assert statuses(world) == {"FAILED": 1}


def test_cancel_of_what_waits_ends_it_at_once() -> None:
    world = World(slots=0)
    world.create(enabled=False)
    (scheduled,) = world.trigger()

    (event,) = cancel(world, scheduled.instance_id)

    assert isinstance(event, e.InstanceCancelled)
    assert event.outcome
    assert statuses(world) == {"CANCELLED": 1}


def test_cancel_of_an_entry_that_nobody_took_takes_it_out() -> None:
    world = World()
    world.create(enabled=False)
    (scheduled,) = world.trigger()

    cancel(world, scheduled.instance_id)

    assert not world.entries
    assert statuses(world) == {"CANCELLED": 1}


@pytest.mark.fault("F47", invariants="I16")
def test_cancel_of_a_running_one_signals_its_worker_and_a_success_that_precedes_wins() -> None:
    world = World()
    world.create(enabled=False)
    (scheduled,) = world.trigger()
    (entry,) = world.take()
    cancel(world, scheduled.instance_id)
    assert world.signals == [(entry.entry_id, "cancel")]

    world.succeed(entry)

    assert statuses(world) == {"SUCCESS": 1}


@pytest.mark.parametrize(
    "end",
    [
        lambda at, p: r.Stopped(p, at - 5, at),
        lambda at, p: r.Failed(p, at - 5, at, "ValueError", "no"),
        lambda at, p: r.TimedOut(p, at - 5, at),
        lambda at, p: r.Returned(p),
        lambda at, p: r.Interrupted(p, at - 5, at),
    ],
)
@pytest.mark.fault("F47", invariants="I16")
def test_any_other_end_after_a_cancel_is_cancelled(end: Any) -> None:
    world = World()
    world.create(enabled=False, max_retries=3)
    (scheduled,) = world.trigger()
    (entry,) = world.take()
    cancel(world, scheduled.instance_id)

    world.report(end(world.now, entry.position))

    assert statuses(world) == {"CANCELLED": 1}


@pytest.mark.fault("F47", invariants="I11 I16")
def test_a_cancelled_run_without_report_is_taken_back_after_its_grace() -> None:
    world = World()
    world.create(enabled=False, cancel_grace_ms=2_000)
    (scheduled,) = world.trigger()
    world.take()
    cancel(world, scheduled.instance_id)
    world.advance(6_900)
    assert statuses(world) == {"PENDING": 1}

    world.advance(300)

    assert statuses(world) == {"CANCELLED": 1}


@pytest.mark.fault("F47", invariants="I16")
def test_cancelling_again_is_accepted_and_cancelling_what_ended_by_itself_is_a_conflict() -> None:
    world = World()
    world.create(enabled=False)
    (scheduled,) = world.trigger()
    (entry,) = world.take()
    cancel(world, scheduled.instance_id)
    (again,) = cancel(world, scheduled.instance_id, "c2")
    world.report(r.Stopped(entry.position, world.now, world.now))
    (once_more,) = cancel(world, scheduled.instance_id, "c3")
    (other,) = world.trigger(command_id="t2")
    world.succeed(world.take_one())
    (late,) = cancel(world, other.instance_id, "c4")

    assert isinstance(again, e.CommandAccepted)
    assert isinstance(once_more, e.CommandAccepted)
    assert isinstance(late, e.CommandRejected)
    assert (late.code, late.current_status) == ("state-conflict", "SUCCESS")


def test_a_start_timeout_ends_what_waits_and_what_nobody_took() -> None:
    world = World(slots=1)
    world.create(enabled=False, start_timeout_ms=5_000)
    world.trigger(items=2)
    world.advance(5_200)

    failures = world.events(e.InstanceFailed)
    assert [f.failure_reason for f in failures] == ["START_TIMEOUT", "START_TIMEOUT"]
    assert not world.entries


def test_a_start_timeout_does_nothing_to_a_run_that_was_taken_in_time() -> None:
    world = World()
    world.create(enabled=False, start_timeout_ms=5_000)
    world.trigger()
    (entry,) = world.take()
    world.advance(6_000)
    world.succeed(entry)

    assert statuses(world) == {"SUCCESS": 1}


def test_a_deadline_ends_a_run_failed_without_another_try() -> None:
    world = World()
    world.create(enabled=False, deadline_ms=5_000, max_retries=9)
    world.trigger()
    (entry,) = world.take()
    world.advance(5_200)
    assert world.signals == [(entry.entry_id, "cancel")]

    world.report(r.Stopped(entry.position, T0 + 100, world.now))

    (ended,) = world.events(e.AttemptTimedOut)
    assert (ended.failure_reason, ended.final) == ("DEADLINE", True)


def test_a_timeout_reported_by_the_worker_is_retried_like_a_failure() -> None:
    world = World()
    world.create(enabled=False, timeout_ms=1_000, max_retries=1, retry_delay_ms=0)
    world.trigger()
    (entry,) = world.take()
    world.report(r.TimedOut(entry.position, T0, T0 + 1_000))
    world.tick()

    assert len(world.entries) == 1
    assert [x.final for x in world.events(e.AttemptTimedOut)] == [False]


def test_the_leader_ends_a_run_whose_worker_forgot_the_timeout() -> None:
    world = World()
    world.create(enabled=False, timeout_ms=1_000, cancel_grace_ms=2_000)
    world.trigger()
    (entry,) = world.take()
    world.advance(500)
    world.report(r.Started(entry.position, T0))
    world.advance(1_000 + 2_000 + 5_000 + 200)

    (ended,) = world.events(e.AttemptTimedOut)
    assert (ended.final, ended.started_at) == (True, T0)


def test_the_end_of_an_attempt_is_not_that_of_the_wait_for_the_next_one() -> None:
    world = World()
    world.create(enabled=False, max_retries=3, retry_delay_ms=60 * SECOND)
    world.trigger()
    entry = world.take_one()
    world.advance(5 * SECOND)
    world.fail(entry)
    (failed,) = world.events(e.AttemptFailed)
    world.advance(20 * SECOND)

    (scheduled,) = world.events(e.InstanceScheduled)

    cancel(world, scheduled.instance_id)

    (instance,) = world.state.ended.values()
    (cancelled,) = world.events(e.InstanceCancelled)
    assert cancelled.ended_at >= failed.ended_at + 20 * SECOND
    assert (instance.status, instance.started_at, instance.ended_at) == (
        "CANCELLED",
        failed.started_at,
        failed.ended_at,
    )
    assert instance.updated_at == cancelled.ts


def test_what_never_ran_ends_when_it_was_ended() -> None:
    world = World()
    world.create(enabled=False, max_concurrency=1)
    world.trigger(items=2)
    assert len(world.entries) == 1
    (waiting,) = [one for one in world.state.instances.values() if not one.entry_position]

    cancel(world, waiting.id)

    (cancelled,) = world.events(e.InstanceCancelled)
    ended = world.state.ended[waiting.id]
    assert (ended.started_at, ended.ended_at) == (None, cancelled.ended_at)
