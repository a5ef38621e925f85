"""Redis comes back without commands that it had acknowledged and nobody had read: the api that was told finds it out."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.api.scene import Scene, definition, new_scene, running
from tests.streams.photograph import photograph

from taskservice.api.parts import Patience
from taskservice.domain import events as e
from taskservice.domain.commands import MOST_LOST, DeclareLostCommands, decode_command
from taskservice.streams.keys import Keys
from taskservice.testing.waiting import wait_until

PATIENCE_S = 30.0
ASYNC = {"Prefer": "respond-async"}
INBOX = Keys(0).inbox


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Who waits for an outcome waits for a minute; nobody decides."""
    one = new_scene(patience=Patience(looks_ms=(60_000,)))
    one.leader.decides = False
    async with running(one):
        yield one


async def look(scene: Scene) -> None:
    await scene.parts.backlogs[0].look()
    await scene.parts.losses[0].look()


async def ask(scene: Scene, **headers: str) -> httpx.Response:
    return await scene.call("POST", "/definitions", json=definition(), headers=headers)


async def taken(scene: Scene, count: int) -> list[str]:
    """So many commands that were taken and answered 202."""
    answers = [await scene.call("POST", "/definitions", json=definition(), headers=ASYNC) for _ in range(count)]
    assert {one.status_code for one in answers} == {202}
    return [one.json()["id"] for one in answers]


async def state_of(scene: Scene, command_id: str) -> dict[str, Any]:
    answer = await scene.call("GET", f"/commands/{command_id}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def judged(scene: Scene) -> None:
    """A leader of the Redis that is there speaks twice, so that the api knows what to make of what it misses."""
    for _ in range(2):
        before = scene.streams.backing.clock.now_ms()
        await wait_until(lambda before=before: scene.streams.backing.clock.now_ms() > before, "a millisecond")  # type: ignore[misc]
        await scene.leader.project()
        await scene.leader.say(redis=scene.streams.backing.run_id)
        await look(scene)


def declared(scene: Scene) -> list[str]:
    """The ids of the commands that testimonies in the inbox name."""
    entries = scene.streams.backing.stream(INBOX).fields.values()
    return [text for one in entries if b'"DeclareLostCommands"' in one["c"] for text in _named(one["c"])]


def _named(command: bytes) -> list[str]:
    found = decode_command(command)
    assert isinstance(found, DeclareLostCommands)
    return [one.id for one in found.lost]


def rejected(scene: Scene) -> dict[str, str]:
    return {one.command_id: one.code for one in scene.leader.outcomes if isinstance(one, e.CommandRejected)}


@pytest.mark.fault("F17", invariants="I5", slice=True)
async def test_who_waits_for_a_lost_command_is_told_at_once_and_may_send_it_again(scene: Scene) -> None:
    come_back = photograph(scene.streams.backing)
    waiting = asyncio.ensure_future(ask(scene, **{"Idempotency-Key": "k"}))
    await wait_until(lambda: len(scene.parts.taken[0]) == 1, "the command is taken", timeout_s=PATIENCE_S)
    come_back()

    await look(scene)
    answer = await asyncio.wait_for(waiting, PATIENCE_S)

    assert answer.status_code == 503
    assert answer.json()["code"] == "storage-unavailable"
    assert answer.headers["retry-after"].isdigit()
    lost = answer.json()["commandId"]
    assert (await state_of(scene, lost))["status"] == "PENDING"

    await judged(scene)
    assert declared(scene) == [lost]
    scene.leader.decides = True
    await wait_until(lambda: lost in rejected(scene), "the leader has decided it", timeout_s=PATIENCE_S)
    found = await state_of(scene, lost)
    assert (found["status"], found["type"], found["problem"]["code"]) == (
        "REJECTED",
        "CreateDefinition",
        "storage-unavailable",
    )
    again = await ask(scene, **{"Idempotency-Key": "k"})
    assert again.status_code == 201
    assert len([one for one in scene.leader.outcomes if isinstance(one, e.DefinitionCreated)]) == 1


@pytest.mark.fault("F17", invariants="I5", slice=True)
async def test_commands_taken_before_and_after_those_that_are_lost_stay(scene: Scene) -> None:
    """New ones come to the promoted Redis before anybody looks: that these are there says nothing of those before."""
    before = await taken(scene, 2)
    come_back = photograph(scene.streams.backing)
    lost = await taken(scene, 3)
    come_back()
    after = await taken(scene, 2)

    await look(scene)
    await judged(scene)

    assert declared(scene) == lost
    scene.leader.decides = True
    await wait_until(lambda: len(scene.leader.outcomes) == 8, "all is decided", timeout_s=PATIENCE_S)
    created = [one.command_id for one in scene.leader.outcomes if isinstance(one, e.DefinitionCreated)]
    assert created == before + after
    assert list(rejected(scene)) == lost


async def test_one_that_was_acknowledged_by_a_resend_is_known_as_well(scene: Scene) -> None:
    """The first answer was lost, so its place in the inbox is not known."""
    come_back = photograph(scene.streams.backing)
    scene.streams.faults.lose_reply("submit")
    (lost,) = await taken(scene, 1)
    await look(scene)
    come_back()
    await look(scene)
    await judged(scene)

    assert declared(scene) == [lost]


async def test_a_redis_that_has_them_after_all_loses_nothing(scene: Scene) -> None:
    """The wrong one for a while."""
    ids = await taken(scene, 2)
    server = scene.streams.backing
    right = photograph(server)
    server.streams, server.hashes, server.strings = {}, {}, {}
    server.restart()
    await look(scene)
    right()
    await judged(scene)
    await judged(scene)

    assert declared(scene) == []
    scene.leader.decides = True
    await wait_until(lambda: len(scene.leader.outcomes) == 2, "both are decided", timeout_s=PATIENCE_S)
    assert [one.command_id for one in scene.leader.outcomes] == ids


async def test_one_whose_key_expired_or_whose_outcome_was_restored_is_not_lost(scene: Scene) -> None:
    """The first lies in the inbox still; the second was decided, and its events came back from the archive."""
    server = scene.streams.backing
    (first,) = await taken(scene, 1)
    server.strings.clear()
    await look(scene)
    await judged(scene)
    scene.leader.projects = False
    scene.leader.decides = True
    await wait_until(lambda: len(scene.leader.outcomes) == 0 and scene.leader.state.position == 2, "it is decided")
    (second,) = await taken(scene, 1)
    await wait_until(lambda: scene.leader.state.position == 3, "the second is decided", timeout_s=PATIENCE_S)
    server.strings.clear()
    server.delete(INBOX)
    await look(scene)
    await judged(scene)
    assert declared(scene) == []  # not before the read model has what the leader had
    scene.leader.projects = True
    await scene.leader.project()
    await judged(scene)

    assert declared(scene) == []
    assert [one.command_id for one in scene.leader.outcomes] == [first, second]
    await look(scene)
    assert scene.parts.taken[0].probes() == []


async def test_a_testimony_that_is_lost_itself_is_given_again(scene: Scene) -> None:
    empty = photograph(scene.streams.backing)
    lost = await taken(scene, MOST_LOST + 1)
    empty()
    await look(scene)
    scene.streams.faults.lose_reply("submit")
    await judged(scene)
    await look(scene)
    assert sorted(declared(scene)) == sorted(lost)

    empty()
    await look(scene)
    await judged(scene)
    scene.leader.decides = True
    await wait_until(lambda: len(rejected(scene)) >= len(lost), "each has its outcome", timeout_s=PATIENCE_S)

    outcomes = [one.command_id for one in scene.leader.outcomes]
    assert len(outcomes) == len(set(outcomes))
    assert set(lost) <= set(rejected(scene))


async def test_what_is_decided_is_forgotten_and_costs_no_look(scene: Scene) -> None:
    scene.leader.decides = True
    await taken(scene, 20)
    await wait_until(lambda: len(scene.leader.outcomes) == 20, "all are decided", timeout_s=PATIENCE_S)
    await look(scene)
    assert len(scene.parts.taken[0]) == 0
