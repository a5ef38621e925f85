"""The client against an api in this process."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.api.scene import Scene, definition, key_of, new_scene, running

from taskservice.client import ApiError, Client, StillPendingError, UnreachableError


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with running(new_scene()) as one:
        yield one


@pytest.fixture
async def client(scene: Scene) -> AsyncIterator[Client]:
    async with Client("http://api", key_of("admin"), transport=scene.transport) as one:
        yield one


async def test_the_life_of_a_definition_and_its_runs(scene: Scene, client: Client) -> None:
    made = await client.create_definition(definition(key="a"), idempotency_key="k")
    same = await client.create_definition(definition(key="a"), idempotency_key="k")
    changed = await client.replace_definition(made.id, definition(taskName="new"), version=1)
    run = await client.trigger(made.id, {"x": 1})
    batch = await client.trigger_batch(made.id, [None, {"y": 2}])
    cancelled = await client.cancel(run.id, "enough")

    assert made == same
    assert (changed.task_name, changed.version, changed.members["key"]) == ("new", 2, "a")
    found = await client.definition_by_key("a")
    assert found is not None
    assert (found.id, found.version) == (made.id, 2)
    assert await client.definition_by_key("b") is None
    assert [one.id async for one in client.all_definitions(taskHandler="noop")] == [made.id]
    assert (await client.instance(run.id)).status == cancelled.status == "CANCELLED"
    assert {one.id for one in (await client.instances(status="PENDING")).items} == {one.id for one in batch}
    assert (await client.logs(run.id)).items == ()
    assert await client.is_ready()


async def test_a_refusal_carries_the_problem(client: Client) -> None:
    with pytest.raises(ApiError, match="#/taskName") as refused:
        await client.create_definition({"taskHandler": "noop"})

    assert refused.value.problem.code == "validation-failed"
    assert {one.pointer for one in refused.value.problem.errors} == {"#/taskName", "#/scheduleType"}


async def test_an_open_outcome_names_its_command(scene: Scene, client: Client) -> None:
    scene.leader.decides = False

    with pytest.raises(StillPendingError) as pending:
        await client.create_definition(definition())

    assert len(pending.value.command_id) == 36


async def test_no_answer_and_a_strange_answer_are_told_apart_from_refusals() -> None:
    def strange(request: httpx.Request) -> httpx.Response:
        return httpx.Response(502 if request.url.path.endswith("definitions") else 200, text="<html>")

    async with Client("http://api", "", transport=httpx.MockTransport(strange)) as client:
        with pytest.raises(UnreachableError, match="502"):
            await client.definitions()
        with pytest.raises(UnreachableError):
            await client.instance("x")
    async with Client("http://127.0.0.1:9", "") as client:
        with pytest.raises(UnreachableError, match="does not answer"):
            await client.definitions()
        assert not await client.is_ready()
