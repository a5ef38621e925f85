"""What commands share that ask the service: `--url`, `--json`, the client, errors as exit codes."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import click

from taskservice.cli.exit_codes import CommandFailed, ExitCode
from taskservice.cli.output import Output
from taskservice.client import ApiError, Client, ClientError, StillPendingError, UnreachableError
from taskservice.clock import SystemClock
from taskservice.config import Settings, settings_options

HINTS = {
    "unauthenticated": "no valid API key: set TASKSERVICE_API_KEY, or run in the folder of a local stack",
    "forbidden": "`taskservice keys create --role …` makes a key that may",
}


@dataclass(frozen=True, slots=True)
class Asking:
    """What a command asks with, and where it prints."""

    client: Client
    out: Output
    settings: Settings

    @property
    def now_ms(self) -> int:
        """The present, by the clock of this machine."""
        return SystemClock().now_ms()


def asks_service(
    function: Callable[..., Awaitable[None]],
) -> Callable[..., None]:
    """Make a click callback of a coroutine: it gets the client, and its errors end the command as documented.

    Adds `--url`, `--json`, `--config` and `--set`.
    """

    @settings_options
    @functools.wraps(function)
    def with_settings(settings: Settings, *args: Any, as_json: bool, **kwargs: Any) -> None:
        out = Output(as_json=as_json, now_ms=SystemClock().now_ms())
        asyncio.run(_ask(settings, out, function, *args, **kwargs))

    @click.option("--json", "as_json", is_flag=True, help="for programs: one JSON object on a line")
    @click.option("--url", metavar="URL", help="of the service; default: setting taskservice.api.url")
    @functools.wraps(with_settings)
    def command(*args: Any, url: str | None, assignments: tuple[str, ...] = (), **kwargs: Any) -> None:
        # As a setting, so that the key of a local stack does not travel to another address.
        named = () if url is None else (f"taskservice.api.url={url}",)
        with_settings(*args, assignments=(*assignments, *named), **kwargs)

    return command


async def _ask(
    settings: Settings, out: Output, function: Callable[..., Awaitable[None]], *args: Any, **kwargs: Any
) -> None:
    try:
        async with Client(settings.client.url, settings.client.api_key) as client:
            await function(Asking(client, out, settings), *args, **kwargs)
    except ClientError as error:
        raise failure_of(error) from None


def failure_of(error: ClientError) -> CommandFailed:
    """How a command ends because of it."""
    match error:
        case ApiError(problem=problem):
            hint = HINTS.get(problem.code)
            return CommandFailed(f"{error}" + (f"\n  {hint}" if hint else ""), ExitCode.REFUSED)
        case StillPendingError():
            return CommandFailed(str(error), ExitCode.PENDING)
        case UnreachableError():
            return CommandFailed(str(error), ExitCode.UNREACHABLE)
        case _:
            return CommandFailed(str(error), ExitCode.FAILED)
