"""A client that reads an answer while it is sent: httpx' ASGI transport waits for its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from tests.api.scene import PREFIX, Scene, key_of

from taskservice.testing.waiting import wait_until


class Streamed:
    """What came so far. `gone` makes the client hang up."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = ""
        self.ended = False
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        """The request has no body; afterwards only its end can come."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        """Take what the service sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.text += message.get("body", b"").decode()
            self.ended = not message.get("more_body", False)

    @property
    def events(self) -> list[dict[str, str]]:
        """The server-sent events, comments under the name ''."""
        blocks = [block for block in self.text.split("\n\n") if block]
        return [dict(_field(line) for line in block.splitlines()) for block in blocks]

    async def until(self, text: str) -> None:
        """Wait until this was sent."""
        await wait_until(lambda: text in self.text, f"{text!r} in the stream")

    async def until_ended(self) -> None:
        """Wait until the service ends it."""
        await wait_until(lambda: self.ended, "the end of the stream")


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


@asynccontextmanager
async def streaming(
    scene: Scene, path: str, *, caller: str = "viewer", method: str = "GET", params: Any = (), **headers: str
) -> AsyncIterator[Streamed]:
    """A request under way; the client hangs up at the end of the block."""
    answer = Streamed()
    sent = {"authorization": f"Bearer {key_of(caller)}", **{n.replace("_", "-"): v for n, v in headers.items()}}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": PREFIX + path,
        "raw_path": (PREFIX + path).encode(),
        "query_string": urlencode(params).encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("api", 80),
        "state": {},
    }
    task = asyncio.ensure_future(scene.transport.app(scope, answer.receive, answer.send))  # type: ignore[arg-type]
    try:
        yield answer
    finally:
        answer.gone.set()
        await asyncio.wait_for(task, 5)
