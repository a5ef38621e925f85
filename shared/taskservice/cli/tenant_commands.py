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
from taskservice.domain.tenants import DEPLOYMENT
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Database
from taskservice.storage.queries import commands
from taskservice.storage.rows import TenantRow
from taskservice.streams.answers import OutOfMemory
from taskservice.streams.batches import Submission
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys

LOOKS_S: Final = (0.1, 0.2, 0.5, 1.0, 1.0, 1.0, 1.2)
"""When the table of commands is looked at after a submission: 5 s in all."""


async def submit_settings(settings: Settings, database: Database, tenant: TenantRow) -> str:
    """Put all settings of the tenant into the inbox of its partition: those of the row, and what the log has besides.

    Returns the command's id.

    :raises StreamsError: Redis can't be asked. :raises StorageError: the database can't be asked.
    :raises CommandFailed: Redis is full.
    """
    partition = partition_of(tenant.id, settings.scheduler.partitions)
    decided = (await read_checkpoint(database, partition)).tenants.get(tenant.id, DEPLOYMENT)
    command = ChangeTenantSettings(
        id=uuid7(SystemClock().now_ms(), secrets.token_bytes(10)),
        tenant_id=tenant.id,
        actor=Actor(type="user", id=login_name()),
        settings=msgspec.structs.replace(decided, name=tenant.name, queues=tenant.queues, time_zone=tenant.time_zone),
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
