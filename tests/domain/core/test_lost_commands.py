"""An api testifies that Redis lost commands which it had acknowledged: each gets its outcome, the loss is told once."""

import msgspec
import pytest
from tests.domain.core.world import ACTOR, T0, TENANT, World, fold

from taskservice.domain import commands as c
from taskservice.domain import events as e


def lost(*names: str) -> tuple[c.LostCommand, ...]:
    return tuple(
        c.LostCommand(id=name, tenant_id=TENANT, type="TriggerDefinition", at=T0 - 50, actor=ACTOR, source="10.0.0.9")
        for name in names
    )


def declaration(name: str, *names: str) -> c.DeclareLostCommands:
    return c.DeclareLostCommands(id=name, tenant_id="", actor=e.Actor(type="system", id="api"), lost=lost(*names))


@pytest.mark.fault("F17", invariants="I3 I5", slice=True)
def test_each_lost_command_is_rejected_and_the_loss_is_told_once_a_term() -> None:
    world = World()
    first = world.submit(declaration("one", "a", "b"))
    second = world.submit(declaration("two", "c"))

    told = [event for event in first + second if isinstance(event, e.LogLossDetected)]
    assert [type(event).__name__ for event in first] == [
        "LogLossDetected",
        "CommandRejected",
        "CommandRejected",
        "CommandAccepted",
    ]
    assert len(told) == 1
    assert (told[0].from_position, told[0].to_position, told[0].outcome) == (0, 0, False)
    outcomes = {event.command_id: event for event in first + second if event.outcome}
    assert list(outcomes) == ["a", "b", "one", "c", "two"]
    for name in "abc":
        event = outcomes[name]
        assert isinstance(event, e.CommandRejected)
        assert (event.code, event.command_type, event.tenant_id) == (
            "storage-unavailable",
            "TriggerDefinition",
            TENANT,
        )
        assert (event.actor, event.source, event.at) == (ACTOR, "10.0.0.9", T0 - 50)
        assert event.cause == "inbox loss"  # its own entry is gone, and the testimony's has another time
    assert fold(world.log).position == world.state.position


def test_a_term_that_began_with_a_loss_tells_of_no_other() -> None:
    world = World()
    world.take_over(recovering=True)
    world.arbiter.tell_loss(7, 9, "the end of the log", world.now)
    world._append()
    events = world.submit(declaration("one", "a"))

    assert [type(event).__name__ for event in events] == ["CommandRejected", "CommandAccepted"]


def test_the_largest_testimony_is_one_append_and_a_larger_one_is_none() -> None:
    world = World()
    names = [f"command-{number}" for number in range(c.MOST_LOST)]
    appends = len(world.cursors)
    world.submit(declaration("one", *names))
    assert len(world.cursors) == appends + 1
    assert [event.command_id for event in world.events(e.CommandRejected)] == names

    for wrong in ([], [*names, "one more"]):
        with pytest.raises(msgspec.ValidationError):
            c.decode_command(c.encode_command(declaration("two", *wrong)))
