"""A slow model of a partition: definitions with what they are due for, runs with how far they are."""

from dataclasses import dataclass, field
from typing import Literal

from tests.simulation.checking.due_instants import due_after
from tests.simulation.fabric import Logged

from taskservice.domain import events as e
from taskservice.domain.definition.spec import SCHEDULE_FIELDS, DefinitionSpec
from taskservice.domain.tenants import DEPLOYMENT, TenantSettings

Stage = Literal["WAITING", "DISPATCHED", "SUCCESS", "FAILED", "CANCELLED"]


@dataclass
class Run:
    """An instance."""

    id: str
    definition_id: str
    tenant: str
    origin: e.Origin
    fire_time: int
    spec: DefinitionSpec
    created_at: int
    due_at: int
    command_id: str = ""
    backfill_limit: int | None = None
    stage: Stage = "WAITING"
    attempt: int = 0
    next_attempt: int = 1
    entry: int = 0
    """Position of its open dispatch entry."""
    not_before: int = 0
    started: bool = False
    cancelled: bool = False
    past_deadline: bool = False
    by_hand: bool = False
    failures: int = 0
    losses: int = 0

    @property
    def is_open(self) -> bool:
        return self.stage in {"WAITING", "DISPATCHED"}


@dataclass
class Plan:
    """A definition. `decided_until`: every instant up to here has its decision, or was never due."""

    id: str
    tenant: str
    spec: DefinitionSpec
    enabled: bool
    decided_until: int
    grid_start: int
    version: int = 1
    versions: dict[int, DefinitionSpec] = field(default_factory=dict)
    last_decided: int | None = None
    known_since: int = 0
    """Since when its next instant can be known."""
    armed: int | None = None
    delay_run: str = ""
    deleted: bool = False
    open: dict[str, Run] = field(default_factory=dict)
    judged_at: int = 0
    """The latest instant whose decision looked at what was active."""

    def next_due(self) -> int | None:
        """The next instant that needs a decision."""
        if self.deleted or not self.enabled:
            return None
        return self.due_after(self.decided_until) if self.spec.schedule_type != "FIXED_DELAY" else self._armed()

    def due_after(self, instant: int) -> int | None:
        """The instant that follows; of a FIXED_DELAY, what follows a skipped one."""
        if self.spec.schedule_type == "FIXED_DELAY":
            following = instant + (self.spec.interval_ms or 0)
            return None if self.spec.end_at is not None and following >= self.spec.end_at else following
        return due_after(self.spec, self.grid_start, self.id, instant)

    def begin_schedule(self, effective_at: int) -> None:
        """A schedule of its own from here on; a ONCE in the past is still due unless it, or a later one, was decided."""
        self.known_since = effective_at
        self.decided_until = max(self.decided_until, effective_at)
        self.grid_start = effective_at
        self.armed = None
        spec = self.spec
        if spec.schedule_type == "ONCE" and spec.run_at is not None:
            if self.last_decided is None or self.last_decided < spec.run_at:
                self.decided_until = min(self.decided_until, spec.run_at - 1)
        elif spec.schedule_type == "FIXED_DELAY" and self.delay_run not in self.open:
            self.arm(effective_at)

    def resume(self, effective_at: int, ts: int) -> None:
        """Enabled: strictly later."""
        self.known_since = effective_at
        self.decided_until = max(self.decided_until, effective_at)
        if self.spec.schedule_type == "FIXED_DELAY":
            self.arm(max(effective_at, ts))

    def arm(self, after: int) -> None:
        """FIXED_DELAY: a delay after that, not before `startAt`."""
        self.armed = max(after + (self.spec.interval_ms or 0), self.spec.start_at or 0)

    def _armed(self) -> int | None:
        ends = self.spec.end_at
        return None if self.armed is None or (ends is not None and self.armed >= ends) else self.armed


@dataclass
class Partition:
    """See the module text."""

    plans: dict[str, Plan] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    tenants: dict[str, TenantSettings] = field(default_factory=dict)
    settings: e.DecisionSettings = field(default_factory=e.DecisionSettings)
    stopped: bool = False
    stopped_until: int = 0
    ts: int = 0
    starts: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Tenant → how full its second is, and since when that is known."""

    def tenant(self, name: str) -> TenantSettings:
        """What the tenant may use now."""
        return self.tenants.get(name, DEPLOYMENT)

    def active(self) -> list[Run]:
        """Runs with an open dispatch entry."""
        return [run for plan in self.plans.values() for run in plan.open.values() if run.stage == "DISPATCHED"]

    def open_of(self, tenant: str) -> int:
        """How many open runs the tenant has."""
        return sum(len(plan.open) for plan in self.plans.values() if plan.tenant == tenant)

    def misfired(self, instant: int, now: int) -> bool:
        """Whether an instant that is decided now is decided too late, or fell into a stop."""
        return self.stopped or instant <= self.stopped_until or now - instant > self.settings.misfire_threshold_ms

    def apply(self, entry: Logged) -> None:
        """Take the event over."""
        event = entry.event
        self.ts = max(self.ts, event.ts)
        self._apply_to_partition(event)
        self._apply_to_plan(event)
        self._apply_to_run(entry.position, event)

    def _apply_to_partition(self, event: e.AnyEvent) -> None:
        match event:
            case e.EpochStarted():
                self.settings = event.settings
            case e.SchedulerStopped():
                self.stopped = True
            case e.SchedulerStarted():
                self.stopped = False
                self.stopped_until = event.effective_at
            case e.TenantSettingsChanged():
                self.tenants[event.tenant_id] = event.settings
                self.starts.pop(event.tenant_id, None)
            case _:
                pass

    def _apply_to_plan(self, event: e.AnyEvent) -> None:
        plan = self.plans.get(getattr(event, "definition_id", ""))
        match event:
            case e.DefinitionCreated():
                plan = Plan(event.definition_id, event.tenant_id, event.spec, event.enabled, 0, event.effective_at)
                plan.versions[1] = event.spec
                plan.begin_schedule(event.effective_at)
                self.plans[plan.id] = plan
            case e.DefinitionUpdated() if plan is not None:
                moved = any(getattr(plan.spec, name) != getattr(event.spec, name) for name in SCHEDULE_FIELDS)
                enabled_now = event.enabled and not plan.enabled
                plan.spec = plan.versions[event.version] = event.spec
                plan.version, plan.enabled = event.version, event.enabled
                if moved:
                    plan.begin_schedule(event.effective_at)
                elif enabled_now:
                    plan.resume(event.effective_at, event.ts)
            case e.DefinitionEnabled() | e.DefinitionDisabled() if plan is not None:
                plan.version = event.version
                plan.versions[event.version] = plan.spec
                plan.enabled = isinstance(event, e.DefinitionEnabled)
                if plan.enabled:
                    plan.resume(event.effective_at, event.ts)
            case e.DefinitionDeleted() if plan is not None:
                plan.deleted = True
            case e.FireSkipped() if plan is not None:
                plan.decided_until = plan.last_decided = event.last
                if plan.spec.schedule_type == "FIXED_DELAY":
                    plan.armed = plan.due_after(event.last) or 1 << 60  # beyond `endAt`
                    plan.known_since = event.ts
            case _:
                pass

    def _apply_to_run(self, position: int, event: e.AnyEvent) -> None:
        run = self.runs.get(getattr(event, "instance_id", ""))
        if isinstance(event, e.InstanceScheduled):
            self._scheduled(position, event)
        elif run is not None:
            self._apply_to_attempt(run, position, event)
            self._apply_to_wishes(run, event)

    def _apply_to_attempt(self, run: Run, position: int, event: e.AnyEvent) -> None:
        match event:
            case e.InstanceDispatched():
                self._dispatched(run, event.attempt, position, event.ts)
            case e.AttemptStarted():
                run.started = True
            case e.AttemptSucceeded():
                self._end(run, "SUCCESS", event.ended_at)
            case e.InstanceFailed() | e.InstanceCancelled():
                self._end(run, "FAILED" if isinstance(event, e.InstanceFailed) else "CANCELLED", event.ended_at)
            case e.AttemptFailed() | e.AttemptTimedOut() | e.AttemptLost():
                run.failures += not isinstance(event, e.AttemptLost)
                run.losses += isinstance(event, e.AttemptLost) and event.counted
                run.next_attempt = event.attempt + 1
                if event.final:
                    self._end(run, "FAILED", event.ended_at)
                else:
                    run.stage, run.entry = "WAITING", 0
            case e.DispatchWithdrawn():
                run.stage, run.entry = "WAITING", 0
                run.next_attempt = event.attempt
            case _:
                pass

    def _apply_to_wishes(self, run: Run, event: e.AnyEvent) -> None:
        match event:
            case e.RetryScheduled():
                run.not_before = event.not_before
            case e.CancelRequested():
                run.cancelled = True
            case e.TimeoutReached():
                run.past_deadline = run.past_deadline or event.kind == "DEADLINE"
            case e.InstanceRetried():
                self._retried(run, event)
            case _:
                pass

    def _scheduled(self, position: int, event: e.InstanceScheduled) -> None:
        plan = self.plans[event.definition_id]
        if event.spec is not None:
            plan.versions.setdefault(event.definition_version, event.spec)
        run = self.runs[event.instance_id] = Run(
            event.instance_id,
            plan.id,
            plan.tenant,
            event.origin,
            event.fire_time,
            plan.versions[event.definition_version],
            created_at=event.ts,
            due_at=event.fire_time,
            command_id=event.command_id,
            backfill_limit=event.backfill_limit,
            not_before=event.not_before or 0,
        )
        plan.open[run.id] = run
        if event.origin == "SCHEDULE":
            plan.decided_until = plan.last_decided = event.fire_time
            plan.armed, plan.delay_run = None, run.id
        if event.dispatched:
            self._dispatched(run, 1, position, event.ts)

    def _dispatched(self, run: Run, attempt: int, position: int, ts: int) -> None:
        run.stage, run.attempt, run.entry, run.started = "DISPATCHED", attempt, position, False
        run.not_before = 0
        rate = self.tenant(run.tenant).starts_per_second
        if rate is not None:
            level, since = self.starts.get(run.tenant, (0.0, ts))
            self.starts[run.tenant] = (max(0.0, level - (ts - since) * rate / 1_000) + 1, ts)

    def _end(self, run: Run, stage: Stage, ended_at: int) -> None:
        plan = self.plans[run.definition_id]
        run.stage, run.entry = stage, 0
        plan.open.pop(run.id, None)
        if plan.spec.schedule_type == "FIXED_DELAY" and plan.delay_run == run.id and plan.armed is None:
            # A worker's clock may be behind: no run ends before it was due.
            plan.arm(max(ended_at, plan.last_decided or 0))
            plan.known_since = self.ts

    def _retried(self, run: Run, event: e.InstanceRetried) -> None:
        plan = self.plans[run.definition_id]
        run.spec = plan.versions[event.definition_version]
        run.stage, run.by_hand, run.due_at = "WAITING", True, event.ts
        run.next_attempt = run.attempt + 1
        run.failures = run.losses = 0
        run.cancelled = run.past_deadline = False
        run.backfill_limit = None  # who asks for one of them by hand wants it now
        run.not_before = 0
        plan.open[run.id] = run
