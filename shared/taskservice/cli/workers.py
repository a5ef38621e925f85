"""`taskservice workers`: who can run something now. Over HTTP."""

import click

from taskservice.cli.asking import Asking, asks_service
from taskservice.cli.examples import examples
from taskservice.cli.views import WORKERS


@click.command(
    "workers",
    epilog=examples(
        "taskservice workers",
        "taskservice workers --json | jq -r '.handlers[].name' | sort -u",
    ),
)
@asks_service
async def command(ask: Asking) -> None:
    """Show the live workers that serve the tenant's queues."""
    await ask.out.list(ask.client.all_workers(), WORKERS, of="live workers")
