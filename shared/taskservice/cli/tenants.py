"""`taskservice tenants`: who works with the service, and what they may use.

A tenant is a row that every api caches for 3 s, and settings in the log of its partition, by which the leader decides.
The log is written first: what the leader does not allow is never shown as allowed for longer than those seconds.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeVar

import click
import msgspec

from taskservice.cli.examples import examples
from taskservice.cli.exit_codes import CommandFailed, ExitCode
from taskservice.cli.on_database import with_database
from taskservice.cli.output import Column, Output
from taskservice.cli.tenant_commands import is_decided, submit_settings, with_decided_limits
from taskservice.clock import SystemClock
from taskservice.config import Settings, settings_options
from taskservice.config.keys import SETTINGS
from taskservice.domain.schedule.zones import is_zone
from taskservice.storage.database import Database
from taskservice.storage.rows import TenantRow
from taskservice.storage.tenants import (
    change_tenant,
    check_tenant,
    create_tenant,
    definitions_by_queue,
    find_tenant,
    load_tenants,
)

Command = TypeVar("Command", bound=Callable[..., Any])

MOST_RUNS: Final = 1_000_000
MOST_STARTS: Final = 100_000
MOST_WEIGHT: Final = 1_000


class ShownTenant(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A tenant as lists show it; null = the deployment's."""

    id: str
    name: str
    queues: tuple[str, ...] | None
    time_zone: str | None
    max_concurrency: int | None
    queue_limits: dict[str, int]
    starts_per_second: int | None
    weight: int


def _limits_text(one: ShownTenant) -> str:
    """`50 at once, gpu 2, 20/s, weight 3`."""
    parts = [] if one.max_concurrency is None else [f"{one.max_concurrency} at once"]
    parts += [f"{queue} {limit}" for queue, limit in sorted(one.queue_limits.items())]
    if one.starts_per_second is not None:
        parts.append(f"{one.starts_per_second}/s")
    if one.weight != 1:
        parts.append(f"weight {one.weight}")
    return ", ".join(parts) or "(none)"


COLUMNS: tuple[Column[ShownTenant], ...] = (
    Column("ID", lambda one: one.id),
    Column("QUEUES", lambda one: "(deployment's)" if one.queues is None else ",".join(one.queues) or "(none)"),
    Column("TIME ZONE", lambda one: one.time_zone or "(deployment's)"),
    Column("LIMITS", _limits_text),
    Column("NAME", lambda one: one.name, gives_way=True),
)


def _queues(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """As the setting app.task.tenant.queues reads them, so that both allow the same."""
    del ctx
    try:
        read = SETTINGS["app.task.tenant.queues"].read(list(value))
    except ValueError as error:
        raise click.BadParameter(str(error), param=param) from None
    return tuple(dict.fromkeys(read)) if isinstance(read, tuple) else ()


def _queue_limits(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in value:
        queue, _, number = text.rpartition("=")
        if not queue or not number.isascii() or not number.isdigit() or not 1 <= int(number) <= MOST_RUNS:
            raise click.BadParameter(f"{text!r}: QUEUE=N is wanted, N from 1 to {MOST_RUNS:,}", param=param)
        found[_queues(ctx, param, (queue,))[0]] = int(number)
    return found


def _zone(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    del ctx
    if value is not None and not is_zone(value):
        raise click.BadParameter(f"{value!r} is no IANA time zone such as Asia/Shanghai", param=param)
    return value


queue_option = click.option(
    "--queue", "queues", multiple=True, callback=_queues, help="a queue that it may use; repeatable"
)
zone_option = click.option("--time-zone", callback=_zone, help="IANA zone of its definitions that name none")
json_option = click.option("--json", "as_json", is_flag=True, help="one JSON object on a line")


_LIMIT_OPTIONS = (
    click.option("--max-concurrency", type=click.IntRange(1, MOST_RUNS), help="attempts dispatched at once"),
    click.option("--no-max-concurrency", is_flag=True, help="as many at once as there are slots"),
    click.option(
        "--queue-limit",
        "queue_limits",
        multiple=True,
        metavar="QUEUE=N",
        callback=_queue_limits,
        help="attempts of a queue dispatched at once; repeatable, other queues keep theirs",
    ),
    click.option(
        "--no-queue-limit", "unlimited", multiple=True, metavar="QUEUE", help="lift the limit of a queue; repeatable"
    ),
    click.option("--starts-per-second", type=click.IntRange(1, MOST_STARTS), help="attempts dispatched a second"),
    click.option("--no-starts-per-second", is_flag=True, help="start as fast as there are slots"),
    click.option("--weight", type=click.IntRange(1, MOST_WEIGHT), help="share of what several tenants want at once"),
)


def limit_options(function: Command) -> Command:
    """The options that set and lift what a tenant may use at once."""
    for option in reversed(_LIMIT_OPTIONS):
        function = option(function)
    return function


@click.group("tenants")
def command() -> None:
    """Tenants: who works with the service, and what they may use."""


@command.command(
    "create",
    epilog=examples(
        "taskservice tenants create acme",
        'taskservice tenants create acme --name "Acme Inc." --queue default --queue gpu --time-zone Asia/Shanghai',
    ),
)
@click.argument("tenant")
@click.option("--name", default="", help="for people")
@queue_option
@zone_option
@json_option
@settings_options
def create(
    settings: Settings, tenant: str, *, name: str, queues: tuple[str, ...], time_zone: str | None, as_json: bool
) -> None:
    """Make a tenant. Without queues or zone it has the deployment's (settings app.task.tenant.queues, time-zone)."""
    row = TenantRow(id=tenant, name=name or tenant, queues=queues or None, time_zone=time_zone)

    async def work(database: Database) -> bool:
        check_tenant(row.id, row.name)
        if await find_tenant(database, tenant) is not None:
            raise CommandFailed(f"there is a tenant {tenant!r}: `tenants set` changes it", ExitCode.REFUSED)
        decided = await _into_the_log(settings, database, row) if row.queues or row.time_zone else True
        await create_tenant(database, row.id, row.name, queues=row.queues, time_zone=row.time_zone)
        return decided

    _tell(row, decided=with_database(settings, work), as_json=as_json, done="created")


@command.command("list", epilog=examples("taskservice tenants list", "taskservice tenants list --json | jq -r .id"))
@json_option
@settings_options
def show_all(settings: Settings, *, as_json: bool) -> None:
    """Show all tenants."""
    out = Output(as_json=as_json, now_ms=SystemClock().now_ms())

    async def work(database: Database) -> None:
        await out.list(_each(await load_tenants(database)), COLUMNS, of="tenants")

    with_database(settings, work)


@command.command(
    "set",
    epilog=examples(
        "taskservice tenants set acme --queue default --queue gpu",
        "taskservice tenants set acme --default-queues --time-zone Europe/Berlin",
        "taskservice tenants set acme --max-concurrency 50 --queue-limit gpu=2 --starts-per-second 20 --weight 3",
        "taskservice tenants set acme --no-max-concurrency --no-queue-limit gpu --no-starts-per-second",
    ),
)
@click.argument("tenant")
@click.option("--name", help="for people")
@queue_option
@click.option("--default-queues", is_flag=True, help="the deployment's queues instead of its own")
@zone_option
@click.option("--default-time-zone", is_flag=True, help="the deployment's zone instead of its own")
@limit_options
@json_option
@settings_options
def change(settings: Settings, tenant: str, *, as_json: bool, **given: Any) -> None:
    """Change a tenant; what is not named stays. The queues given are all that it has from then on.

    A queue that is withdrawn is refused to definitions that are made or changed from then on. Definitions that name it
    go on firing there until somebody changes or disables them; how many there are is said. Another zone moves no
    definition: its zone was resolved when it was made.

    Limits count attempts that are dispatched; a run that meets one waits, and its `waitingFor` names it. Slots that several
    tenants want at once are shared out in proportion to their weights; a tenant has 1 unless it is given another.
    """
    _refuse_contradictions(given)

    async def work(database: Database) -> tuple[TenantRow, bool]:
        old = await find_tenant(database, tenant)
        if old is None:
            raise CommandFailed(f"there is no tenant {tenant!r}", ExitCode.REFUSED)
        new = changed(await with_decided_limits(settings, database, old), given)
        check_tenant(new.id, new.name)
        decided = await _into_the_log(settings, database, new)
        await change_tenant(database, new)
        await _warn_of_stranded(database, new)
        return new, decided

    row, decided = with_database(settings, work)
    _tell(row, decided=decided, as_json=as_json, done="changed")


def changed(old: TenantRow, given: dict[str, Any]) -> TenantRow:
    """The row with what the options name."""
    queues = None if given["default_queues"] else given["queues"] or old.queues
    zone = None if given["default_time_zone"] else given["time_zone"] or old.time_zone
    of_queues = {**old.queue_limits, **given["queue_limits"]}
    return TenantRow(
        id=old.id,
        name=given["name"] or old.name,
        queues=queues,
        time_zone=zone,
        max_concurrency=None if given["no_max_concurrency"] else given["max_concurrency"] or old.max_concurrency,
        queue_limits={queue: limit for queue, limit in of_queues.items() if queue not in given["unlimited"]},
        starts_per_second=(
            None if given["no_starts_per_second"] else given["starts_per_second"] or old.starts_per_second
        ),
        weight=given["weight"] or old.weight,
    )


def _refuse_contradictions(given: dict[str, Any]) -> None:
    for own, default in (
        ("queues", "default_queues"),
        ("time_zone", "default_time_zone"),
        ("max_concurrency", "no_max_concurrency"),
        ("starts_per_second", "no_starts_per_second"),
    ):
        if given[own] and given[default]:
            option = "--queue" if own == "queues" else f"--{own.replace('_', '-')}"
            raise click.UsageError(f"{option} and --{default.replace('_', '-')} contradict each other")
    both = given["queue_limits"].keys() & set(given["unlimited"])
    if both:
        raise click.UsageError(f"--queue-limit and --no-queue-limit contradict each other: {', '.join(sorted(both))}")
    if not any(given.values()):
        raise click.UsageError("nothing to change: name one of the options")


async def _into_the_log(settings: Settings, database: Database, row: TenantRow) -> bool:
    return await is_decided(database, await submit_settings(settings, database, row))


async def _warn_of_stranded(database: Database, row: TenantRow) -> None:
    if row.queues is None:
        return
    for queue, count in (await definitions_by_queue(database, row.id)).items():
        if queue not in row.queues:
            noun = "definition names" if count == 1 else "definitions name"
            click.echo(f"{count} {noun} the queue {queue}: they go on firing there until they are changed", err=True)


def _tell(row: TenantRow, *, decided: bool, as_json: bool, done: str) -> None:
    if as_json:
        click.echo(msgspec.json.encode(shown_tenant(row)).decode())
    else:
        click.echo(f"{done} {row.id}; every api knows within 3 s")
    if not decided:
        raise CommandFailed("the scheduler has not decided it yet; it will when somebody leads", ExitCode.PENDING)


def shown_tenant(row: TenantRow) -> ShownTenant:
    """A tenant for a list."""
    return ShownTenant(
        id=row.id,
        name=row.name,
        queues=row.queues,
        time_zone=row.time_zone,
        max_concurrency=row.max_concurrency,
        queue_limits=row.queue_limits,
        starts_per_second=row.starts_per_second,
        weight=row.weight,
    )


async def _each(rows: list[TenantRow]) -> AsyncIterator[ShownTenant]:
    for row in rows:
        yield shown_tenant(row)
