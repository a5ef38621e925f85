"""Events of the partition as a whole: its leaders, its losses, its switch, its tenants, its workers, its alarms."""

import msgspec

from taskservice.domain.events.event import Event
from taskservice.domain.tenants import TenantSettings


class DecisionSettings(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The deployment's settings that decisions depend on; in the log, so that replay needs nothing else."""

    misfire_threshold_ms: int = 15_000
    concurrent_limit: int = 20
    """`maxConcurrency` of definitions that name none; 0 = none."""
    max_waiting_fires: int = 1_000
    max_waiting_instances: int = 200_000


class EpochStarted(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """A leader took over: everything older that still writes is refused from here on."""

    epoch: int
    previous_id: str
    leader: str
    settings: DecisionSettings
    version: str
    tzdata: str
    recovering: bool = False
    """Deliveries and reports may be lost: attempts dispatched before this event are LOST once the inbox is read."""


class RecoveryEnded(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Every attempt that a loss left open has been decided."""

    epoch: int


class LogLossDetected(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Something acknowledged is gone: positions `from_position`..`to_position`, or what `what` names."""

    from_position: int
    to_position: int
    what: str


class SchedulerStopped(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Nothing new starts from `effective_at` on."""

    effective_at: int


class SchedulerStarted(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Starts again; undecided instants up to `effective_at` are misfired."""

    effective_at: int


class TenantSettingsChanged(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """All that one tenant has of its own from here on."""

    settings: TenantSettings


class WorkerLost(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """A worker's beat stood still; the entries pending to it (`entries`: `<suffix>|<entry id>`) are asked back."""

    worker: str
    entries: tuple[str, ...] = ()


class AlarmRaised(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Something that the service promised does not happen, and has not since `since`. An EpochStarted ends every alarm.

    `kind` is one of `taskservice.domain.watch.AlarmKind`; a text here, since a later release may know more of them.
    """

    kind: str
    since: int
    detail: str


class AlarmCleared(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """What the alarm of this kind told, from `since` on, is over."""

    kind: str
    since: int
