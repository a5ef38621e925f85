"""`taskservice scheduler`: its status, stopping and starting it. Over HTTP."""

from collections.abc import AsyncIterator

import click

from taskservice.cli.asking import Asking, asks_service
from taskservice.cli.cells import Moment, Status
from taskservice.cli.confirming import confirm, yes_option
from taskservice.cli.examples import examples
from taskservice.cli.views import PARTITIONS
from taskservice.client import SchedulerStatus
from taskservice.client.values import Partition


@click.group("scheduler")
def command() -> None:
    """The scheduler: it concerns every tenant, so all but `status` needs an ADMIN key marked platform."""


@command.command(
    "status",
    epilog=examples(
        "taskservice scheduler status",
        "taskservice scheduler status --json | jq .healthy",
    ),
)
@asks_service
async def status(ask: Asking) -> None:
    """Show whether it runs, and how far each partition is. Leader and lags are shown to platform keys only."""
    await _tell(ask, await ask.client.scheduler_status())


@command.command(
    "stop",
    epilog=examples(
        "taskservice scheduler stop --yes",
    ),
)
@yes_option
@asks_service
async def stop(ask: Asking, *, yes: bool) -> None:
    """Let nothing new start, for any tenant: what falls into the stop becomes a misfire, what runs finishes."""
    confirm("Stop the scheduler for every tenant?", yes=yes)
    await _tell(ask, await ask.client.stop_scheduler())


@command.command("start")
@asks_service
async def start(ask: Asking) -> None:
    """Let it run again; what fell into the stop is settled by each definition's misfire policy."""
    await _tell(ask, await ask.client.start_scheduler())


@command.command("restart")
@yes_option
@asks_service
async def restart(ask: Asking, *, yes: bool) -> None:
    """Let the leader resign; answered once the next one decides. Nothing is lost, nothing that runs is stopped."""
    confirm("Let the leader of every partition resign?", yes=yes)
    await _tell(ask, await ask.client.restart_scheduler())


async def _tell(ask: Asking, found: SchedulerStatus) -> None:
    ask.out.details(
        found,
        [
            ("state", Status(found.state)),
            ("healthy", Status("yes" if found.healthy else "NO")),
            ("version", found.version),
            ("time", Moment(found.server_time)),
            ("time zone", f"{found.time_zone}, tzdata {found.tzdata}"),
            *(("alarm", f"{on.kind} since {on.since_at}") for one in found.partitions for on in one.alarms or ()),
        ],
    )
    if ask.out.mode != "json":
        ask.out.line()
        await ask.out.list(_each(found), PARTITIONS, of="partitions")


async def _each(found: SchedulerStatus) -> AsyncIterator[Partition]:
    for one in found.partitions:
        yield one
