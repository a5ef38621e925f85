"""The scheduler's status."""

from typing import Literal

import msgspec


class Alarm(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the watchdog says is amiss."""

    kind: str
    since_at: str


class Partition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One partition. Leader, lease, lags and alarms are null for keys that are not `platform`."""

    partition: int
    leader: str | None = None
    epoch: int | None = None
    lease_expires_at: str | None = None
    position: int | None = None
    projected_position: int | None = None
    projection_lag_ms: int | None = None
    archived_position: int | None = None
    oldest_undecided_ms: int | None = None
    queue_size: int | None = None
    running: int | None = None
    next_fire_at: str | None = None
    alarms: tuple[Alarm, ...] | None = None


class SchedulerStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole scheduler."""

    state: Literal["RUNNING", "STOPPED", "LEADERLESS"]
    healthy: bool
    version: str
    server_time: str
    time_zone: str
    tzdata: str
    partitions: tuple[Partition, ...]
