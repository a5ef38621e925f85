"""`taskservice up`: the whole service on this machine, in the foreground."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import click

from taskservice.clock import SystemClock
from taskservice.config import Settings, settings_options
from taskservice.config.options import given_options
from taskservice.config.sources import FLAG
from taskservice.localstack.bootstrap import BootstrapError
from taskservice.localstack.console import Console
from taskservice.localstack.follow import Follower
from taskservice.localstack.servers import MissingServerError
from taskservice.localstack.shape import DECIDED_HERE, MERGED_HERE, Shape
from taskservice.localstack.stack import LocalStack, StackError
from taskservice.telemetry.parent import PARENT_VARIABLE, parent_gone

INSISTS_AFTER_S = 1.0
EXPECTED = (StackError, MissingServerError, BootstrapError)


@click.command("up")
@click.option("--tickers", type=click.IntRange(1, 16), default=2, show_default=True, help="how many; one leads")
@click.option("--workers", type=click.IntRange(0, 64), default=1, show_default=True, help="how many")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8_084, show_default=True, help="of the api; 0 = any free"
)
@click.option(
    "--no-examples", is_flag=True, help="neither load examples/handlers.py nor apply examples/definitions.json"
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="the folder whose .local/ keeps data, keys and logs  [default: this one]",
)
@click.option("--lease-ms", type=click.IntRange(1_000, 3_600_000), help="life of the leader's lock")
@click.option("--worker-ttl-ms", type=click.IntRange(1_000, 3_600_000), help="a worker silent for so long is lost")
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="handlers that the workers load")
@click.option("--quiet", is_flag=True, help="print no line for each run")
@settings_options
def command(
    settings: Settings,
    *,
    tickers: int,
    workers: int,
    port: int,
    no_examples: bool,
    directory: Path,
    lease_ms: int | None,
    worker_ttl_ms: int | None,
    imports: tuple[str, ...],
    quiet: bool,
) -> None:
    """Start the whole service here: private servers, api, tickers, workers, projector. Ctrl-C stops all of it."""
    _refuse_what_is_decided_here(settings)
    shape = Shape(
        directory=directory.resolve(),
        code=Path.cwd(),
        tickers=tickers,
        workers=workers,
        port=port,
        examples=not no_examples and not settings.production,
        lease_ms=lease_ms,
        worker_ttl_ms=worker_ttl_ms,
        imports=imports,
        follow=not quiet,
        options=tuple(given_options(without=MERGED_HERE)),
    )
    clock = SystemClock()
    console = Console(clock)
    stack = LocalStack(shape, settings, env=os.environ, clock=clock, console=console)
    raise SystemExit(asyncio.run(run(stack, console, follow=shape.follow)))


def _refuse_what_is_decided_here(settings: Settings) -> None:
    """:raises click.UsageError: a flag would go against what the stack tells its processes."""
    for key, instead in DECIDED_HERE.items():
        if settings.sources[key] == FLAG:
            raise click.UsageError(f"--set {key}: {instead}")


async def run(stack: LocalStack, console: Console, *, follow: bool) -> int:
    """Start, watch until a signal, stop; the exit status."""
    stop = asyncio.Event()
    _on_signals(console, stop, stack.kill_all)
    stopping = asyncio.create_task(stop.wait())
    orphaned = asyncio.create_task(_stop_with_parent(console, stop))
    try:
        starting = asyncio.create_task(stack.start())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
            return 0
        await starting
        await _serve(stack, console, stop, follow=follow)
    except EXPECTED as error:
        console.say(f"up failed: {error}")
        return 1
    else:
        return 0
    finally:
        stopping.cancel()
        orphaned.cancel()
        await stack.stop()
        console.say("stopped")


async def _serve(stack: LocalStack, console: Console, stop: asyncio.Event, *, follow: bool) -> None:
    stack.table()
    console.say("READY; Ctrl-C stops all of it")
    followers: list[asyncio.Task[None]] = []
    if follow and stack.keys is not None:
        followers.append(asyncio.create_task(Follower(console, stack.url, stack.keys.admin, stack.started_at).run()))
    try:
        await stack.watch(stop)
    finally:
        for follower in followers:
            follower.cancel()


async def _stop_with_parent(console: Console, stop: asyncio.Event) -> None:
    """`make up` names itself as the parent: killed, it must not leave the stack behind. Others name nobody."""
    parent = int(os.environ.get(PARENT_VARIABLE, "0"))
    if parent and parent == os.getppid():
        await parent_gone(parent)
        console.say("the parent is gone: stopping")
        stop.set()


def _on_signals(console: Console, stop: asyncio.Event, kill_all: Callable[[], None]) -> None:
    """The first signal stops in order; another one a second later or more ends everything at once.

    Sooner ones are the same wish: a terminal, `make` and `timeout` may each pass on what they got.
    """
    loop = asyncio.get_running_loop()
    first_at = 0.0

    def react(number: signal.Signals) -> None:
        nonlocal first_at
        if not stop.is_set():
            first_at = loop.time()
            console.say(f"{number.name}: stopping (again to end everything at once)")
            stop.set()
        elif loop.time() - first_at >= INSISTS_AFTER_S:
            console.say(f"{number.name} again: ending everything at once")
            kill_all()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, react, number)
