"""The agenda's clocks of instances: the earliest one is found, whatever was watched and forgotten before."""

from hypothesis import given
from hypothesis import strategies as st
from tests.domain.core.world import SECOND, T0, World

from taskservice.domain import events as e
from taskservice.domain import reports as r
from taskservice.domain.agenda.deadlines import BUCKET_MS, Deadlines

steps = st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 2_000)), max_size=40)


@given(steps, st.booleans())
def test_the_earliest_is_what_a_search_finds(history: list[tuple[int, int | None]], ask: bool) -> None:
    deadlines = Deadlines()
    watched: dict[str, int] = {}
    for number, at in history:
        deadlines.watch(str(number), at)
        watched.pop(str(number), None)
        if at is not None:
            watched[str(number)] = at
        if ask:
            assert deadlines.next_at() == earliest(watched)

    assert deadlines.next_at() == earliest(watched)
    assert set(deadlines.take_due(1_000, 100)) == {one for one, at in watched.items() if rounded(at) <= 1_000}


def test_a_deadline_is_kept_in_time_though_an_earlier_run_ended_and_a_longer_one_began_in_the_same_turn() -> None:
    world = World()
    for name, clock in (("short", "deadline_ms"), ("middle", "deadline_ms"), ("long", "timeout_ms")):
        members = {clock: {"short": 5, "middle": 10, "long": 3_600}[name] * SECOND}
        world.create(name, enabled=False, **members)
        world.trigger(name, command_id=name)
    short, _, long = world.take()
    world.report(r.Succeeded(short.position, world.now, world.now), r.Started(long.position, world.now))

    world.advance(11 * SECOND)

    assert [(x.kind, x.at) for x in world.events(e.TimeoutReached)] == [("DEADLINE", T0 + 10 * SECOND)]


def rounded(at: int) -> int:
    return -(-at // BUCKET_MS) * BUCKET_MS


def earliest(watched: dict[str, int]) -> int | None:
    return min(map(rounded, watched.values()), default=None)
