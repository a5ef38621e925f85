"""`taskservice migrate`: bring the tables to this version."""

import asyncio

import click

from taskservice.cli.examples import examples
from taskservice.cli.on_database import failure_of_store
from taskservice.cli.progress import progress
from taskservice.config import Settings, settings_options
from taskservice.storage.errors import StorageError
from taskservice.storage.migrate import migrate


@click.command("migrate", epilog=examples("taskservice migrate"))
@settings_options
def command(settings: Settings) -> None:
    """Bring the tables to this version; harmless when they are."""
    try:
        with progress("migrating", None):
            applied = asyncio.run(migrate(settings.mysql.url))
    except StorageError as error:
        raise failure_of_store(error) from None
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to do: the tables are of this version")
