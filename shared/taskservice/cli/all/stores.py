"""Getting the two stores ready for the services: waiting until they answer, tables of this version, a word about keys."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import structlog

from taskservice.clock import Clock
from taskservice.config import Settings
from taskservice.storage.database import Limits, open_database
from taskservice.storage.errors import StorageError
from taskservice.storage.keys import load_keys
from taskservice.storage.migrate import migrate
from taskservice.storage.server_time import server_time_ms
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.errors import StreamsError
from taskservice.streams.keys import Keys
from taskservice.telemetry import RefusedToStartError

ASK_INTERVAL_S: Final = 0.5
TELL_INTERVAL_MS: Final = 5_000
ASK_LIMITS: Final = Limits(connect_s=3.0, statement_s=3.0)
FIRST_KEY: Final = "taskservice keys create --tenant default --role admin --platform"

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def wait_for_stores(settings: Settings, clock: Clock, stop: asyncio.Event, *, patience_s: float) -> None:
    """Return when Redis and the database answer, or when `stop` is set; tells every five seconds what it waits for.

    :param patience_s: for both together.
    :raises RefusedToStartError: one does not answer in time; says which and what it said last.
    """
    give_up_ms = clock.monotonic_ms() + int(patience_s * 1_000)
    redis, mysql = urlsplit(settings.redis.url), settings.mysql
    at_redis = f"{redis.hostname}:{redis.port or 6379}" if redis.hostname else redis.path
    await _until_answered(f"Redis at {at_redis}", lambda: _redis_says(settings), clock, stop, give_up_ms)
    at_mysql = f"{mysql.host}:{mysql.port}/{mysql.database}"
    await _until_answered(f"the database at {at_mysql}", lambda: _mysql_says(settings), clock, stop, give_up_ms)


async def bring_tables_to_this_version(settings: Settings) -> None:
    """Migrate; of several that start together one does it and the others wait for it.

    :raises RefusedToStartError: it can't be done; says why.
    """
    try:
        applied = await migrate(settings.mysql.url)
    except StorageError as error:
        raise RefusedToStartError(f"the tables can't be brought to this version: {error}") from error
    log.info("tables are of this version", applied=applied)


async def tell_if_there_is_no_key(settings: Settings) -> None:
    """There is no default key; who starts the service for the first time is told how to make one."""
    database = open_database(settings.mysql.url, connections=1, limits=ASK_LIMITS)
    try:
        if not await load_keys(database):
            log.warning(
                "no API key exists yet: every request will be answered with 401; make the first key",
                command=FIRST_KEY,
                in_docker=f"docker exec {socket.gethostname()} {FIRST_KEY}",
            )
    except StorageError as error:
        log.warning("could not look whether an API key exists", reason=str(error))
    finally:
        await database.close()


async def _until_answered(
    what: str, says: Callable[[], Awaitable[str | None]], clock: Clock, stop: asyncio.Event, give_up_ms: int
) -> None:
    tell_ms = clock.monotonic_ms()
    while not stop.is_set() and (said := await says()) is not None:
        now_ms = clock.monotonic_ms()
        if now_ms >= tell_ms:
            log.info("waiting", until=f"{what} answers", said=said, gives_up_in_s=max(give_up_ms - now_ms, 0) // 1_000)
            tell_ms = now_ms + TELL_INTERVAL_MS
        if now_ms >= give_up_ms:
            raise RefusedToStartError(f"{what} does not answer: {said}")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), ASK_INTERVAL_S)


async def _redis_says(settings: Settings) -> str | None:
    """What is wrong; None when it answers."""
    keys = Keys(0, settings.scheduler.lock_prefix)
    streams = RedisStreams(settings.redis.url, keys, client_name="taskservice-all")
    try:
        await streams.commands.call("PING")
    except StreamsError as error:
        return str(error)
    finally:
        await streams.close()
    return None


async def _mysql_says(settings: Settings) -> str | None:
    """What is wrong; None when it answers."""
    database = open_database(settings.mysql.url, connections=1, limits=ASK_LIMITS)
    try:
        await server_time_ms(database)
    except StorageError as error:
        return str(error)
    finally:
        await database.close()
    return None
