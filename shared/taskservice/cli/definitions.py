"""`taskservice definitions`: show and apply definitions, over HTTP."""

import asyncio
import json
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, assert_never

import click
import msgspec

from taskservice.cli.plan import Change, Create, Faulty, Step, Unchanged, keys_given_twice, may_match, plan_entry
from taskservice.client import Client, ClientError, Definition, StillPendingError
from taskservice.clock import SystemClock
from taskservice.config import Settings, settings_options

MOST_SHOWN = 120
PATIENCE = 6
"""How often an outcome is waited for, 5 s each."""


@click.group("definitions")
def command() -> None:
    """Definitions: what is to be run, and when."""


@command.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="show what would change and change nothing")
@settings_options
def apply(settings: Settings, file: Path, *, dry_run: bool) -> None:
    """Make the definitions of FILE exist as they stand there.

    FILE is a JSON array of definitions, or an object with them under `definitions`. An entry is matched by its `key`;
    one without a key by taskName, taskHandler and scheduleType among those without a key. Members that an entry leaves
    out get their defaults. ${TASKSERVICE_URL} is the service's address; ${NOW}, ${NOW+10s} are resolved when the
    definition is made or changed otherwise. What the file does not name is left alone.
    """
    entries = read_entries(file)
    try:
        steps = asyncio.run(_apply(settings, entries, dry_run=dry_run))
    except ClientError as error:
        raise click.ClickException(str(error)) from None
    if any(isinstance(step, Faulty) for step in steps):
        raise click.ClickException("nothing was changed: see the faults above")


@command.command("list")
@settings_options
def show(settings: Settings) -> None:
    """Show the definitions of the API key's tenant, newest first."""
    try:
        asyncio.run(_list(settings))
    except ClientError as error:
        raise click.ClickException(str(error)) from None


async def _list(settings: Settings) -> None:
    async with Client(settings.client.url, settings.client.api_key) as client:
        async for one in client.all_definitions():
            state = (one.next_fire_at or "no next fire") if one.enabled else "disabled"
            click.echo(f"{one.id}  {one.schedule_type:<11}  {state:<24}  {one.task_name} ({one.key or 'no key'})")


def read_entries(file: Path) -> list[Any]:
    """The definitions of a file.

    :raises click.ClickException: it can't be read, or holds something else.
    """
    try:
        document = json.loads(file.read_bytes(), parse_constant=_refuse_constant)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{file} is not JSON: {error}") from None
    entries = document.get("definitions") if isinstance(document, dict) else document
    if not isinstance(entries, list):
        raise click.ClickException(f'{file}: must hold an array of definitions, or {{"definitions": [...]}}')
    return entries


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is none of its values")


async def _apply(settings: Settings, entries: list[Any], *, dry_run: bool) -> list[Step]:
    async with Client(settings.client.url, settings.client.api_key) as client:
        now_ms = SystemClock().now_ms()
        return await apply_entries(client, entries, zone=settings.scheduler.time_zone, now_ms=now_ms, dry_run=dry_run)


async def apply_entries(client: Client, entries: list[Any], *, zone: str, now_ms: int, dry_run: bool) -> list[Step]:
    """Plan all entries, then carry the plan out and show it; with a fault anywhere, or `dry_run`, only show it.

    :param zone: of definitions that name none. :param now_ms: what `${NOW}` is.
    :raises ClientError: the service can't be asked.
    :raises click.ClickException: it refuses something; what was shown before is done.
    """
    steps: list[Step] = []
    taken: set[str] = set()
    twice = keys_given_twice(entries)
    for number, entry in enumerate(entries):
        if number in twice:
            problem = f"#/key: entry {twice[number]} has this key already"
            steps.append(Faulty(entry=number, problems=(problem,)))
            continue
        candidates = [one for one in await _candidates(client, entry) if one.id not in taken]
        step = plan_entry(number, entry, candidates, url=client.url, now_ms=now_ms, zone=zone)
        if isinstance(step, Change | Unchanged):
            taken.add(step.existing.id)
        steps.append(step)
    faulty = any(isinstance(step, Faulty) for step in steps)
    for step in steps:
        if not dry_run and not faulty:
            try:
                await _carry_out(client, step)
            except ClientError as error:
                raise click.ClickException(
                    f"entry {step.entry}, {_name(entries[step.entry])}: {error}\nwhat stands above was done"
                ) from None
        _show(step, entries)
    if not faulty:
        click.echo(_summary(steps, dry_run=dry_run))
    return steps


async def _candidates(client: Client, entry: Any) -> list[Definition]:
    if not isinstance(entry, dict):
        return []
    return [one async for one in client.all_definitions(**may_match(entry))]


async def _carry_out(client: Client, step: Step) -> None:
    match step:
        case Create():
            await _create(client, step.body)
        case Change():
            with suppress(StillPendingError):  # accepted: it will be decided as it stands
                await client.replace_definition(step.existing.id, step.body, version=step.existing.version)
        case Unchanged() | Faulty():
            pass
        case _:
            assert_never(step)


async def _create(client: Client, body: dict[str, Any]) -> None:
    """Under one idempotency key, so that asking again for an outcome that takes its time makes nothing twice."""
    idempotency_key = secrets.token_hex(16)
    for _ in range(PATIENCE):
        try:
            await client.create_definition(body, idempotency_key=idempotency_key)
        except StillPendingError:
            continue
        return
    click.echo("             accepted; nobody has decided it yet", err=True)


def _show(step: Step, entries: list[Any]) -> None:
    name = _name(entries[step.entry])
    match step:
        case Create():
            click.echo(f"create     {name}")
        case Change():
            click.echo(f"change     {name}")
            for member, (old, new) in step.differences.items():
                click.echo(f"             {member or 'all'}: {_short(old)} -> {_short(new)}")
        case Unchanged():
            click.echo(f"unchanged  {name}")
        case Faulty():
            click.echo(f"faulty     {name} (entry {step.entry})")
            for problem in step.problems:
                click.echo(f"             {problem}")
        case _:
            assert_never(step)


def _summary(steps: list[Step], *, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    counted = {kind: sum(isinstance(step, kind) for step in steps) for kind in (Create, Change, Unchanged)}
    return f"{counted[Create]} {would}created, {counted[Change]} {would}changed, {counted[Unchanged]} unchanged"


def _name(entry: Any) -> str:
    if not isinstance(entry, dict):
        return "?"
    key = entry.get("key")
    return f"{entry.get('taskName', '?')}" + (f" (key {key})" if key is not None else "")


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"
