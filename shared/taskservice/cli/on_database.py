"""What commands share that work on the database and Redis themselves: connections, errors as exit codes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from taskservice.cli.exit_codes import CommandFailed, ExitCode
from taskservice.config import Settings
from taskservice.storage.database import Database, open_database
from taskservice.storage.errors import StorageError, Unavailable
from taskservice.streams.errors import StreamsError

T = TypeVar("T")


def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """Do something on the database; wrong values are usage errors, a server that is away is one of reach.

    :raises CommandFailed: it did not work.
    """

    async def run() -> T:
        database = open_database(settings.mysql.url, connections=2)
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except (StorageError, StreamsError) as error:
        raise failure_of_store(error) from None
    except ValueError as error:
        raise CommandFailed(str(error), ExitCode.USAGE) from None


def failure_of_store(error: StorageError | StreamsError) -> CommandFailed:
    """How a command ends because of it."""
    away = isinstance(error, Unavailable | StreamsError)
    return CommandFailed(str(error), ExitCode.UNREACHABLE if away else ExitCode.REFUSED)
