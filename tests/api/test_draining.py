"""A body that is too large is refused with an answer, not with a broken connection, by any client."""

import asyncio
import urllib.error
import urllib.request

import pytest
from tests.api.scene import PREFIX, Scene, key_of

from taskservice.api.serving import listen, serve_http
from taskservice.api.wire.draining import MOST_BYTES


def post(port: int, size: int) -> int:
    """The status that Python's own client sees: it reads nothing before it has sent everything."""
    headers = {"Authorization": f"Bearer {key_of('admin')}", "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{port}{PREFIX}/definitions"
    request = urllib.request.Request(url, data=b" " * size, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


@pytest.mark.parametrize("size", [1_048_577, 4_000_000, MOST_BYTES])
async def test_whoever_sends_first_and_reads_then_learns_that_it_was_too_much(scene: Scene, size: int) -> None:
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        serving = asyncio.ensure_future(serve_http(scene.transport.app, listener, stop))
        try:
            status = await asyncio.to_thread(post, listener.getsockname()[1], size)
        finally:
            stop.set()
            await serving

    assert status == 413
