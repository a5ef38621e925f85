"""Connections to Redis: pipelined, without retries, and precise about what is known after a failure.

redis-py's own client retries writes (one XADD, two entries) and its asyncio packer is pure Python (28 % of a leader's
CPU), so what is used of it here is the connection alone: address, TLS, authentication, parsing by hiredis. A `Link`
is one such connection: calls go out in the order in which they are made, answers come back in that order, so callers
never wait for each other. A blocking read occupies its connection, hence `ReadLinks`: one for each read under way.
"""

import asyncio
import contextlib
import functools
import ssl
from collections import deque
from typing import Any, Final, TypeAlias

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError, ResponseError

from taskservice.streams.errors import NoScript, NotSent, NotServed, OutcomeUnknown, ServerRefusal

try:
    import hiredis
except ImportError as error:  # pragma: no cover - the requirement is pinned; this names it when it was left out
    raise ImportError(
        "taskservice needs hiredis (pip install 'redis[hiredis]'): without it every answer is parsed and every "
        "command packed in pure Python, which costs four times the CPU"
    ) from error

Argument: TypeAlias = str | bytes | int

COMMAND_TIMEOUT_S: Final = 3.0
CONNECT_TIMEOUT_S: Final = 3.0
BLOCK_MARGIN_S: Final = 3.0
"""A blocking read waits for its answer this much longer than the server was asked to block (≥ 2 s, design §4)."""
_NOT_SERVED: Final = frozenset({
    "LOADING", "READONLY", "MISCONF", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "BUSY", "TRYAGAIN", "MOVED", "ASK",
})  # fmt: skip


def _pack(*args: Any) -> list[bytes]:
    """Packed in C; redis-py sends some of its handshake as one string of two words."""
    name = args[0]
    if isinstance(name, str) and " " in name:
        args = (*name.split(" "), *args[1:])
    return [hiredis.pack_command(args)]


class HiConnection(Connection):
    """A TCP connection that packs with hiredis."""

    def pack_command(self, *args: Any) -> list[bytes]:  # noqa: D102 - redis-py's
        return _pack(*args)


class HiSSLConnection(SSLConnection):
    """A TLS connection that packs with hiredis.

    :param tls: certificates that were read before.
    """

    def __init__(self, *, tls: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self.ssl_context.context = tls

    async def disconnect(self, nowait: bool = False, *rest: Any, **told: Any) -> None:  # noqa: D102, FBT001, FBT002 - redis-py's
        writer = self._writer
        await super().disconnect(nowait, *rest, **told)
        if nowait and writer is not None:
            writer.transport.abort()  # or TLS waits for the server's farewell, up to half a minute

    def pack_command(self, *args: Any) -> list[bytes]:  # noqa: D102 - redis-py's
        return _pack(*args)


class HiUnixConnection(UnixDomainSocketConnection):
    """A Unix socket connection that packs with hiredis."""

    def pack_command(self, *args: Any) -> list[bytes]:  # noqa: D102 - redis-py's
        return _pack(*args)


CONNECTION_LOST: Final = (RedisError, OSError, RuntimeError)
"""How a connection that is gone is met while sending. RuntimeError: uvloop's word for a transport that it has closed,
in the turn before its reader hears of it; asyncio's own loop is silent then."""
_CLASSES: Final[dict[type, type[Any]]] = {SSLConnection: HiSSLConnection, UnixDomainSocketConnection: HiUnixConnection}


def open_connection(url: str, client_name: str = "taskservice") -> Connection:
    """A connection that is not connected yet.

    :param url: `redis://`, `rediss://` or `unix://`, with user, password and database.
    :raises ValueError: for any other URL.
    :raises NotSent: a file of certificates can't be used.
    """
    options: dict[str, Any] = dict(parse_url(url))
    kind = _CLASSES.get(options.pop("connection_class", Connection), HiConnection)
    options.update(
        socket_timeout=None,  # a Link has timeouts of its own, which cost no task each
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,  # plain arrays; maps would only be flattened again
        client_name=client_name,
        driver_info=None,
    )
    if kind is HiSSLConnection:
        options["tls"] = _tls_of(url)
    if "path" not in options:
        options["socket_keepalive"] = True
    connection: Connection = kind(**options)
    return connection


@functools.lru_cache(maxsize=8)
def _tls_of(url: str) -> ssl.SSLContext:
    """Kept: reading the system's authorities takes 50 ms of the loop, for each connection."""
    options: dict[str, Any] = dict(parse_url(url))
    del options["connection_class"]
    try:
        return SSLConnection(**options).ssl_context.get()
    except OSError as error:
        raise NotSent(f"the certificates for TLS to Redis can't be used: {error}") from error


class _Session:
    """One connected connection: what was sent over it, and who waits for which answer."""

    __slots__ = ("_reader", "broken", "connection", "demoted", "owed")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.owed: deque[asyncio.Future[Any]] = deque()
        self.broken: Exception | None = None
        self.demoted = False
        """It answered READONLY: where the address leads by now may be another server, the new master."""
        self._reader = asyncio.get_running_loop().create_task(self._read_answers(), name="redis-answers")

    async def post(self, args: tuple[Argument, ...]) -> asyncio.Future[Any]:
        """Send one command; the future gets its answer, or an exception *as a result* (nobody may have to hear it)."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.owed.append(future)
        try:
            await self.connection.send_packed_command(_pack(*args), check_health=False)
        except CONNECTION_LOST as error:
            self.end(error)
        except BaseException:
            self.end(ConnectionError("cancelled while sending"))
            raise
        return future

    async def _read_answers(self) -> None:
        read, owed = self.connection.read_response, self.owed
        try:
            while True:
                try:
                    answer = await read()
                except ResponseError as error:
                    answer = error
                future = owed.popleft()
                if not future.done():
                    future.set_result(answer)
        except (RedisError, OSError, IndexError) as error:  # IndexError: an answer that nobody asked for
            self.end(error)

    @property
    def usable(self) -> bool:
        """Whether to send over it; over one that was demoted only behind calls that are under way."""
        return self.broken is None and self.connection.is_connected and not (self.demoted and not self.owed)

    def end(self, reason: Exception) -> None:
        """What is owed will not come."""
        if self.broken is None:
            self.broken = reason
        self._reader.cancel()
        while self.owed:
            future = self.owed.popleft()
            if not future.done():
                future.set_result(OutcomeUnknown(f"connection lost before the answer came: {reason}"))

    def abort(self) -> None:
        """Throw away what was not sent: whoever is sending hears that the connection is gone."""
        writer = self.connection._writer  # noqa: SLF001 - redis-py has no other way to it
        if writer is not None:
            writer.transport.abort()

    async def close(self) -> None:
        """End it and wait until its reader is gone."""
        self.end(ConnectionError("closed"))
        if self._reader is not asyncio.current_task():
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        with contextlib.suppress(RedisError, OSError):
            await self.connection.disconnect(nowait=True)


class Link:
    """One connection, made when needed and anew after a failure; calls are answered in the order they are made.

    :param url: of the server.
    :param drop_on_cancel: end the connection when a waiting caller is cancelled: for blocking reads, whose answer
        would hold up the next call and might deliver to nobody.
    """

    def __init__(
        self,
        url: str,
        *,
        client_name: str = "taskservice",
        drop_on_cancel: bool = False,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self._url = url
        self._client_name = client_name
        self._drop_on_cancel = drop_on_cancel
        self._connect_timeout_s = connect_timeout_s
        self._lock = asyncio.Lock()
        self._session: _Session | None = None
        self._preload: tuple[str, ...] = ()
        self._connects_failed = 0
        self._why_failed = ""
        self.connections_made = 0
        """Grows with every (re)connect: whoever must notice one compares it."""

    def preload(self, scripts: tuple[str, ...]) -> None:
        """Load these scripts on every new connection, so that no EVALSHA of a pipeline falls back out of order."""
        self._preload = scripts

    async def call(self, *args: Argument, timeout_s: float = COMMAND_TIMEOUT_S) -> Any:
        """The answer to one command, as Redis sent it.

        Who waits while a connection is tried in vain has its answer as well: if each tried anew after the others, the
        last of a hundred would wait a hundred times as long for a server that accepts and is silent.

        :raises NotSent: no connection, or refused without being run.
        :raises OutcomeUnknown: sent, and not answered within `timeout_s`, or the connection ended.
        :raises ServerRefusal: an error answer.
        """
        failed_before = self._connects_failed
        async with self._lock:  # fair: who comes first sends first
            session = self._session
            if session is None or not session.usable:
                if self._connects_failed != failed_before:
                    raise NotSent(self._why_failed)
                session = await self._connect()
            # From before it is sent: a server that takes nothing off its connection holds up the sending as well.
            timer = asyncio.get_running_loop().call_later(timeout_s, _expire, session, timeout_s)
            try:
                answer = await session.post(args)
            except BaseException:
                timer.cancel()
                raise
        try:
            value = await answer
        except asyncio.CancelledError:
            if self._drop_on_cancel:
                session.end(ConnectionError("reader was cancelled"))
            raise
        finally:
            timer.cancel()
            if session.broken is not None and session is self._session:
                await self._discard(session)
        if isinstance(value, Exception):
            session.demoted = session.demoted or isinstance(value, ReadOnlyError)
            raise _translated(value)
        return value

    async def close(self) -> None:
        """End the connection; a later call makes a new one."""
        session = self._session
        if session is not None:
            await self._discard(session)

    async def _connect(self) -> _Session:
        if self._session is not None:
            await self._discard(self._session)
        connection = open_connection(self._url, self._client_name)
        try:
            async with asyncio.timeout(
                self._connect_timeout_s
            ):  # the handshake too: a frozen server accepts, and is silent
                await connection.connect()  # type: ignore[no-untyped-call]
                for text in self._preload:
                    await connection.send_packed_command(_pack("SCRIPT", "LOAD", text), check_health=False)
                for _ in self._preload:
                    await connection.read_response()
        except ResponseError as error:
            await connection.disconnect(nowait=True)
            raise self._failed(f"refused by Redis at {self._where()}: {error}") from error
        except (*CONNECTION_LOST, TimeoutError) as error:
            await connection.disconnect(nowait=True)
            why = str(error) or f"no answer within {self._connect_timeout_s:g} s"
            raise self._failed(f"no connection to Redis at {self._where()}: {why}") from error
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self.connections_made += 1
        self._session = _Session(connection)
        return self._session

    def _failed(self, why: str) -> NotSent:
        self._connects_failed += 1
        self._why_failed = why
        return NotSent(why)

    async def _discard(self, session: _Session) -> None:
        if self._session is session:
            self._session = None
        await session.close()

    def _where(self) -> str:
        return self._url.rpartition("@")[2]  # never the password


def _expire(session: _Session, timeout_s: float) -> None:
    session.end(TimeoutError(f"no answer within {timeout_s:g} s"))
    session.abort()


def _translated(error: Exception) -> Exception:
    if not isinstance(error, ResponseError):
        return error
    text = str(error)
    if isinstance(error, NoScriptError):
        return NoScript("NOSCRIPT", text)
    kind = type(error).__name__
    code = text.partition(" ")[0] if text[:1].isupper() else kind
    code = _CODES.get(kind, code)
    if code in _NOT_SERVED:
        return NotServed(f"{code} {text}")
    return ServerRefusal(code, text)


_CODES: Final = {  # redis-py strips the first word of answers that it has a class for
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "BusyLoadingError": "LOADING",
    "NoPermissionError": "NOPERM",
    "MovedError": "MOVED",
    "AskError": "ASK",
    "MasterDownError": "MASTERDOWN",
    "ClusterDownError": "CLUSTERDOWN",
    "TryAgainError": "TRYAGAIN",
}


class ReadLinks:
    """A connection of its own for each blocking read under way; idle ones are kept for the next."""

    def __init__(self, url: str, *, client_name: str = "taskservice-reads") -> None:
        self._url = url
        self._client_name = client_name
        self._idle: list[Link] = []
        self._all: list[Link] = []

    async def call(self, *args: Argument, block_ms: int) -> Any:
        """The answer to one command that may block for `block_ms` on the server. Raises as `Link.call`."""
        if self._idle:
            link = self._idle.pop()
        else:
            link = Link(self._url, client_name=self._client_name, drop_on_cancel=True)
            self._all.append(link)
        try:
            return await link.call(*args, timeout_s=block_ms / 1000 + BLOCK_MARGIN_S)
        finally:
            self._idle.append(link)

    async def close(self) -> None:
        """End all connections."""
        for link in self._all:
            await link.close()
        self._all.clear()
        self._idle.clear()
