"""Completion of definitions' keys in a shell: asks the service, quickly or not at all."""

import asyncio
import os
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

TIMEOUT_S: Final = 1.0
MOST: Final = 200


def complete_definition(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Keys that begin so, with the names of their definitions; nothing when the service can't be asked."""
    del ctx, param
    try:
        return asyncio.run(_keys(incomplete))
    except Exception:  # noqa: BLE001 - a shell that completes shows no errors
        return []


async def _keys(incomplete: str) -> list[CompletionItem]:
    from taskservice.client import Client  # noqa: PLC0415 - `--help` must not pay for it
    from taskservice.config.load import load_settings  # noqa: PLC0415 - likewise

    settings = load_settings({}, os.environ, Path.cwd())
    async with asyncio.timeout(TIMEOUT_S), Client(settings.client.url, settings.client.api_key) as client:
        page = await client.definitions(limit=500)
    return [
        CompletionItem(one.key, help=one.task_name)
        for one in page.items
        if one.key is not None and one.key.startswith(incomplete)
    ][:MOST]


def definition_argument(function: Any) -> Any:
    """Add the argument DEFINITION, whose keys a shell completes."""
    return click.argument("definition", shell_complete=complete_definition)(function)
