"""A slow model of a partition: what a reader of the log knows at each position, without a line of the core's fold.

It is total: an event that does not fit (which a check has named by then) changes what it can and nothing else.
"""

from collections import Counter, deque

from taskservice.domain import events as e
from taskservice.domain.definition.spec import SCHEDULE_FIELDS
from taskservice.domain.tenants import DEPLOYMENT, TenantSettings
from taskservice.testing.checkers.evidence import LogRecord
from taskservice.testing.checkers.plan import NEVER, Plan, Run, Stage


class Partition:
    """See the module text.

    :param remembers: how many ended runs it knows, so that a log of any length fits; None = all.
    """

    def __init__(self, remembers: int | None = None) -> None:
        self.plans: dict[str, Plan] = {}
        self.runs: dict[str, Run] = {}
        self.active: dict[str, Run] = {}
        """Runs with an open dispatch entry."""
        self.open_of: Counter[str] = Counter()
        """Tenant → how many open runs it has."""
        self.settings = e.DecisionSettings()
        self.stopped = False
        self.stopped_at = 0
        self.stopped_until = 0
        self.ts = 0
        self.starts: dict[str, tuple[float, int]] = {}
        """Tenant → how full its second is, and since when that is known."""
        self._tenants: dict[str, TenantSettings] = {}
        self._remembers = remembers
        self._ended: deque[str] = deque()

    @property
    def forgets(self) -> bool:
        """Whether a run that it does not know may have been one."""
        return self._remembers is not None

    def tenant(self, name: str) -> TenantSettings:
        """What the tenant may use now."""
        return self._tenants.get(name, DEPLOYMENT)

    def misfired(self, instant: int, now: int) -> bool:
        """Whether an instant that is decided now is decided too late, or fell into a stop."""
        return self.stopped or instant <= self.stopped_until or now - instant > self.settings.misfire_threshold_ms

    def apply(self, entry: LogRecord) -> None:
        """Take the event over."""
        event = entry.event
        self.ts = max(self.ts, event.ts)
        match event:
            case e.InstanceScheduled():
                self._scheduled(entry.position, event)
            case (
                e.DefinitionCreated()
                | e.DefinitionUpdated()
                | e.DefinitionEnabled()
                | e.DefinitionDisabled()
                | e.DefinitionDeleted()
                | e.FireSkipped()
            ):
                self._apply_to_plan(event)
            case e.InstanceRetried():
                self._retried(event)
            case _:
                run = self.runs.get(getattr(event, "instance_id", ""))
                if run is None:
                    self._apply_to_partition(event)
                else:
                    self._apply_to_run(run, entry.position, event)

    def _apply_to_partition(self, event: e.Event) -> None:
        match event:
            case e.EpochStarted():
                self.settings = event.settings
            case e.SchedulerStopped():
                self.stopped = True
                self.stopped_at = event.effective_at
            case e.SchedulerStarted():
                self.stopped = False
                self.stopped_until = event.effective_at
            case e.TenantSettingsChanged():
                self._tenants[event.tenant_id] = event.settings
                self.starts.pop(event.tenant_id, None)
            case _:
                pass

    def _apply_to_plan(
        self,
        event: e.DefinitionCreated
        | e.DefinitionUpdated
        | e.DefinitionEnabled
        | e.DefinitionDisabled
        | e.DefinitionDeleted
        | e.FireSkipped,
    ) -> None:
        plan = self.plans.get(event.definition_id)
        if isinstance(event, e.DefinitionCreated):
            plan = Plan(event.definition_id, event.tenant_id, event.spec, event.enabled, 0, event.effective_at)
            plan.versions[1] = event.spec
            plan.begin_schedule(event.effective_at)
            self.plans[plan.id] = plan
        if plan is None:
            return
        match event:
            case e.DefinitionUpdated():
                moved = any(getattr(plan.spec, name) != getattr(event.spec, name) for name in SCHEDULE_FIELDS)
                enabled_now = event.enabled and not plan.enabled
                plan.begin_version(event.version, event.spec)
                plan.enabled = event.enabled
                if moved:
                    plan.begin_schedule(event.effective_at)
                elif enabled_now:
                    plan.resume(event.effective_at, event.ts)
            case e.DefinitionEnabled() | e.DefinitionDisabled():
                plan.begin_version(event.version, plan.spec)
                plan.enabled = isinstance(event, e.DefinitionEnabled)
                if plan.enabled:
                    plan.resume(event.effective_at, event.ts)
            case e.DefinitionDeleted():
                plan.deleted = True
                self._forget_if_gone(plan)
            case e.FireSkipped():
                plan.decide(event.last)
                if plan.spec.schedule_type == "FIXED_DELAY":
                    plan.armed = plan.due_after(event.last) or NEVER  # beyond `endAt`
                    plan.known_since = event.ts
            case _:
                pass

    def _apply_to_run(self, run: Run, position: int, event: e.Event) -> None:
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
                    self._wait(run)
            case e.DispatchWithdrawn():
                self._wait(run)
                run.next_attempt = event.attempt
            case e.RetryScheduled():
                run.not_before = event.not_before
            case e.CancelRequested():
                run.cancelled = True
            case e.TimeoutReached():
                run.past_deadline = run.past_deadline or event.kind == "DEADLINE"
            case _:
                pass

    def _scheduled(self, position: int, event: e.InstanceScheduled) -> None:
        plan = self.plans.get(event.definition_id)
        if plan is None:
            return
        if event.spec is not None:
            plan.versions.setdefault(event.definition_version, event.spec)
        run = Run(
            event.instance_id,
            plan.id,
            plan.tenant,
            event.origin,
            event.fire_time,
            plan.versions.get(event.definition_version, plan.spec),
            created_at=event.ts,
            due_at=event.fire_time,
            command_id=event.command_id,
            backfill_limit=event.backfill_limit,
            not_before=event.not_before or 0,
        )
        self._open(plan, run)
        if event.origin == "SCHEDULE":
            plan.decide(event.fire_time)
            plan.armed, plan.delay_run = None, run.id
        if event.dispatched:
            self._dispatched(run, 1, position, event.ts)

    def _open(self, plan: Plan, run: Run) -> None:
        if run.id not in plan.open:
            self.open_of[plan.tenant] += 1
        plan.open[run.id] = self.runs[run.id] = run

    def _dispatched(self, run: Run, attempt: int, position: int, ts: int) -> None:
        run.stage, run.attempt, run.entry, run.started = "DISPATCHED", attempt, position, False
        run.not_before = 0
        self.active[run.id] = run
        rate = self.tenant(run.tenant).starts_per_second
        if rate is not None:
            level, since = self.starts.get(run.tenant, (0.0, ts))
            self.starts[run.tenant] = (max(0.0, level - (ts - since) * rate / 1_000) + 1, ts)

    def _wait(self, run: Run) -> None:
        run.stage, run.entry = "WAITING", 0
        self.active.pop(run.id, None)

    def _end(self, run: Run, stage: Stage, ended_at: int) -> None:
        run.stage, run.entry = stage, 0
        self.active.pop(run.id, None)
        self._forget_ended(run)
        plan = self.plans.get(run.definition_id)
        if plan is None or plan.open.pop(run.id, None) is None:
            return
        self.open_of[plan.tenant] -= 1
        if plan.spec.schedule_type == "FIXED_DELAY" and plan.delay_run == run.id and plan.armed is None:
            # A worker's clock may be behind: no run ends before it was due.
            plan.arm(max(ended_at, plan.last_decided or 0))
            plan.known_since = self.ts
        self._forget_if_gone(plan)

    def _retried(self, event: e.InstanceRetried) -> None:
        run = self.runs.get(event.instance_id)
        if run is None and self.forgets:
            run = self._remembered(event)
        plan = None if run is None else self.plans.get(run.definition_id)
        if run is None or plan is None:
            return
        run.spec = plan.versions.get(event.definition_version, plan.spec)
        run.stage, run.by_hand, run.due_at = "WAITING", True, event.ts
        run.next_attempt = run.attempt + 1
        run.failures = run.losses = 0
        run.cancelled = run.past_deadline = False
        run.backfill_limit = None  # who asks for one of them by hand wants it now
        run.not_before = 0
        self._open(plan, run)

    def _remembered(self, event: e.InstanceRetried) -> Run | None:
        """The run as the event's own snapshot tells of it."""
        snapshot = event.snapshot
        plan = self.plans.get(snapshot.definition_id)
        if plan is None:
            return None
        return Run(
            event.instance_id,
            plan.id,
            plan.tenant,
            snapshot.origin,
            snapshot.fire_time,
            plan.spec,
            created_at=snapshot.created_at,
            due_at=snapshot.fire_time,
            command_id=snapshot.command_id,
            attempt=snapshot.attempt,
        )

    def _forget_ended(self, run: Run) -> None:
        if self._remembers is None:
            return
        self._ended.append(run.id)
        while len(self._ended) > self._remembers:
            oldest = self.runs.get(self._ended.popleft())
            if oldest is not None and not oldest.is_open:
                del self.runs[oldest.id]

    def _forget_if_gone(self, plan: Plan) -> None:
        if plan.deleted and not plan.open:
            self.plans.pop(plan.id, None)
