"""The fire ledger and backfills."""

from typing import Any

import msgspec

from taskservice.client.values.instance import Actor


class Silence(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A span without a leader."""

    begin_at: str
    end_at: str


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was decided about one nominal instant, or about `count` of them from `fire_time` to `until`.

    :ivar members: everything that the service answered, by the contract's names.
    """

    fire_time: str
    outcome: str
    definition_version: int
    reason: str | None = None
    until: str | None = None
    count: int | None = None
    task_instance_id: str | None = None
    blocked_by: str | None = None
    limited_by: str | None = None
    actor: Actor | None = None
    position: int | None = None
    decided_at: str | None = None
    silence: Silence | None = None
    members: dict[str, Any] = {}


class DisabledSpan(msgspec.Struct, frozen=True, kw_only=True, rename={"begin": "from", "end": "to"}):
    """A span without due instants; `end` null = it still lasts."""

    begin: str
    end: str | None
    reason: str
    actor: Actor | None = None


class LedgerPage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of the ledger, oldest first; `ranges` are those of the whole range."""

    items: tuple[LedgerEntry, ...]
    ranges: tuple[DisabledSpan, ...] = ()
    next_cursor: str | None = None


class BackfillVersion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What runs under one version."""

    definition_version: int
    count: int
    first_fire_time: str
    last_fire_time: str


class BackfillFire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An instant that runs, and the version in force at it."""

    fire_time: str
    definition_version: int


class Backfill(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a backfill started, or would start; `command_id` null = nothing was started."""

    task_definition_id: str
    count: int
    command_id: str | None = None
    dry_run: bool = False
    max_concurrency: int | None = None
    ran_before: int = 0
    first_fire_time: str | None = None
    last_fire_time: str | None = None
    versions: tuple[BackfillVersion, ...] = ()
    samples: tuple[BackfillFire, ...] = ()


class CancelledBackfill(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A backfill that was cancelled; `open` of its runs have not ended yet."""

    command_id: str
    task_definition_id: str
    open: int
