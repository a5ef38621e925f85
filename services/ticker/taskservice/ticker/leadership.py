"""What the parts of one leadership share: its loop (`leader`) and its rounds each second (`rounds`)."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from taskservice.clock import Clock
from taskservice.domain.decide import Arbiter
from taskservice.domain.state import State
from taskservice.domain.watch import Alarm, AlarmKind, Change, WatchBounds
from taskservice.domain.workers import WorkerInfo
from taskservice.lease import StepDownReason, Term
from taskservice.streams.answers import ServerFacts
from taskservice.streams.ports import Streams
from taskservice.streams.server_findings import FindingName
from taskservice.ticker.candidate import Identity
from taskservice.ticker.intake import Intake
from taskservice.ticker.metrics import TickerMetrics
from taskservice.ticker.redis_time import RedisTime
from taskservice.ticker.sightings import Sightings
from taskservice.ticker.surveyor import Sight
from taskservice.ticker.tally import Tally
from taskservice.ticker.upkeep import Upkeep
from taskservice.ticker.windows import Throughput, group_windows

MEMORY_CLOSED = 0.85
"""From this share of Redis' memory on nothing new fires and nothing is dispatched; what is accepted is decided."""
NOT_COMPARED = "not compared yet"
"""The clocks, at the begin of a term."""
RENEW_WINDOWS_MS = 100
GAP_SURVEYS = 3
"""Surveys that may be missing before the workers' clocks start afresh,"""
GAP_SHARE = 3
"""or one in so many parts of a worker's lifetime, if that is longer: room for several beats is left of it."""
MANY_STREAMS = 500
"""From here on windows are renewed each second only."""


class LeaderSettings(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`scan_interval_ms`: longest sleep. `page`: inbox entries a read. `worker_ttl_ms`: a beat may stand still so long.

    `survey_ms`: how often workers and streams are looked at. `watch`: how long what may last before it is an alarm.
    `allowed_findings`: what the operator has accepted of Redis.
    """

    scan_interval_ms: int = 10_000
    page: int = 100
    worker_ttl_ms: int = 15_000
    survey_ms: int = 1_000
    watch: WatchBounds = WatchBounds()
    allowed_findings: frozenset[FindingName] = frozenset()

    @property
    def longest_gap_ms(self) -> int:
        """Longest span between two looks at the workers that is no gap.

        On a machine that is so busy that each look is late, a lost worker must be missed all the same.
        """
        return max(GAP_SURVEYS * self.survey_ms, self.worker_ttl_ms // GAP_SHARE)


class LostWorker(msgspec.Struct, frozen=True, gc=False):
    """To be declared lost, with what is pending to it as (suffix, entry id)."""

    worker: str
    entries: list[tuple[str, str]]


class AlarmChange(msgspec.Struct, frozen=True, gc=False):
    """To be told in the log, as of `now` (ms since the epoch)."""

    change: Change
    now: int


@dataclass(slots=True, kw_only=True)
class Leadership:
    """One term. What is decided is in `state` at once; `confirmed_position` is what the log has."""

    term: Term
    state: State
    arbiter: Arbiter
    streams: Streams
    clock: Clock
    time: RedisTime
    settings: LeaderSettings
    identity: Identity
    metrics: TickerMetrics
    intake: Intake
    upkeep: Upkeep
    tally: Tally
    sightings: Sightings
    trusted: Callable[[], bool]
    """Whether this process may decide now."""
    lease_ends_at: Callable[[], int]
    """When the lock ends if it is not renewed, in ms since the epoch."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    look_soon: asyncio.Event = field(default_factory=asyncio.Event)
    throughput: Throughput = field(default_factory=Throughput)
    losses: deque[LostWorker] = field(default_factory=deque)
    alarms: Mapping[AlarmKind, Alarm] = field(default_factory=dict)
    """What is on now."""
    alarm_changes: deque[AlarmChange] = field(default_factory=deque)
    vain_ms: int = 0
    """How long this process had tried in vain to lead before this term."""
    sight: Sight | None = None
    windows_renewed_at: int = 0
    clock_trouble: str | None = NOT_COMPARED
    """Why nothing is decided by the clock."""
    memory_ratio: float = 0.0
    server: ServerFacts | None = None
    """What Redis last said of itself."""
    stream_entries: dict[str, int] = field(default_factory=dict)
    """As `PartitionStatus.streams`."""
    dispatch_pending: int = 0
    """Dispatch entries that were taken and not ended, when `stream_entries` were counted."""
    confirmed_position: int = 0
    ending: StepDownReason | None = None

    def end(self, reason: StepDownReason) -> None:
        """Lead no longer, for the first reason that is given."""
        if self.ending is None:
            self.ending = reason
        self.wake.set()

    @property
    def memory_closed(self) -> bool:
        """Too little memory left for anything new."""
        return self.memory_ratio >= MEMORY_CLOSED

    def renew_windows(self) -> None:
        """Compute the dispatch windows from what is known now."""
        now = self.clock.monotonic_ms()
        self.windows_renewed_at = now
        sight = self.sight
        if sight is None:
            return
        if self.memory_closed:
            self.arbiter.renew_windows(())
            return
        workers = self.live_workers(sight)
        windows = group_windows(workers, sight.streams, lambda worker: self.throughput.prefetch(worker, now))
        self.arbiter.renew_windows(windows)

    def live_workers(self, sight: Sight) -> dict[str, WorkerInfo]:
        """Of the workers in `sight` those that may take runs now."""
        live = self.sightings.live(self.clock.monotonic_ms())
        return {
            name: worker
            for name, worker in sight.workers.items()
            if name in live or not self.sightings.knows(name)  # the latter came since the last full look
        }

    def refresh_windows(self) -> None:
        """`renew_windows` when reports came and the last one is some time ago: the prefetch follows the pace."""
        sight = self.sight
        if sight is None or len(sight.streams) > MANY_STREAMS:
            return
        if self.clock.monotonic_ms() - self.windows_renewed_at >= RENEW_WINDOWS_MS:
            self.renew_windows()
