"""`.local/stack.json` (API.md §12): what runs where, for the command line run in this folder and for tests."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from taskservice.config.local_stack import STACK_CLOCKS

LOCAL = ".local"
NAME = "stack.json"


class TenantKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A tenant and a key of it."""

    tenant_id: str
    api_key: str


class ProcessEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One process of the stack; pid null while it does not run."""

    name: str
    role: str
    pid: int | None
    started_at: str | None
    restarts: int
    ready: bool
    url: str | None
    log: str


class Stack(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole file. Members that are not known yet, in state STARTING, are null."""

    version: int = 1
    state: Literal["STARTING", "READY", "STOPPING"]
    pid: int
    dir: str
    started_at: str
    url: str
    tenant_id: str
    api_key: str | None
    other_tenant: TenantKey | None
    viewer_key: str | None
    operator_key: str | None
    redis_url: str
    mysql_url: str
    redis_version: str
    mysql_version: str
    partitions: int
    processes: list[ProcessEntry]


class StackFile:
    """The file of the stack in `directory`; readable by its owner alone, never seen half written."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / LOCAL / NAME
        self._clocks = self.path.with_name(STACK_CLOCKS)

    def write(self, stack: Stack) -> None:
        """Replace it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".json.new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(stack), indent=2) + b"\n")
        draft.replace(self.path)

    def write_clocks(self, clocks: Mapping[str, int]) -> None:
        """Lease and worker TTL that this stack was given, for workers started beside it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._clocks.write_bytes(msgspec.json.encode(clocks))

    def read(self) -> Stack | None:
        """What it says; None when there is none that can be read."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Stack)
        except (OSError, msgspec.DecodeError):
            return None

    def remove(self) -> None:
        """Remove it, if it is there."""
        self.path.unlink(missing_ok=True)
        self._clocks.unlink(missing_ok=True)


def instant(at_ms: int) -> str:
    """RFC 3339 in UTC with three decimals, as the API writes instants.

    :param at_ms: milliseconds since the Unix epoch.
    """
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
