"""Jitter spreads starts and moves nothing in the ledger."""

from tests.domain.core.world import SECOND, T0, World

from taskservice.domain import events as e
from taskservice.domain.ids import instance_id_of_fire
from taskservice.domain.jitter import jitter_of


def test_a_fire_starts_after_its_jitter_and_keeps_its_nominal_instant() -> None:
    world = World()
    world.create(jitter_ms=5_000)
    late_by = jitter_of("d1", T0 + 10_000, 5_000)
    assert 0 < late_by <= 5_000

    world.advance(10 * SECOND)
    (scheduled,) = world.events(e.InstanceScheduled)
    assert (scheduled.fire_time, scheduled.not_before) == (T0 + 10_000, T0 + 10_000 + late_by)
    assert scheduled.instance_id == instance_id_of_fire("d1", T0 + 10_000)
    assert not world.entries

    world.advance(late_by - 1, step=1)
    assert not world.entries
    world.advance(1, step=1)
    assert world.take_one().order.dispatched_at == T0 + 10_000 + late_by
    assert world.ledger() == {T0 + 10_000: "RAN"}


def test_it_is_the_same_for_everybody_and_spreads_over_all_that_it_may() -> None:
    drawn = [jitter_of("d1", T0 + n * 60_000, 99) for n in range(5_000)]

    assert drawn == [jitter_of("d1", T0 + n * 60_000, 99) for n in range(5_000)]
    assert set(drawn) == set(range(100))
    assert 45 < sum(drawn) / len(drawn) < 54


def test_a_fire_that_is_late_already_waits_no_longer_than_its_jitter() -> None:
    world = World()
    world.create(jitter_ms=2_000)
    world.now = T0 + 10_000 + 2_000
    world.tick()

    assert world.take_one().order.fire_time == T0 + 10_000


def test_no_jitter_dispatches_with_the_decision() -> None:
    world = World()
    world.create()
    world.advance(10 * SECOND)

    assert [x.dispatched for x in world.events(e.InstanceScheduled)] == [True]
