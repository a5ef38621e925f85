"""`submit`: a command is taken once under its key, and under its own id."""

import contextlib

import pytest
from tests.streams.contract.world import KEYS, World

from taskservice.streams.answers import KnownCommand, OtherBody, SameCommand, Submitted
from taskservice.streams.batches import Submission
from taskservice.streams.errors import NotSent, OutcomeUnknown


def command(
    command_id: str, *, body_sha: str = "aa", client_key: str | None = None, tenant_id: str = "tenant-1"
) -> Submission:
    return Submission(
        tenant_id=tenant_id,
        command_id=command_id,
        body_sha=body_sha,
        command=f'{{"id":"{command_id}"}}'.encode(),
        client_key=client_key,
    )


async def test_a_command_is_the_next_entry_of_the_inbox(world: World) -> None:
    first = await world.streams.inbox.submit(command("c1"))
    second = await world.streams.inbox.submit(command("c2"))

    entries = await world.other.inbox.read("0-0", 10)
    assert [first, second] == [Submitted(entry.id) for entry in entries]
    assert [(entry.command, entry.reports, entry.worker) for entry in entries] == [
        (b'{"id":"c1"}', None, ""),
        (b'{"id":"c2"}', None, ""),
    ]
    assert await world.streams.inbox.last_id() == entries[-1].id


@pytest.mark.fault("F33", invariants="I5")
async def test_the_same_request_under_one_key_is_taken_once(world: World) -> None:
    await world.streams.inbox.submit(command("c1", client_key="k"))
    before = world.snapshot()

    assert await world.streams.inbox.submit(command("c2", client_key="k")) == SameCommand("c1")
    assert world.snapshot() == before


@pytest.mark.fault("F33", invariants="I5")
async def test_another_body_under_the_same_key_is_refused(world: World) -> None:
    await world.streams.inbox.submit(command("c1", client_key="k", body_sha="aa"))
    before = world.snapshot()

    assert await world.streams.inbox.submit(command("c2", client_key="k", body_sha="bb")) == OtherBody("c1")
    assert world.snapshot() == before


async def test_keys_are_the_tenants_own(world: World) -> None:
    await world.streams.inbox.submit(command("c1", client_key="k", body_sha="aa"))

    outcome = await world.streams.inbox.submit(command("c2", client_key="k", body_sha="bb", tenant_id="tenant-2"))

    assert isinstance(outcome, Submitted)


async def test_a_key_that_reads_like_a_commands_id_is_not_that_command(world: World) -> None:
    await world.streams.inbox.submit(command("c1", body_sha="aa"))

    assert isinstance(await world.streams.inbox.submit(command("c2", client_key="c1", body_sha="bb")), Submitted)


@pytest.mark.parametrize("client_key", [None, "k"])
@pytest.mark.fault("F33", invariants="I5")
async def test_a_submission_whose_answer_was_lost_is_resent_without_harm(world: World, client_key: str | None) -> None:
    submission = command("c1", client_key=client_key)
    world.lose_reply("submit")

    with pytest.raises(OutcomeUnknown):
        await world.streams.inbox.submit(submission)

    assert await world.streams.inbox.submit(submission) == SameCommand("c1")
    assert len(world.fields_of(KEYS.inbox)) == 1


async def test_a_submission_that_never_left_leaves_nothing(world: World) -> None:
    world.refuse("submit")

    with pytest.raises(NotSent):
        await world.streams.inbox.submit(command("c1"))

    assert world.fields_of(KEYS.inbox) == []
    assert await world.streams.inbox.command_known("tenant-1", "c1") is None


async def test_a_command_is_known_to_its_tenant_alone(world: World) -> None:
    await world.streams.inbox.submit(command("c1", client_key="k", body_sha="aa"))

    assert await world.other.inbox.command_known("tenant-1", "c1") == KnownCommand("c1", "aa")
    assert await world.other.inbox.command_known("tenant-2", "c1") is None
    assert await world.other.inbox.command_known("tenant-1", "k") is None


async def test_an_inbox_that_never_was_ends_at_zero(world: World) -> None:
    assert await world.streams.inbox.last_id() == "0-0"
    assert await world.streams.inbox.read("0-0", 10) == []


async def test_a_connection_has_a_number_of_its_own(world: World) -> None:
    """What was acknowledged over one connection was acknowledged by one Redis."""
    await world.streams.inbox.submit(command("c1"))
    first = world.streams.inbox.connection
    await world.streams.inbox.submit(command("c2"))
    assert world.streams.inbox.connection == first

    world.end_connections()
    for _ in range(2):
        with contextlib.suppress(OutcomeUnknown, NotSent):  # if it went out over the one that has ended
            await world.streams.inbox.submit(command("c3"))

    assert world.streams.inbox.connection > first
