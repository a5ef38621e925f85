"""What one process does at once is bounded: requests under way, and bytes of their bodies."""

import asyncio
from collections.abc import AsyncIterator

import httpx
from tests.api.scene import PREFIX, Scene, definition, key_of

from taskservice.api.admission import Admission
from taskservice.api.serving import listen, serve_http
from taskservice.testing.waiting import wait_until

MIB = 1_048_576


async def test_one_more_than_may_be_under_way_is_refused_and_probes_are_not(scene: Scene) -> None:
    scene.parts.admission = Admission(most_requests=3)
    scene.leader.decides = False  # each of them waits for its outcome
    waiting = [asyncio.ensure_future(scene.call("POST", "/definitions", json=definition())) for _ in range(3)]
    await wait_until(lambda: scene.parts.admission.requests == 3, "three are under way")

    refused = await scene.call("GET", "/definitions")
    live = await scene.call("GET", "/health/live", caller=None)

    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "overloaded", "1")
    assert live.status_code == 200
    assert {(await one).status_code for one in waiting} == {202}
    assert (await scene.call("GET", "/definitions")).status_code == 200
    assert (scene.parts.admission.requests, scene.parts.admission.body_bytes) == (0, 0)


async def test_bodies_take_no_more_than_so_many_bytes_together(scene: Scene) -> None:
    """Clients that send slowly: each has sent most of its body, and the rest does not come."""
    scene.parts.admission = Admission(most_bytes=2 * MIB)
    go_on = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b" " * 900_000
        await go_on.wait()
        yield b"{}"

    async def post() -> httpx.Response:
        headers = {"Authorization": f"Bearer {key_of('admin')}", "Content-Type": "application/json"}
        async with scene.client(None) as client:
            return await client.post(f"{PREFIX}/definitions", content=slowly(), headers=headers)

    held = [asyncio.ensure_future(post()) for _ in range(2)]
    await wait_until(lambda: scene.parts.admission.body_bytes == 1_800_000, "two bodies are on their way")
    refused = await post()
    go_on.set()

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["retry-after"] == "1"
    assert {(await one).status_code for one in held} == {422}  # read whole, and judged
    assert (scene.parts.admission.requests, scene.parts.admission.body_bytes) == (0, 0)


async def test_a_body_that_never_comes_whole_keeps_no_place(scene: Scene) -> None:
    """A thousand of them, or of clients that are gone without a word, would shut everybody out for ever."""
    scene.parts.admission = Admission(body_s=0.2)
    never = asyncio.Event()

    async def stops() -> AsyncIterator[bytes]:
        yield b'{"taskName": '
        await never.wait()

    headers = {"Authorization": f"Bearer {key_of('admin')}", "Content-Type": "application/json"}
    async with asyncio.timeout(60), scene.client(None) as client:
        refused = await client.post(f"{PREFIX}/definitions", content=stops(), headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (400, "malformed-json")
    assert "within 0.2 s" in refused.json()["detail"]
    assert (scene.parts.admission.requests, scene.parts.admission.body_bytes) == (0, 0)


async def test_a_client_that_goes_amid_its_body_is_no_failure_of_the_service(scene: Scene) -> None:
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        serving = asyncio.ensure_future(serve_http(scene.transport.app, listener, stop))
        _, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1])
        head = f"POST {PREFIX}/definitions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key_of('admin')}\r\n"
        writer.write(f'{head}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"taskName":'.encode())
        await wait_until(lambda: scene.parts.admission.body_bytes > 0, "half of the body has come")
        writer.close()
        await wait_until(lambda: scene.parts.admission.requests == 0, "its place is free")
        stop.set()
        await serving

    shown = (await scene.call("GET", "/metrics", caller=None)).text
    counted = [line for line in shown.splitlines() if line.startswith("taskservice_http_requests_total{")]
    assert any('status="400"' in line for line in counted), counted
    assert not any('status="500"' in line for line in counted), counted


async def test_whoever_is_refused_or_unknown_holds_no_place(scene: Scene) -> None:
    for caller, path in (("admin", "/definitions?nonsense=1"), (None, "/definitions"), ("viewer", "/nothing")):
        await scene.call("GET", path, caller=caller)
    await scene.call("POST", "/definitions", caller="viewer", json=definition())

    assert (scene.parts.admission.requests, scene.parts.admission.body_bytes) == (0, 0)


async def test_a_stream_that_has_begun_is_counted_among_the_followers_alone(scene: Scene) -> None:
    made = await scene.create()
    run = (await scene.call("POST", f"/definitions/{made['id']}/trigger")).json()
    path = f"/instances/{run['id']}/logs?follow=true"
    follower = asyncio.ensure_future(scene.call("GET", path, headers={"Accept": "text/event-stream"}))
    await wait_until(lambda: scene.parts.followers.count("default") == 1, "it follows")

    await wait_until(lambda: scene.parts.admission.requests == 0, "it holds no place any more")
    scene.parts.stopping.set()
    assert (await follower).status_code == 200
