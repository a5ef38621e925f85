"""`taskservice keys`: API keys, written straight into the database."""

import asyncio

import click
import msgspec

from taskservice.config import Settings, settings_options
from taskservice.domain.commands import Role
from taskservice.storage.database import open_database
from taskservice.storage.errors import StorageError
from taskservice.storage.keys import create_key, create_tenant
from taskservice.storage.rows import NewKey

ROLES: dict[str, Role] = {"VIEWER": "VIEWER", "OPERATOR": "OPERATOR", "ADMIN": "ADMIN"}

LONGEST_NAME = 100


@click.group("keys")
def command() -> None:
    """API keys."""


@command.command("create")
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
    try:
        key = asyncio.run(_create(settings, tenant, ROLES[role.upper()], platform=platform, name=name))
    except (StorageError, ValueError) as error:
        raise click.ClickException(str(error)) from None
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


async def _create(settings: Settings, tenant: str, role: Role, *, platform: bool, name: str) -> NewKey:
    database = open_database(settings.mysql.url, connections=1)
    try:
        await create_tenant(database, tenant)
        return await create_key(database, tenant, role, platform=platform, name=name)
    finally:
        await database.close()
