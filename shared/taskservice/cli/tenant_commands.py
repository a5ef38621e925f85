"""A tenant's settings on their way into the log: decisions know them from there alone."""

import asyncio
import getpass
import hashlib
import os
import secrets
from typing import Final

import msgspec

from taskservice.cli.exit_codes import CommandFailed, ExitCode
from taskservice.clock import SystemClock
from taskservice.config import Settings
from taskservice.domain.commands import ChangeTenantSettings, encode_command
from taskservice.domain.events import Actor
from taskservice.domain.ids import partition_of, uuid7
from taskservice.domain.tenants import DEPLOYMENT, TenantSettings
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Database
from taskservice.storage.queries import commands
from taskservice.storage.rows import TenantRow
from taskservice.streams.answers import OutOfMemory
from taskservice.streams.batches import Submission
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys

LIMITS: Final = ("max_concurrency", "queue_limits", "starts_per_second", "weight")
LOOKS_S: Final = (0.1, 0.2, 0.5, 1.0, 1.0, 1.0, 1.2)
"""When the table of commands is looked at after a submission: 5 s in all."""


async def with_decided_limits(settings: Settings, database: Database, tenant: TenantRow) -> TenantRow:
    """The row, with the limits that the log has where the row has none: they may be older than the column.

    :raises StorageError: the database can't be asked.
    """
    if (tenant.max_concurrency, tenant.queue_limits, tenant.starts_per_second, tenant.weight) != (None, {}, None, 1):
        return tenant
    decided = await _decided(settings, database, tenant.id)
    return msgspec.structs.replace(tenant, **{name: getattr(decided, name) for name in LIMITS})


async def submit_settings(settings: Settings, database: Database, tenant: TenantRow) -> str:
    """Put all settings of the tenant into the inbox of its partition: those of the row, and what the log has besides.

    Returns the command's id.

    :raises StreamsError: Redis can't be asked. :raises StorageError: the database can't be asked.
    :raises CommandFailed: Redis is full.
    """
    partition = partition_of(tenant.id, settings.scheduler.partitions)
    decided = await _decided(settings, database, tenant.id)
    own = {name: getattr(tenant, name) for name in ("name", "queues", "time_zone", *LIMITS)}
    command = ChangeTenantSettings(
        id=uuid7(SystemClock().now_ms(), secrets.token_bytes(10)),
        tenant_id=tenant.id,
        actor=Actor(type="user", id=login_name()),
        settings=msgspec.structs.replace(decided, **own),
    )
    body = encode_command(command)
    keys = Keys(partition, settings.scheduler.lock_prefix)
    streams = RedisStreams(settings.redis.url, keys, client_name="taskservice-tenants")
    try:
        outcome = await streams.inbox.submit(
            Submission(
                tenant_id=tenant.id,
                command_id=command.id,
                body_sha=hashlib.sha256(body).hexdigest(),
                command=body,
                client_key=None,
            )
        )
    finally:
        await streams.close()
    if isinstance(outcome, OutOfMemory):
        raise CommandFailed("Redis is full; nothing was changed", ExitCode.REFUSED)
    return command.id


async def _decided(settings: Settings, database: Database, tenant_id: str) -> TenantSettings:
    partition = partition_of(tenant_id, settings.scheduler.partitions)
    return (await read_checkpoint(database, partition)).tenants.get(tenant_id, DEPLOYMENT)


async def is_decided(database: Database, command_id: str) -> bool:
    """Whether the leader decided it and the projector wrote so, within 5 s.

    :raises StorageError: the database can't be asked.
    """
    for pause_s in LOOKS_S:
        await asyncio.sleep(pause_s)
        if await commands.by_id(database, [command_id]):
            return True
    return False


def login_name() -> str:
    """Who is at this machine: a name, or a number where there is none, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
