"""uvicorn inside of a process that handles its signals itself."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

GRACE_S = 6
"""How long requests may go on after a stop: a write waits up to 5 s for its outcome."""
BACKLOG = 2_048
KEEP_ALIVE_S = 30


class _Server(uvicorn.Server):
    """Leaves SIGTERM and SIGINT to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    :param port: 0 = any free one.
    :raises OSError: the address is taken, or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


async def serve_http(app: Any, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then take no new connections and let requests end within 6 s."""
    config = uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config)
    stopping = asyncio.create_task(_stop_when(stop, server))
    try:
        await server.serve(sockets=[listener])
    finally:
        stopping.cancel()


async def _stop_when(stop: asyncio.Event, server: uvicorn.Server) -> None:
    await stop.wait()
    server.should_exit = True
