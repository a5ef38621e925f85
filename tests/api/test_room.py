"""How much Redis is given: intake stops at 70 % of its memory, whoever looks, whoever leads, however fast commands come."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.api.scene import Scene, definition, new_scene, running

from taskservice.testing.waiting import wait_until


@pytest.fixture
async def leaderless() -> AsyncIterator[Scene]:
    """An api with all its loops; nobody decides, and no leader ever wrote a status."""
    scene = new_scene()
    scene.leader.decides = False
    async with running(scene):
        loops = [asyncio.ensure_future(loop) for loop in scene.parts.background()]
        yield scene
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


@pytest.mark.fault("F19", invariants="I5", slice=True)
async def test_without_a_leader_intake_stops_as_well(leaderless: Scene) -> None:
    """Commands pile up in the inbox while nobody decides; nobody writes a status that would say so, either."""
    server = leaderless.streams.backing
    server.maxmemory, server.used_memory = 100_000_000, 70_000_000

    async def is_shed() -> bool:
        answer = await leaderless.call("POST", "/definitions", json=definition(), headers={"Prefer": "respond-async"})
        return answer.status_code == 503 and answer.headers["retry-after"].isdigit()

    await wait_until(is_shed, "intake is shed", timeout_s=10)
    server.used_memory = 60_000_000

    async def is_taken() -> bool:
        answer = await leaderless.call("POST", "/definitions", json=definition(), headers={"Prefer": "respond-async"})
        return answer.status_code == 202

    await wait_until(is_taken, "intake is open again", timeout_s=10)


async def test_from_seven_tenths_on_only_what_relieves_is_taken(scene: Scene) -> None:
    made = await scene.create()
    run = (await scene.call("POST", f"/definitions/{made['id']}/trigger")).json()
    server = scene.streams.backing
    server.maxmemory = 100_000_000
    path = f"/definitions/{made['id']}"

    async def answers(used: int) -> dict[str, int]:
        server.used_memory = used
        await scene.parts.rooms[0].look()
        asked = {
            "create": scene.call("POST", "/definitions", json=definition()),
            "trigger": scene.call("POST", f"{path}/trigger"),
            "enable": scene.call("POST", f"{path}/enable"),
            "cancel": scene.call("POST", f"/instances/{run['id']}/cancel"),
            "disable": scene.call("POST", f"{path}/disable"),
            "stop": scene.call("POST", "/scheduler/stop", caller="platform"),
        }
        return {name: (await request).status_code for name, request in asked.items()}

    full = await answers(70_000_000)
    below = await answers(69_900_000)

    assert full == {"create": 503, "trigger": 503, "enable": 503, "cancel": 200, "disable": 200, "stop": 200}
    assert {name: below[name] for name in ("create", "trigger", "enable")} == {
        "create": 201,
        "trigger": 201,
        "enable": 200,
    }


async def test_between_two_looks_a_flood_takes_no_more_than_was_left(scene: Scene) -> None:
    """1,000,000 bytes are left below 70 %. A command of 60,000 bytes weighs twice that and 1 KiB: so 9 fit, and
    whatever the last one takes beyond the line.
    """
    server = scene.streams.backing
    server.maxmemory, server.used_memory = 100_000_000, 69_000_000
    await scene.parts.rooms[0].look()
    made = definition(taskParams={"blob": "x" * 60_000})

    answers = [await scene.call("POST", "/definitions", json=made) for _ in range(20)]

    assert [answer.status_code for answer in answers] == [201] * 9 + [503] * 11
    assert {answer.headers["retry-after"] for answer in answers[9:]} == {"5"}
    await scene.parts.rooms[0].look()  # Redis says that it took all of it well
    assert (await scene.call("POST", "/definitions", json=made)).status_code == 201


async def test_out_of_memory_is_told_as_overload_and_redis_is_left_alone_until_the_next_look(scene: Scene) -> None:
    scene.streams.backing.out_of_memory = True

    first = await scene.call("POST", "/definitions", json=definition())
    asked = scene.streams.faults.seen.count("submit")
    second = await scene.call("POST", "/definitions", json=definition())

    assert [(one.status_code, one.json()["code"]) for one in (first, second)] == [(503, "overloaded")] * 2
    assert first.headers["retry-after"] == second.headers["retry-after"] == "5"
    assert scene.streams.faults.seen.count("submit") == asked == 1
    scene.streams.backing.out_of_memory = False
    await scene.parts.rooms[0].look()
    assert (await scene.call("POST", "/definitions", json=definition())).status_code == 201


async def test_a_redis_without_limit_is_never_full(scene: Scene) -> None:
    server = scene.streams.backing
    server.maxmemory, server.used_memory = 0, 1 << 40
    await scene.parts.rooms[0].look()

    assert (await scene.call("POST", "/definitions", json=definition())).status_code == 201


async def test_out_of_memory_after_an_answer_that_was_lost_does_not_say_that_nothing_was_taken(scene: Scene) -> None:
    """The first sending was taken and its answer lost; the second is refused before Redis looks whether it knows it."""
    scene.leader.decides = False
    scene.streams.faults.lose_reply("submit")
    asked = asyncio.ensure_future(scene.call("POST", "/definitions", json=definition()))
    await wait_until(lambda: scene.streams.faults.seen.count("submit") == 1, "it was sent", interval_s=0.001)
    scene.streams.backing.out_of_memory = True
    answer = await asked

    assert scene.streams.faults.seen.count("submit") >= 2
    assert (answer.status_code, answer.json()["code"]) == (503, "storage-unavailable")
    assert answer.json()["commandId"]
