"""A pool of connections with time limits, and errors sorted by what they tell.

aiomysql has no read timeout: a frozen server would hang its caller for ever. Every statement here has one, and a
connection whose answer did not come is closed, since the answer might still arrive and be taken for the next one's.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.constants import FIELD_TYPE

from taskservice.storage.errors import Conflict, Refused, StorageError, Unavailable
from taskservice.storage.literals import Value
from taskservice.storage.statements import filled
from taskservice.storage.tls import connect, tls_of

Row = tuple[Any, ...]

_DEADLOCK = frozenset({1205, 1213, 1020, 3572})
"""Lock wait timeout, deadlock, record changed since last read (MariaDB's snapshot isolation), NOWAIT."""
_GONE = frozenset(
    {1040, 1053, 1077, 1078, 1080, 1129, 1152, 1158, 1159, 1160, 1161, 1203, 1290, 1317, 1836, 1927, 4031}
)
"""Too many connections, shutdowns, network trouble, killed, read-only, idle too long."""
_SESSION = (
    "SET SESSION sql_mode='STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO',"
    " time_zone='+00:00', wait_timeout={wait_timeout}, innodb_lock_wait_timeout=5"
)
_TO_INT = (FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG, FIELD_TYPE.INT24)
_DECODERS = {**dict.fromkeys(_TO_INT, int), FIELD_TYPE.DOUBLE: float, FIELD_TYPE.FLOAT: float}
"""Instants stay text: `literals.ms_of` reads them at a fraction of the driver's cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Time limits of a pool. Idle connections are closed by the server after `idle_s`."""

    connect_s: float = 5.0
    statement_s: float = 10.0
    idle_s: int = 300


class Connection:
    """One connection; not for two tasks at once."""

    def __init__(self, raw: Any, limits: Limits) -> None:
        self._raw = raw
        self._limits = limits

    async def execute(self, sql: str, values: Mapping[str, Value | Iterable[str | int]] | None = None) -> int:
        """Run a statement and return how many rows it changed.

        :param values: of the `%(name)s` parameters; None = the text is complete, per cents stand for themselves.
        :raises Unavailable: no answer; the connection is closed, what was sent may have been done.
        :raises Conflict: rolled back or to be rolled back, run the transaction again.
        :raises Refused: any other error.
        """
        await self._query(sql if values is None else filled(sql, values))
        return int(self._raw.affected_rows())

    async def fetch(
        self, sql: str, values: Mapping[str, Value | Iterable[str | int]] | None = None
    ) -> tuple[Row, ...] | list[Row]:
        """Run a query and return its rows: integers as int, text as str, blobs as bytes, instants as text.

        :raises StorageError: as `execute`.
        """
        await self._query(sql if values is None else filled(sql, values))
        result = self._raw._result  # noqa: SLF001 - a cursor would ask for warnings with a trip of its own
        return result.rows if result is not None and result.rows is not None else []

    async def ping(self) -> None:
        """Show the server that this session lives.

        :raises Unavailable: it does not.
        """
        async with self._guarded():
            await self._raw.ping(reconnect=False)

    def close(self) -> None:
        """End it without a word: an open transaction is rolled back by the server."""
        self._raw.close()

    @property
    def closed(self) -> bool:
        """Whether it can't be used any more."""
        return bool(self._raw.closed)

    async def _query(self, sql: str) -> None:
        async with self._guarded():
            await self._raw.query(sql)

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._limits.statement_s):
                yield
        except BaseException as error:
            sorted_error = sort_error(error)
            if not isinstance(sorted_error, Conflict | Refused):
                self._raw.close()
            if sorted_error is None:
                raise
            raise sorted_error from error


def sort_error(error: BaseException) -> StorageError | None:
    """What a driver's exception tells; None for one that is not about the database."""
    if isinstance(error, TimeoutError):
        return Unavailable("no answer in time")
    if isinstance(error, pymysql.err.Error):
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        words = str(error.args[1]) if len(error.args) > 1 else str(error)
        if code in _DEADLOCK:
            return Conflict(f"{code}: {words}")
        if code in _GONE or 2000 <= code < 3000 or isinstance(error, pymysql.err.InterfaceError) or code == 0:
            return Unavailable(f"{code}: {words}" if code else words)
        return Refused(code, words)
    if isinstance(error, OSError | asyncio.IncompleteReadError | RuntimeError):
        return Unavailable(str(error) or type(error).__name__)
    return None


class Database:
    """A pool of connections to one database. Made by `open_database`, which does not connect yet.

    :param url: `mysql://user:password@host:port/database`, with `?tls=true` for TLS.
    :raises OSError: a file of authorities can't be used.
    """

    def __init__(self, url: str, *, limits: Limits, connections: int) -> None:
        parts = urlsplit(url)
        self._target: dict[str, Any] = {
            "host": parts.hostname or "127.0.0.1",
            "port": parts.port or 3306,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "db": unquote(parts.path.removeprefix("/")) or None,
            "charset": "utf8mb4",
            "autocommit": True,
            "conv": _DECODERS,
            "connect_timeout": limits.connect_s,
            "init_command": _SESSION.format(wait_timeout=limits.idle_s),
        }
        self._tls = tls_of(parts.query)
        self._limits = limits
        self._slots = asyncio.Semaphore(connections)
        self._free: list[Connection] = []
        self._closed = False

    async def connect(self) -> Connection:
        """A new connection of one's own, beside the pool; the caller closes it.

        :raises Unavailable: the server can't be reached, or is full.
        :raises Refused: it does not let us in.
        """
        try:
            async with asyncio.timeout(self._limits.connect_s):
                raw = await connect(self._tls, **self._target)
        except (TimeoutError, pymysql.err.Error, OSError, asyncio.IncompleteReadError, RuntimeError) as error:
            # RuntimeError: the peer was gone before aiomysql could ask the transport for its socket
            sorted_error = sort_error(error)
            if isinstance(sorted_error, Conflict | Refused):
                raise sorted_error from error
            where = f"{self._target['host']}:{self._target['port']}"
            why = f": {error.__cause__}" if str(error.__cause__ or "") else ""  # the driver hides what TLS said
            raise Unavailable(f"no connection to the database at {where}: {sorted_error or error}{why}") from error
        return Connection(raw, self._limits)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """A connection from the pool, in autocommit mode; one that broke is not given back.

        :raises Unavailable: as `connect`.
        """
        async with self._slots:
            connection = await self._take()
            try:
                yield connection
            except BaseException:
                connection.close()  # whatever it was in the middle of ends with it
                raise
            if connection.closed or self._closed:
                connection.close()
            else:
                self._free.append(connection)

    async def fetch(
        self, sql: str, values: Mapping[str, Value | Iterable[str | int]] | None = None
    ) -> tuple[Row, ...] | list[Row]:
        """One query on any connection; asked again once on a new one when an idle one turns out to be dead.

        :raises StorageError: as `Connection.fetch`.
        """
        used_before = bool(self._free)
        try:
            async with self.acquire() as connection:
                return await connection.fetch(sql, values)
        except Unavailable:
            if not used_before:
                raise
            self._drop_free()
        async with self.acquire() as connection:
            return await connection.fetch(sql, values)

    async def close(self) -> None:
        """End all connections."""
        self._closed = True
        self._drop_free()

    async def _take(self) -> Connection:
        while self._free:
            connection = self._free.pop()
            if not connection.closed:
                return connection
        return await self.connect()

    def _drop_free(self) -> None:
        while self._free:
            self._free.pop().close()


def open_database(url: str, *, limits: Limits | None = None, connections: int = 8) -> Database:
    """A pool of at most `connections`; connects when it is first asked.

    :param url: `mysql://user:password@host:port/database`, with `?tls=true` for TLS.
    :raises OSError: a file of authorities can't be used.
    """
    return Database(url, limits=limits or Limits(), connections=connections)
