"""`taskservice verify`: prove that the tables equal the event log."""

import asyncio
import sys

import click

from taskservice.config import Settings, settings_options
from taskservice.storage.database import Limits, open_database
from taskservice.storage.errors import StorageError
from taskservice.storage.verify import Difference, Report, verify

STATEMENT_S = 300.0


@click.command("verify")
@settings_options
def command(settings: Settings) -> None:
    """Replay the archived log and compare every row and column with it; ends with status 1 if anything differs."""
    try:
        report = asyncio.run(_run(settings.mysql.url))
    except StorageError as error:
        raise click.ClickException(str(error)) from None
    click.echo(report.summary())
    sys.exit(0 if report.clean else 1)


async def _run(mysql_url: str) -> Report:
    database = open_database(mysql_url, limits=Limits(statement_s=STATEMENT_S))
    try:
        return await verify(database, _print)
    finally:
        await database.close()


def _print(difference: Difference) -> None:
    click.echo(str(difference))
