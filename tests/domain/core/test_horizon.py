"""What the leader keeps of runs that ended: a minute of them, and never more than a hundred thousand."""

import msgspec
from tests.domain.core.world import World

from taskservice.domain.state import ENDED_HORIZON_COUNT


def test_more_ended_runs_than_may_be_kept_are_forgotten_the_oldest_first() -> None:
    world = World()
    world.create(enabled=False)
    world.trigger()
    world.succeed(world.take_one())
    state = world.state
    (pattern,) = state.ended.values()
    many = ENDED_HORIZON_COUNT + 50
    for number in range(many):
        copy = msgspec.structs.replace(pattern, id=f"copy-{number}", position=pattern.position + 1 + number)
        state.ended[copy.id] = copy
    world.trigger(command_id="t2")  # its event looks at what there is

    assert len(state.ended) == ENDED_HORIZON_COUNT
    assert f"copy-{many - 1}" in state.ended
    assert "copy-0" not in state.ended
    assert state.horizon == pattern.position + many - ENDED_HORIZON_COUNT  # of the last that was forgotten
