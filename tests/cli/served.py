"""Commands of the command line against an api in this process that really listens."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import structlog
from click.testing import CliRunner, Result
from tests.api.scene import Scene, key_of

from taskservice.api.serving import listen, serve_http
from taskservice.cli.main import main


@dataclass(frozen=True)
class CommandLine:
    """Runs commands as somebody with the key of a caller, in a thread of their own."""

    scene: Scene
    url: str

    def environment(self, caller: str = "platform") -> dict[str, str]:
        """What a process of its own needs to ask the same service."""
        return {"TASKSERVICE_API_URL": self.url, "TASKSERVICE_API_KEY": key_of(caller), "TERM": "xterm-256color"}

    async def run(self, *args: str, caller: str = "platform", stdin: str = "") -> Result:
        """What `taskservice ARGS` does: `exit_code`, `stdout`, `stderr`."""
        env = self.environment(caller)
        result = await asyncio.to_thread(CliRunner().invoke, main, args, input=stdin, env=env, prog_name="taskservice")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    async def told(self, *args: str, **options: Any) -> list[Any]:
        """What `taskservice ARGS --json` tells, object by object; it must end with status 0."""
        result = await self.run(*args, "--json", **options)
        assert result.exit_code == 0, result.output
        return [msgspec.json.decode(line) for line in result.stdout.splitlines()]

    async def process(self, *args: str, **options: Any) -> asyncio.subprocess.Process:
        """`taskservice ARGS` as a process."""
        return await asyncio.create_subprocess_exec(
            *(*PROGRAM, *args),
            env={**os.environ, **self.environment(), **options.pop("env", {})},
            stdout=options.pop("stdout", asyncio.subprocess.PIPE),
            stderr=options.pop("stderr", asyncio.subprocess.PIPE),
            stdin=options.pop("stdin", asyncio.subprocess.DEVNULL),
            **options,
        )


PROGRAM = (str(Path(sys.executable).with_name("taskservice")),)


@asynccontextmanager
async def served(scene: Scene) -> AsyncIterator[CommandLine]:
    """The scene behind an address. What the api logs is dropped: it would stand among what commands print."""
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as listener, structlog.testing.capture_logs():
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.ensure_future(serve_http(scene.transport.app, listener, stop))
        try:
            yield CommandLine(scene, url)
        finally:
            stop.set()
            await serving
