"""A TCP proxy that hurts: between one client process and one server, in a thread of its own.

Each process of a cluster has one before each server, so that each link is cut without touching the others.
"""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar, assert_never
from urllib.parse import urlsplit, urlunsplit

from tests.faults.harness.modes import Blackhole, Delay, Half, Mode, Pass, Predicate, Reset

from taskservice.localstack.ports import LOOPBACK, any_free

CHUNK_BYTES: Final = 65_536
CALL_TIMEOUT_S: Final = 30.0
NO_LINGER: Final = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""
DEFAULT_PORTS: Final = {"redis": 6379, "mysql": 3306}

T = TypeVar("T")


class _Swallowing:
    """An order to swallow the reply of one request, and to cut its connection then."""

    def __init__(self, predicate: Predicate, tell: Callable[[], None]) -> None:
        self.predicate = predicate
        self.done = threading.Event()
        self._tell = tell

    def happened(self) -> None:
        """The server has answered, and nobody heard it."""
        self._tell()
        self.done.set()


class _Link:
    """One client's connection and its twin to the server."""

    def __init__(self, proxy: "Proxy", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = (reader, writer)
        self._server: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._swallowing: _Swallowing | None = None
        self.missed_a_reply = False

    async def run(self) -> None:
        """Move bytes both ways until one side ends, or the link is cut."""
        try:
            await self._proxy.open_for_traffic()
            self._server = await asyncio.open_connection(*self._proxy.target)
            ways = [asyncio.create_task(self._requests()), asyncio.create_task(self._replies())]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
            for _, writer in (self._client, self._server):
                writer.close()  # what is under way still arrives, as it does when a process ends
        except OSError:
            self.cut()  # the server is away: its client sees a reset, as it would without a proxy
        except asyncio.CancelledError:
            self.cut()
            raise

    def cut(self) -> None:
        """Reset both connections."""
        for end in (self._client, self._server):
            if end is not None:
                _reset(end[1])

    async def _requests(self) -> None:
        assert self._server is not None
        reader, writer = self._client[0], self._server[1]
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sender = asyncio.create_task(self._send_in_time(late, writer))
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(CHUNK_BYTES):
                    await self._proxy.open_for_traffic()
                    self._swallowing = self._proxy.claimed(data) or self._swallowing
                    late.put_nowait((time.monotonic() + self._proxy.delay_s, data))
                await late.join()
        finally:
            sender.cancel()

    async def _send_in_time(self, late: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due, data = await late.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))  # the delay is what this mode is
            await self._proxy.open_for_traffic()
            with contextlib.suppress(OSError):
                writer.write(data)
                await writer.drain()
            late.task_done()

    async def _replies(self) -> None:
        assert self._server is not None
        reader, writer = self._server[0], self._client[1]
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._proxy.open_for_traffic()
                if self._swallowing is not None:
                    self.cut()
                    self._swallowing.happened()
                    return
                if isinstance(self._proxy.mode, Half):
                    self.missed_a_reply = True
                    continue
                writer.write(data)
                await writer.drain()


class Proxy:
    """Listens on a loopback port of its own and passes on to the server of `target_url`, as its mode says.

    All methods may be called from any thread; they return when the proxy has done it.

    :param tell: is called with each mode before it begins, with `Pass` after it has begun, in whatever thread.
    :param tell_cut: is called when connections are about to be cut (True) and have been (False), outside of modes.
    :ivar port: where it listens, for as long as it lives.
    :ivar connections: how many it has taken since it was made.
    """

    def __init__(
        self,
        target_url: str,
        *,
        tell: Callable[[Mode], None] = lambda _: None,
        tell_cut: Callable[[bool], None] = lambda _: None,
    ) -> None:
        target = urlsplit(target_url)
        self.target = (target.hostname or LOOPBACK, target.port or DEFAULT_PORTS[target.scheme])
        self.port = any_free()
        self.connections = 0
        self._tell = tell
        self._tell_cut = tell_cut
        self._mode: Mode = Pass()
        self._links: dict[_Link, asyncio.Task[None]] = {}
        self._swallowings: list[_Swallowing] = []
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{self.port}", daemon=True)
        self._thread.start()
        self._server = self._wait(asyncio.start_server(self._serve, LOOPBACK, self.port))

    @property
    def mode(self) -> Mode:
        """What it does now."""
        return self._mode

    @property
    def delay_s(self) -> float:
        """How late requests arrive, in seconds."""
        return self._mode.ms / 1_000 if isinstance(self._mode, Delay) else 0.0

    def url(self, of: str) -> str:
        """The server's address `of`, with this proxy's host and port in place of its own."""
        parts = urlsplit(of)
        account = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return urlunsplit(parts._replace(netloc=f"{account}{LOOPBACK}:{self.port}"))

    def set(self, mode: Mode) -> None:
        """From now on do that, to open connections as well."""
        if not isinstance(mode, Pass):
            self._tell(mode)
        self._call(lambda: self._set(mode))
        if isinstance(mode, Pass):
            self._tell(mode)

    def half_once(self, predicate: Predicate) -> threading.Event:
        """Let the next request that satisfies `predicate` arrive, swallow its reply, cut its connection.

        :param predicate: sees the bytes of a request as they come, up to 64 KiB at a time.
        :returns: an event that is set when that has happened: the server has done it then.
        """
        self._tell_cut(True)
        swallowing = _Swallowing(predicate, lambda: self._tell_cut(False))
        self._call(lambda: self._swallowings.append(swallowing))
        return swallowing.done

    def cut(self) -> None:
        """Reset all open connections; new ones pass as the mode says."""
        self._tell_cut(True)
        self._call(lambda: self._cut(list(self._links)))
        self._tell_cut(False)

    def close(self) -> None:
        """Reset all connections, listen no more, end the thread."""
        if not self._loop.is_closed():
            self._wait(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CALL_TIMEOUT_S)
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def open_for_traffic(self) -> None:
        """Return once bytes may pass. For the links."""
        await self._flowing.wait()

    def claimed(self, data: bytes) -> _Swallowing | None:
        """The order, if there is one for this request; it is given once. For the links."""
        for swallowing in self._swallowings:
            if swallowing.predicate(data):
                self._swallowings.remove(swallowing)
                return swallowing
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if isinstance(self._mode, Reset):
            _reset(writer)
            return
        link = _Link(self, reader, writer)
        task = asyncio.create_task(link.run())
        self._links[link] = task
        task.add_done_callback(lambda _: self._links.pop(link, None))

    def _set(self, mode: Mode) -> None:
        self._mode = mode
        match mode:
            case Blackhole():
                self._flowing.clear()
            case Reset():
                self._flowing.set()
                self._cut(list(self._links))
            case Pass() | Delay() | Half():
                self._flowing.set()
                if not isinstance(mode, Half):
                    self._cut([link for link in self._links if link.missed_a_reply])
            case _ as unreachable:
                assert_never(unreachable)

    def _cut(self, links: list[_Link]) -> None:
        for link in links:
            link.cut()
            self._links[link].cancel()

    async def _end(self) -> None:
        self._server.close()
        tasks = list(self._links.values())
        self._cut(list(self._links))
        await asyncio.gather(*tasks, return_exceptions=True)

    def _call(self, what: Callable[[], object]) -> None:
        async def run() -> None:
            what()

        self._wait(run())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_TIMEOUT_S)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None and not writer.is_closing():
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    writer.transport.abort()
