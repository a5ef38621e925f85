"""A retry by hand: of what ended, once, and of nothing else."""

import pytest
from tests.domain.core.test_runs import statuses
from tests.domain.core.world import ACTOR, SECOND, T0, TENANT, World

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.decide.instance_commands import snapshot_of


@pytest.mark.fault("F48", invariants="I10 I12")
def test_a_failed_run_is_retried_by_hand_and_its_attempts_number_on() -> None:
    world = World()
    world.create(enabled=False)
    (scheduled,) = world.trigger()
    world.fail(world.take_one())
    instance_id = scheduled.instance_id
    ended = world.state.ended[instance_id]
    world.submit(_retry(instance_id, snapshot_of(ended), "FAILED", world.state.position))

    (entry,) = world.take()
    assert (entry.order.instance_id, entry.order.attempt) == (instance_id, 2)
    world.succeed(entry)
    assert statuses(world) == {"SUCCESS": 1}
    assert [a.status for a in world.state.ended[instance_id].previous_attempts] == ["FAILED"]


def test_a_run_that_was_forgotten_is_retried_from_the_row_and_refused_if_the_row_is_too_old() -> None:
    world = World()
    world.create(enabled=False)
    (scheduled,) = world.trigger()
    world.fail(world.take_one())
    instance_id = scheduled.instance_id
    snapshot = snapshot_of(world.state.ended[instance_id])
    seen_at = world.state.position
    world.advance(61 * SECOND, step=1_000)
    world.trigger(command_id="t2")
    assert instance_id not in world.state.ended

    (stale,) = world.submit(_retry(instance_id, snapshot, "FAILED", seen_at - 1))
    (taken, *_) = world.submit(_retry(instance_id, snapshot, "FAILED", seen_at))

    assert (stale.code) == "read-model-behind"
    assert isinstance(taken, e.InstanceRetried)


@pytest.mark.fault("F48", invariants="I10")
def test_what_succeeded_or_still_runs_is_not_retried() -> None:
    world = World()
    world.create(enabled=False)
    (scheduled,) = world.trigger()
    instance_id = scheduled.instance_id
    snapshot = e.InstanceSnapshot(
        definition_id="d1", definition_version=1, origin="MANUAL", fire_time=T0, created_at=T0
    )
    (active,) = world.submit(_retry(instance_id, snapshot, "PENDING", 99))
    world.succeed(world.take_one())
    (ended,) = world.submit(_retry(instance_id, snapshot, "SUCCESS", 99))

    assert [(x.code, x.current_status) for x in (active, ended)] == [
        ("state-conflict", "PENDING"),
        ("state-conflict", "SUCCESS"),
    ]
    assert "trigger" in ended.detail


@pytest.mark.fault("F48", invariants="I5 I10 I12")
@pytest.mark.parametrize("from_the_row", [False, True], ids=["held", "forgotten"])
def test_two_retries_of_one_run_open_it_once(*, from_the_row: bool) -> None:
    """A double click under two keys: both commands tell of the same ended run."""
    world = World()
    world.create(enabled=False)
    (scheduled,) = world.trigger()
    world.fail(world.take_one())
    instance_id = scheduled.instance_id
    snapshot, seen_at = snapshot_of(world.state.ended[instance_id]), world.state.position
    if from_the_row:
        world.advance(61 * SECOND, step=1_000)
        world.trigger(command_id="t2")
        assert instance_id not in world.state.ended

    first = world.submit(_retry(instance_id, snapshot, "FAILED", seen_at, "click-1"))
    second = world.submit(_retry(instance_id, snapshot, "FAILED", seen_at, "click-2"))

    assert [type(one) for one in first] == [e.InstanceRetried, e.InstanceDispatched]
    (refused,) = second
    assert isinstance(refused, e.CommandRejected)
    assert (refused.code, refused.current_status) == ("state-conflict", "PENDING")
    attempts = [entry.order.attempt for entry in world.take() if entry.order.instance_id == instance_id]
    assert attempts == [2]


@pytest.mark.fault("F48", invariants="I10 I12")
def test_a_second_click_that_comes_after_the_second_end_is_told_what_is_so_now() -> None:
    """The row that it carries says FAILED; what is held since says SUCCESS."""
    world = World()
    world.create(enabled=False)
    (scheduled,) = world.trigger()
    world.fail(world.take_one())
    instance_id = scheduled.instance_id
    snapshot, seen_at = snapshot_of(world.state.ended[instance_id]), world.state.position
    world.submit(_retry(instance_id, snapshot, "FAILED", seen_at, "click-1"))
    world.succeed(world.take_one())

    (late,) = world.submit(_retry(instance_id, snapshot, "FAILED", seen_at, "click-2"))

    assert isinstance(late, e.CommandRejected)
    assert (late.code, late.current_status) == ("state-conflict", "SUCCESS")
    assert world.entries == {}


def _retry(
    instance_id: str, snapshot: e.InstanceSnapshot, status: str, position: int, command_id: str = ""
) -> c.RetryInstance:
    return c.RetryInstance(
        id=command_id or f"retry-{position}",
        tenant_id=TENANT,
        actor=ACTOR,
        instance_id=instance_id,
        snapshot=snapshot,
        known_status=status,
        known_position=position,
    )
