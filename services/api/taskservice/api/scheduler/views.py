"""The scheduler's status as the contract shows it."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from taskservice.domain.instant_text import rfc3339
from taskservice.domain.status import PartitionStatus

UNDECIDED_ALARM_MS = 60_000


class AlarmView(msgspec.Struct, kw_only=True, rename="camel"):
    """What the watchdog says is amiss."""

    kind: str
    since_at: str


class PartitionView(msgspec.Struct, kw_only=True, rename="camel"):
    """One partition. Leader, lease, lags and alarms are null for keys that are not `platform`."""

    partition: int
    leader: str | None
    epoch: int | None
    lease_expires_at: str | None
    position: int | None
    projected_position: int | None
    projection_lag_ms: int | None
    archived_position: int | None
    oldest_undecided_ms: int | None
    queue_size: int | None
    running: int | None
    next_fire_at: str | None
    alarms: list[AlarmView] | None


class StatusView(msgspec.Struct, kw_only=True, rename="camel"):
    """The whole scheduler."""

    state: Literal["RUNNING", "STOPPED", "LEADERLESS"]
    healthy: bool
    version: str
    server_time: str
    time_zone: str
    tzdata: str
    partitions: list[PartitionView]


class PartitionFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a partition now. `stopped`: by the read model, which is never behind a stop just answered."""

    partition: int
    status: PartitionStatus | None
    stopped: bool
    projected: int | None
    lag_ms: int
    projected_epoch: int = 0
    """Of the last event in the read model: right after a takeover newer than what a leader said last."""


def status_view(
    facts: Sequence[PartitionFacts], *, version: str, now_ms: int, time_zone: str, tzdata: str, platform: bool
) -> StatusView:
    """All partitions as one status."""
    state: Literal["RUNNING", "STOPPED", "LEADERLESS"] = "RUNNING"
    if any(one.status is None for one in facts):
        state = "LEADERLESS"
    elif any(one.stopped for one in facts):
        state = "STOPPED"
    return StatusView(
        state=state,
        healthy=healthy(facts),
        version=version,
        server_time=rfc3339(now_ms),
        time_zone=time_zone,
        tzdata=tzdata,
        partitions=[_partition_view(one, platform=platform) for one in facts],
    )


def healthy(facts: Sequence[PartitionFacts]) -> bool:
    """Every partition has a leader that spoke and raised no alarm, is not stopped, and left nothing due undecided for
    over a minute (which is an alarm as well, unless the leader is too busy to look).
    """
    return all(
        one.status is not None
        and not one.stopped
        and not one.status.alarms
        and one.status.oldest_undecided_ms <= UNDECIDED_ALARM_MS
        for one in facts
    )


def _partition_view(one: PartitionFacts, *, platform: bool) -> PartitionView:
    status = one.status
    shows_leader = status is not None and platform and status.epoch >= one.projected_epoch
    return PartitionView(
        partition=one.partition,
        leader=status.leader if status and shows_leader else None,
        epoch=max(status.epoch, one.projected_epoch) if status else None,
        lease_expires_at=_text(status.lease_expires_at) if status and shows_leader else None,
        # the leader tells its position each second: what is projected may be newer
        position=max(status.position, one.projected or 0) if status else None,
        projected_position=one.projected,
        projection_lag_ms=one.lag_ms if platform else None,
        archived_position=one.projected,  # one transaction writes rows and archive
        oldest_undecided_ms=status.oldest_undecided_ms if status and platform else None,
        queue_size=status.queue_size if status else None,
        running=status.running if status else None,
        next_fire_at=_text(status.next_fire_at) if status else None,
        alarms=_alarms(status) if status and platform else None,
    )


def _alarms(status: PartitionStatus) -> list[AlarmView]:
    return [AlarmView(kind=kind, since_at=rfc3339(since)) for kind, since in sorted(status.alarms.items())]


def _text(instant: int | None) -> str | None:
    return None if instant is None else rfc3339(instant)
