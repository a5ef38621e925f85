"""Wires that misbehave: a proxy that swallows answers, and a server that answers everything with one line."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Proxy:
    """Between a client and Redis. `half`: requests get through, answers don't. `accepted`: connections so far."""

    port: int = 0
    half: bool = False
    accepted: int = 0


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, proxy: Proxy | None) -> None:
    try:
        while data := await reader.read(65536):
            if proxy is None or not proxy.half:
                writer.write(data)
                await writer.drain()
    except OSError:
        pass
    finally:
        await _closed(writer)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[Proxy]:
    """A proxy before the server of `url`."""
    target = urlsplit(url)
    proxy = Proxy()
    pumps: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy.accepted += 1
        up_reader, up_writer = await asyncio.open_connection(target.hostname, target.port)
        for pump in (_pump(reader, up_writer, None), _pump(up_reader, writer, proxy)):
            pumps.add(asyncio.ensure_future(pump))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


@asynccontextmanager
async def server_that_says(line: bytes, *, welcomes: int) -> AsyncIterator[int]:
    """A server that answers its first `welcomes` commands with OK and all others with `line`; its port."""
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        seen = 0
        while data := await reader.read(65536):
            for _ in range(data.count(b"*")):
                writer.write(b"+OK\r\n" if seen < welcomes else line + b"\r\n")
                seen += 1

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            await _closed(writer)


@asynccontextmanager
async def server_that_reads_no_more(*, welcomes: int) -> AsyncIterator[int]:
    """A server that answers its first `welcomes` commands with OK and then takes nothing off its connection; its port."""
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        seen = 0
        while seen < welcomes and (data := await reader.read(65536)):
            writer.write(b"+OK\r\n" * data.count(b"*"))
            seen += data.count(b"*")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            await _closed(writer)


@contextmanager
def server_that_resets_after(last: bytes) -> Iterator[int]:
    """A server that says OK to everything, and resets a connection right after its OK to `last`; its port.

    In a thread of its own: answer and reset reach the client at one moment.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_reset_after, args=(listener, last))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # or accept would wait on
            thread.join()


def _reset_after(listener: socket.socket, last: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(ConnectionError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close = RST
                _say_ok_until(connection, last)


def _say_ok_until(connection: socket.socket, last: bytes) -> None:
    while data := connection.recv(65536):
        connection.sendall(b"+OK\r\n" * data.count(b"*"))
        if last in data:
            return
