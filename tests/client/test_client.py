"""The client against an api in this process."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import msgspec
import pytest
from tests.api.scene import PREFIX, Scene, definition, key_of, new_scene, running
from tests.api.test_events import ran
from tests.api.test_log_stream import say

from taskservice.client import ApiError, Client, Event, StillPendingError, UnreachableError
from taskservice.client.values import DefinitionWarning, WaitingFor


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with running(new_scene()) as one:
        yield one


@pytest.fixture
async def client(scene: Scene) -> AsyncIterator[Client]:
    async with Client("http://api", key_of("platform"), transport=scene.transport, patience_s=0.3) as one:
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
    assert (await client.retry(run.id)).status == "PENDING"
    assert await client.is_live()
    assert await client.is_ready()


async def test_a_definition_is_patched_switched_previewed_and_deleted(scene: Scene, client: Client) -> None:
    made = await client.create_definition(definition(description="old", labels={"a": "b"}))

    patched = await client.patch_definition(made.id, {"description": None, "priority": 9}, version=1)
    disabled = await client.disable_definition(made.id, note="for now")
    enabled = await client.enable_definition(made.id)
    preview = await client.preview_definition(
        {"scheduleType": "CRON", "cronExpression": "0 0 2 * * ?"}, count=2, begin="2026-11-23T00:00:00Z"
    )
    await client.delete_definition(made.id, version=enabled.version)

    assert (patched.description, patched.priority, patched.labels) == ("", 9, {"a": "b"})
    assert (disabled.status, disabled.enabled, disabled.next_fire_at) == ("DISABLED", False, None)
    assert (enabled.status, enabled.version) == ("ENABLED", 4)
    assert [one.fire_time for one in preview.items] == ["2026-11-23T02:00:00.000Z", "2026-11-24T02:00:00.000Z"]
    with pytest.raises(ApiError) as gone:
        await client.definition(made.id)
    assert gone.value.code == "not-found"


async def test_values_hold_the_members_of_the_contract(scene: Scene, client: Client) -> None:
    made = await client.create_definition(definition(taskHandler="nobody.has.it", intervalMs=None, queue="default"))
    await scene.add_worker("noop")
    run = await client.trigger(made.id)

    shown = await client.definition(made.id)
    waits = await client.instance(run.id)
    (worker,) = (await client.workers()).items
    raw = (await scene.call("GET", f"/definitions/{made.id}")).json()

    assert [warning.code for warning in shown.warnings] == ["NO_HANDLER"]
    assert isinstance(shown.warnings[0], DefinitionWarning)
    assert waits.waiting_for == WaitingFor(reason="NO_HANDLER")
    assert waits.actor is not None
    assert waits.actor.id == "key-platform"
    assert (worker.id, worker.queues, [one.name for one in worker.handlers]) == ("w-1", ("default",), ["noop"])
    assert shown.members == raw
    camel = {field.encode_name for field in msgspec.structs.fields(type(shown))} - {"members"}
    assert camel == set(raw)
    listed = {field.encode_name for field in msgspec.structs.fields(type(waits))}
    assert listed == set((await scene.call("GET", f"/instances/{run.id}")).json())


async def test_the_scheduler_is_stopped_started_and_told_of(scene: Scene, client: Client) -> None:
    await scene.leader.say()

    assert (await client.scheduler_status()).state == "RUNNING"
    assert (await client.stop_scheduler()).state == "STOPPED"
    assert (await client.start_scheduler()).partitions[0].partition == 0
    await client.restart_scheduler()
    assert (await client.running()).items == ()


async def test_commands_tell_their_outcome(client: Client) -> None:
    made = await client.create_definition(definition(key="a"))
    with pytest.raises(ApiError) as refused:
        await client.create_definition(definition(key="a"))

    rejected, accepted = [one async for one in client.all_commands()]

    assert refused.value.code == "key-taken"
    assert (accepted.status, accepted.resource) == ("ACCEPTED", f"definitions/{made.id}")
    assert rejected.problem is not None
    assert (rejected.status, rejected.problem.code) == ("REJECTED", "key-taken")
    assert (await client.wait_for_command(rejected.id)).position == (await client.command(rejected.id)).position


async def test_events_are_told_from_a_position_on(scene: Scene, client: Client) -> None:
    made, run = await ran(scene)
    after = (await client.events(limit=1)).items[0].position

    told = [event async for event in client.tail(after=0, follow=False)]
    later = [event.name async for event in client.tail(after=after, follow=False)]
    of_run = (await client.instance_events(run["id"])).items
    filtered = [event async for event in client.tail(after=0, follow=False, type="DefinitionCreated")]

    assert [event.name for event in told] == ["DefinitionCreated", "InstanceScheduled", "AttemptSucceeded"]
    assert later == ["InstanceScheduled", "AttemptSucceeded"]
    assert [event.name for event in of_run] == later
    assert [event.subject for event in filtered] == [f"definitions/{made['id']}"]


async def _next(events: AsyncIterator[Event]) -> Event:
    return await anext(events)


async def test_a_tail_goes_on_with_what_is_decided_later(scene: Scene, client: Client) -> None:
    await client.create_definition(definition(taskName="before"))
    tail = client.tail(after=await client.position(), every_s=0.01)
    following = asyncio.ensure_future(_next(tail))

    made = await client.create_definition(definition(taskName="while it is watched"))

    assert (await following).subject == f"definitions/{made.id}"


async def test_lines_are_followed_to_the_end_of_a_run(scene: Scene, client: Client) -> None:
    made = await client.create_definition(definition())
    run = await client.trigger(made.id)
    say(scene, run.id, 1, "one")
    say(scene, run.id, 2, "two", "WARN")
    await client.cancel(run.id)

    assert [line.log_message async for line in client.follow_logs(run.id)] == ["one", "two"]
    assert [line.log_message async for line in client.follow_logs(run.id, level="WARN")] == ["two"]
    assert [line.log_message async for line in client.all_logs(run.id)] == ["one", "two"]


async def test_a_refusal_carries_the_problem(client: Client) -> None:
    with pytest.raises(ApiError, match="#/taskName") as refused:
        await client.create_definition({"taskHandler": "noop"})

    assert refused.value.problem.code == "validation-failed"
    assert {one.pointer for one in refused.value.problem.errors} == {"#/taskName", "#/scheduleType"}


async def test_an_outcome_that_does_not_come_names_its_command(scene: Scene, client: Client) -> None:
    scene.leader.decides = False

    with pytest.raises(StillPendingError) as pending:
        await client.create_definition(definition())

    assert len(pending.value.command_id) == 36


@pytest.mark.parametrize("change", ["create", "replace", "delete"])
async def test_an_outcome_that_comes_late_is_waited_for(scene: Scene, change: str) -> None:
    made = await scene.create()
    held = scene.transport

    async def until_asked(request: httpx.Request) -> httpx.Response:
        if "/commands/" in request.url.path:
            scene.leader.decides = True
        return await held.handle_async_request(request)

    scene.leader.decides = False
    async with Client("http://api", key_of("admin"), transport=Through(until_asked)) as client:
        match change:
            case "create":
                done = await client.create_definition(definition(taskName="late"))
                assert done.task_name == "late"
                assert [one.id for one in (await client.definitions(q="late")).items] == [done.id]
            case "replace":
                done = await client.replace_definition(made["id"], definition(taskName="late"))
                assert (done.id, done.task_name, done.version) == (made["id"], "late", 2)
            case _:
                await client.delete_definition(made["id"])
                assert (await client.definitions()).items == ()


class Through(httpx.AsyncBaseTransport):
    """Requests pass a function."""

    def __init__(self, function) -> None:  # type: ignore[no-untyped-def]
        self.function = function

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer: httpx.Response = await self.function(request)
        return answer


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


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.definition("d"),
        lambda client: client.definitions(),
        lambda client: client.create_definition({}),
        lambda client: client.instance("i"),
        lambda client: client.scheduler_status(),
        lambda client: client.fires("d"),
        lambda client: client.backfill("d", "", ""),
    ],
    ids=["definition", "definitions", "create", "instance", "status", "fires", "backfill"],
)
async def test_json_of_another_shape_is_a_strange_answer_too(ask: Callable[[Client], Awaitable[object]]) -> None:
    def strange(request: httpx.Request) -> httpx.Response:
        del request
        return httpx.Response(200, json={"items": [{"id": 5}], "id": 5})

    async with Client("http://api", "", transport=httpx.MockTransport(strange)) as client:
        with pytest.raises(UnreachableError, match="something else"):
            await ask(client)


async def test_every_route_has_a_method(scene: Scene) -> None:
    """Whatever the app serves below the prefix is asked for by some method of the client."""
    asked: set[tuple[str, str]] = set()

    async def note(request: httpx.Request) -> httpx.Response:
        asked.add((request.method, request.url.path.removeprefix(PREFIX)))
        return httpx.Response(404, json={"code": "x", "title": "", "status": 404, "detail": "", "requestId": ""})

    async with Client("http://api", "", transport=Through(note)) as client:
        calls = [
            client.definitions(), client.definition("ID"), client.create_definition({}),
            client.replace_definition("ID", {}), client.patch_definition("ID", {}), client.delete_definition("ID"),
            client.enable_definition("ID"), client.disable_definition("ID"), client.trigger("ID"),
            client.preview_definition({}), client.fires("ID"), client.backfill("ID", "", ""),
            client.cancel_backfill("ID", "ID"), client.instances(), client.instance("ID"), client.cancel("ID"),
            client.retry("ID"), client.logs("ID"), client.instance_events("ID"), client.events(), client.commands(),
            client.command("ID"), client.workers(), client.scheduler_status(), client.running(),
            client.stop_scheduler(), client.start_scheduler(), client.restart_scheduler(),
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(ApiError):
                await call

    served = {
        (method, re.sub(r"\{[^}]*\}", "ID", route.path.removeprefix(PREFIX)))
        for route in scene.app.routes
        if route.path.startswith(PREFIX)
        for method in route.methods
        if method not in {"HEAD", "OPTIONS"}
    }
    assert served - asked == set()
