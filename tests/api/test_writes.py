"""Writes: idempotency, reading what one wrote, 202, outcomes of every kind, stores that are away."""

import asyncio

import pytest
from tests.api.scene import PREFIX, Scene, definition

from taskservice.testing.waiting import wait_until


async def test_what_was_written_can_be_read_at_once(scene: Scene) -> None:
    for _ in range(20):
        made = await scene.create()
        assert (await scene.call("GET", f"/definitions/{made['id']}")).status_code == 200


async def test_without_hints_the_outcome_is_found_by_looking(scene: Scene) -> None:
    scene.leader.hints = False

    answer = await scene.call("POST", "/definitions", json=definition())

    assert answer.status_code == 201


async def test_respond_async_answers_202_and_the_command_can_be_asked_for(scene: Scene) -> None:
    scene.leader.decides = False

    answer = await scene.call("POST", "/definitions", json=definition(), headers={"Prefer": "wait=3, respond-async"})

    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    where = answer.headers["location"]
    command_id = answer.json()["id"]
    assert where == f"{PREFIX}/commands/{command_id}"
    assert (answer.json()["status"], answer.json()["type"]) == ("PENDING", "CreateDefinition")
    pending = await scene.call("GET", where)
    assert (pending.status_code, pending.json()["status"]) == (200, "PENDING")
    assert (await scene.call("GET", where, caller="foreign")).status_code == 404

    scene.leader.decides = True

    async def accepted() -> bool:
        return bool((await scene.call("GET", where)).json()["status"] == "ACCEPTED")

    await wait_until(accepted, "the command is accepted")
    decided = (await scene.call("GET", where)).json()
    assert decided["resource"].startswith("definitions/")
    assert decided["actor"] == {"type": "api_key", "id": "key-admin"}
    assert (await scene.call("GET", where, caller="foreign")).status_code == 404


async def test_when_nobody_decides_in_time_the_answer_is_202(scene: Scene) -> None:
    scene.leader.decides = False

    answer = await scene.call("POST", "/definitions", json=definition())

    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


async def test_nobody_waits_while_the_projection_is_far_behind(scene: Scene) -> None:
    scene.leader.projects = False
    await scene.leader.say()
    backlog = scene.parts.backlogs[0]
    await backlog.look()
    backlog.last = type(backlog.last)(lag_ms=2_001)

    answer = await scene.call("POST", "/definitions", json=definition())

    assert answer.status_code == 202
    assert "commands" not in scene.reads.calls


async def test_a_rejection_is_a_problem_then_and_when_the_command_is_asked_for(scene: Scene) -> None:
    await scene.create(key="k")

    answer = await scene.call("POST", "/definitions", json=definition(key="k"))

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "key-taken")
    command = (await scene.call("GET", f"/commands/{problem['commandId']}")).json()
    assert command["status"] == "REJECTED"
    assert (command["problem"]["code"], command["problem"]["status"]) == ("key-taken", 409)


@pytest.mark.parametrize("header", ["key-1", '"key-1"', " key-1 "])
@pytest.mark.fault("F33", invariants="I5")
async def test_the_same_key_is_the_same_command(scene: Scene, header: str) -> None:
    first = await scene.call("POST", "/definitions", json=definition(), headers={"Idempotency-Key": "key-1"})
    again = await scene.call("POST", "/definitions", json=definition(), headers={"Idempotency-Key": header})

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert len(scene.reads.kept_definitions) == 1


@pytest.mark.fault("F33", invariants="I5")
async def test_the_same_key_with_another_request_is_refused(scene: Scene) -> None:
    made = await scene.create()
    headers = {"Idempotency-Key": "k"}
    await scene.call("POST", f"/definitions/{made['id']}/trigger", json={"note": "a"}, headers=headers)

    body = await scene.call("POST", f"/definitions/{made['id']}/trigger", json={"note": "b"}, headers=headers)
    path = await scene.call("POST", f"/definitions/{made['id']}/enable", json={"note": "a"}, headers=headers)
    foreign = await scene.call("POST", "/definitions", json=definition(), headers=headers, caller="foreign")

    assert (body.status_code, body.json()["code"]) == (422, "idempotency-key-reused")
    assert (path.status_code, path.json()["code"]) == (422, "idempotency-key-reused")
    assert foreign.status_code == 201


@pytest.mark.parametrize("key", ["", '""', "k" * 256, "k\x7f"])
async def test_a_key_that_is_none_is_a_bad_request(scene: Scene, key: str) -> None:
    answer = await scene.call("POST", "/definitions", json=definition(), headers={"Idempotency-Key": key})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["header"] == "Idempotency-Key"


async def test_a_rejection_under_a_key_is_the_same_rejection(scene: Scene) -> None:
    made = await scene.create(key="k")
    headers = {"Idempotency-Key": "again"}
    first = await scene.call("POST", "/definitions", json=definition(key="k"), headers=headers)
    await scene.call("DELETE", f"/definitions/{made['id']}")

    again = await scene.call("POST", "/definitions", json=definition(key="k"), headers=headers)

    assert (first.status_code, again.status_code) == (409, 409)
    assert first.json()["commandId"] == again.json()["commandId"]


@pytest.mark.fault("F33", invariants="I5")
async def test_a_lost_answer_of_the_inbox_makes_nothing_twice(scene: Scene) -> None:
    scene.streams.faults.lose_reply("submit")

    await scene.create()

    assert len(scene.reads.kept_definitions) == 1


@pytest.mark.fault("F33", invariants="I5")
async def test_an_inbox_that_never_answers_is_told_with_the_command(scene: Scene) -> None:
    scene.streams.faults.lose_reply("submit", times=3)

    answer = await scene.call("POST", "/definitions", json=definition())

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (503, "storage-unavailable")
    assert answer.headers["retry-after"] == "2"

    async def decided() -> bool:
        return bool((await scene.call("GET", f"/commands/{problem['commandId']}")).json()["status"] == "ACCEPTED")

    await wait_until(decided, "the command that was taken is decided")


async def test_an_inbox_that_cannot_be_reached_is_a_503(scene: Scene) -> None:
    scene.streams.faults.down = True

    answer = await scene.call("POST", "/definitions", json=definition())

    assert (answer.status_code, answer.json()["code"]) == (503, "storage-unavailable")
    assert "commandId" not in answer.json()


async def test_while_the_database_is_down_writes_are_taken_and_reads_refused(scene: Scene) -> None:
    made = await scene.create()
    run = (await scene.call("POST", f"/definitions/{made['id']}/trigger")).json()
    scene.reads.down = True
    await scene.parts.backlogs[0].look()
    path = f"/definitions/{made['id']}"

    writes = [
        await scene.call("POST", "/definitions", json=definition()),
        await scene.call("PUT", path, json=definition()),
        await scene.call("POST", f"{path}/disable"),
        await scene.call("POST", f"{path}/trigger"),
        await scene.call("POST", f"{path}/trigger", json={"batch": [{}, {}]}),
        await scene.call("POST", f"/instances/{run['id']}/cancel"),
        await scene.call("POST", "/scheduler/stop", caller="platform"),
        await scene.call("DELETE", path),
    ]
    reads = [
        await scene.call("GET", "/definitions"),
        await scene.call("GET", path),
        await scene.call("GET", "/instances"),
        await scene.call("GET", f"/instances/{run['id']}"),
        await scene.call("PATCH", path, json={"description": "d"}),
        await scene.call("POST", f"/instances/{run['id']}/retry"),
    ]

    assert [one.status_code for one in writes] == [202] * len(writes)
    assert [one.status_code for one in reads] == [503] * len(reads)
    assert {one.json()["code"] for one in reads} == {"storage-unavailable"}
    assert all("retry-after" in one.headers for one in reads)


async def test_a_patch_that_loses_a_race_is_applied_to_what_the_winner_left(scene: Scene) -> None:
    made = await scene.create()
    path = f"/definitions/{made['id']}"
    labels = [{"labels": {f"l{number}": "x"}} for number in range(4)]

    answers = await asyncio.gather(*(scene.call("PATCH", path, json=one) for one in labels))

    assert [one.status_code for one in answers] == [200] * 4
    now = (await scene.call("GET", path)).json()
    assert now["labels"] == {"l0": "x", "l1": "x", "l2": "x", "l3": "x"}
    assert now["version"] == 5


async def test_many_at_once_are_all_answered_with_few_reads(scene: Scene) -> None:
    made = await scene.create()
    scene.reads.calls.clear()

    answers = await asyncio.gather(*(scene.call("POST", f"/definitions/{made['id']}/trigger") for _ in range(200)))

    assert {one.status_code for one in answers} == {201}
    assert len({one.json()["id"] for one in answers}) == 200
    assert len(scene.reads.calls) < 200


async def test_a_command_is_recorded_with_the_address_that_it_came_from(scene: Scene) -> None:
    made = await scene.create()
    await scene.call("POST", f"/definitions/{made['id']}/trigger")
    await scene.call("POST", f"/definitions/{made['id']}/trigger", json={"batch": [{}, {}]})
    await scene.call("PUT", f"/definitions/{made['id']}", json=definition(), headers={"If-Match": '"9"'})

    assert [(type(one).__name__, one.source) for one in scene.leader.outcomes] == [
        ("DefinitionCreated", "127.0.0.1"),
        ("InstanceScheduled", "127.0.0.1"),
        ("CommandAccepted", "127.0.0.1"),
        ("CommandRejected", "127.0.0.1"),
    ]
