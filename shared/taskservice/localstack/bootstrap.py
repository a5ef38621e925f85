"""What a new stack needs before its services can work: tables, tenants with keys, the example definitions.

Everything goes through the command line that an operator would use, as processes of their own.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import msgspec

DEFAULT_TENANT: Final = "default"
OTHER_TENANT: Final = "other"
COMMAND_TIMEOUT_S: Final = 120.0
KEY_CHECK_TIMEOUT_S: Final = 5.0


class BootstrapError(Exception):
    """A step of the start failed; the message holds the command and what it said."""


class Keys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The keys of a local stack, kept between its runs.

    :ivar admin: ADMIN of the default tenant, and `platform`.
    :ivar other_admin: ADMIN of the other tenant, for tests of isolation.
    """

    admin: str
    viewer: str
    operator: str
    other_admin: str


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Where the keys are kept; readable by its owner alone."""

    path: Path

    def read(self) -> Keys | None:
        """The keys of the last run; None when there are none."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Keys)
        except (OSError, msgspec.DecodeError):
            return None

    def write(self, keys: Keys) -> None:
        """Keep them."""
        with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(keys) + b"\n")


class _CreatedKey(msgspec.Struct, frozen=True):
    key: str


async def run_cli(arguments: Sequence[str], env: Mapping[str, str], cwd: Path) -> str:
    """Run `taskservice ARGUMENTS`; what it printed on stdout.

    :raises BootstrapError: when it fails or takes too long.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "taskservice.cli.main", *arguments),
        env=dict(env),
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        raise BootstrapError(f"taskservice {' '.join(arguments)} took more than {COMMAND_TIMEOUT_S:g} s") from None
    if process.returncode:
        said = (err + out).decode("utf-8", "replace").strip()
        raise BootstrapError(f"taskservice {' '.join(arguments)} ended with status {process.returncode}:\n{said}")
    return out.decode("utf-8", "replace")


async def create_keys(env: Mapping[str, str], cwd: Path) -> Keys:
    """New keys for both tenants, which are made if they are not there.

    :raises BootstrapError: see `run_cli`.
    """

    async def create(tenant: str, role: str, *flags: str) -> str:
        arguments = ("keys", "create", "--tenant", tenant, "--role", role, *flags, "--json")
        text = await run_cli(arguments, env, cwd)
        try:
            return msgspec.json.decode(text, type=_CreatedKey).key
        except msgspec.DecodeError as error:
            raise BootstrapError(f"taskservice {' '.join(arguments)} did not answer with a key: {error}") from error

    # The first one makes the tenant; the rest may run beside each other.
    admin = await create(DEFAULT_TENANT, "admin", "--platform")
    viewer, operator, other_admin = await asyncio.gather(
        create(DEFAULT_TENANT, "viewer"), create(DEFAULT_TENANT, "operator"), create(OTHER_TENANT, "admin")
    )
    return Keys(admin=admin, viewer=viewer, operator=operator, other_admin=other_admin)


async def key_is_known(url: str, key: str) -> bool:
    """Whether the api takes this key: a database made anew does not know the keys that were kept."""
    async with httpx.AsyncClient(base_url=url, timeout=KEY_CHECK_TIMEOUT_S, trust_env=False) as client:
        try:
            answer = await client.get(
                "/api/v1/tasks/definitions", params={"limit": 1}, headers={"Authorization": f"Bearer {key}"}
            )
        except httpx.HTTPError:
            return True  # no answer is no proof against the key
    return answer.status_code != httpx.codes.UNAUTHORIZED
