"""`taskservice keys`: API keys, written straight into the database. An api knows of a change within 3 s."""

from collections.abc import AsyncIterator

import click
import msgspec

from taskservice.cli.cells import Id, Moment, Status
from taskservice.cli.confirming import confirm, yes_option
from taskservice.cli.examples import examples
from taskservice.cli.exit_codes import CommandFailed, ExitCode
from taskservice.cli.on_database import with_database
from taskservice.cli.output import Column, Output
from taskservice.clock import SystemClock
from taskservice.config import Settings, settings_options
from taskservice.domain.commands import Role
from taskservice.domain.instant_text import rfc3339
from taskservice.storage.database import Database
from taskservice.storage.keys import create_key, list_keys, revoke_key
from taskservice.storage.rows import KeySummary, NewKey
from taskservice.storage.tenants import create_tenant

ROLES: dict[str, Role] = {"VIEWER": "VIEWER", "OPERATOR": "OPERATOR", "ADMIN": "ADMIN"}
LONGEST_NAME = 100
LEAST_PREFIX = 8


class ShownKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key as a list shows it: never the key itself."""

    id: str
    tenant_id: str
    role: Role
    platform: bool
    name: str
    status: str
    created_at: str
    revoked_at: str | None


COLUMNS: tuple[Column[ShownKey], ...] = (
    Column("ID", lambda one: Id(one.id)),
    Column("TENANT", lambda one: one.tenant_id),
    Column("ROLE", lambda one: one.role + (", platform" if one.platform else "")),
    Column("STATE", lambda one: Status(one.status)),
    Column("CREATED", lambda one: Moment(one.created_at)),
    Column("NAME", lambda one: one.name, gives_way=True),
)


@click.group("keys")
def command() -> None:
    """API keys. They work on the database itself: whoever may write there may make keys.

    KEY is the id of a key, or the beginning of one (8 digits at least); never the key itself.
    """


@command.command(
    "create",
    epilog=examples(
        "taskservice keys create --tenant acme --role operator --name ci",
        "taskservice keys create --tenant ops --role admin --platform --json | jq -r .key",
    ),
)
@click.option("--tenant", required=True, help="whose key it is; a tenant that does not exist is made")
@click.option("--role", required=True, type=click.Choice(list(ROLES), case_sensitive=False), help="what it may do")
@click.option("--platform", is_flag=True, help="may stop and start the scheduler, which concerns every tenant")
@click.option("--name", default="", help="for people")
@click.option("--json", "as_json", is_flag=True, help="one JSON object on a line")
@settings_options
def create(settings: Settings, tenant: str, role: str, *, platform: bool, name: str, as_json: bool) -> None:
    """Make a key and show it, this once: only its hash is stored."""
    if len(name) > LONGEST_NAME:
        raise click.UsageError(f"--name: at most {LONGEST_NAME} characters")

    async def work(database: Database) -> NewKey:
        await create_tenant(database, tenant)
        return await create_key(database, tenant, ROLES[role.upper()], platform=platform, name=name)

    key = with_database(settings, work)
    if as_json:
        shown = {
            "id": key.id,
            "tenantId": key.tenant_id,
            "role": key.role,
            "platform": key.platform,
            "key": key.key,
        }
        click.echo(msgspec.json.encode(shown).decode())
        return
    click.echo(f"{key.key}")
    kind = f"{key.role}{', platform' if key.platform else ''}"
    click.echo(f"{kind} of tenant {key.tenant_id}, id {key.id}; shown this once", err=True)


@command.command(
    "list",
    epilog=examples(
        "taskservice keys list --tenant acme",
        "taskservice keys list --revoked --json | jq -r 'select(.platform) | .id'",
    ),
)
@click.option("--tenant", help="of this tenant alone")
@click.option("--revoked", is_flag=True, help="revoked ones, too")
@click.option("--json", "as_json", is_flag=True, help="one JSON object on a line for each")
@settings_options
def show_all(settings: Settings, *, tenant: str | None, revoked: bool, as_json: bool) -> None:
    """Show keys, oldest first: whose they are and what they may do. A key itself is stored nowhere."""
    out = Output(as_json=as_json, now_ms=SystemClock().now_ms())

    async def work(database: Database) -> None:
        shown = (
            shown_key(one)
            for one in await list_keys(database)
            if (tenant is None or one.tenant_id == tenant) and (revoked or one.revoked_at is None)
        )
        await out.list(_each(list(shown)), COLUMNS, of="keys")

    with_database(settings, work)


@command.command("revoke", epilog=examples("taskservice keys revoke 0199c3a1 --yes"))
@click.argument("key")
@yes_option
@click.option("--json", "as_json", is_flag=True, help="one JSON object on a line")
@settings_options
def revoke(settings: Settings, key: str, *, yes: bool, as_json: bool) -> None:
    """End a key's life: every api refuses it within 3 s, for ever. A request under way is finished."""
    found = with_database(settings, lambda database: _find(database, key))
    if found.revoked_at is not None:
        raise CommandFailed(f"{found.id} was revoked at {rfc3339(found.revoked_at)}", ExitCode.REFUSED)
    name = f" {found.name!r}" if found.name else ""
    confirm(f"Revoke the {found.role} key{name} of tenant {found.tenant_id} ({found.id})?", yes=yes)
    with_database(settings, lambda database: revoke_key(database, found.id))
    if as_json:
        click.echo(msgspec.json.encode({"id": found.id, "revoked": True}).decode())
    else:
        click.echo(f"revoked {found.id}; refused within 3 s")


def shown_key(one: KeySummary) -> ShownKey:
    """A key for a list."""
    return ShownKey(
        id=one.id,
        tenant_id=one.tenant_id,
        role=one.role,
        platform=one.platform,
        name=one.name,
        status="valid" if one.revoked_at is None else "revoked",
        created_at=rfc3339(one.created_at),
        revoked_at=None if one.revoked_at is None else rfc3339(one.revoked_at),
    )


async def _each(items: list[ShownKey]) -> AsyncIterator[ShownKey]:
    for one in items:
        yield one


async def _find(database: Database, reference: str) -> KeySummary:
    found = [one for one in await list_keys(database) if one.id.startswith(reference)]
    if len(found) == 1 and len(reference) >= LEAST_PREFIX:
        return found[0]
    if len(found) > 1 and len(reference) >= LEAST_PREFIX:
        raise CommandFailed(f"more than one key's id begins with {reference}", ExitCode.REFUSED)
    raise CommandFailed(f"no key has an id that begins with {reference} (8 digits at least)", ExitCode.REFUSED)
