"""A slow model of a definition and of its runs: what it is due for, and how far they are."""

from dataclasses import dataclass, field
from typing import Literal

from taskservice.domain import events as e
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.testing.checkers.due_instants import due_after

Stage = Literal["WAITING", "DISPATCHED", "SUCCESS", "FAILED", "CANCELLED"]
NEVER = 1 << 60


@dataclass(slots=True)
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
        """Not terminal."""
        return self.stage in {"WAITING", "DISPATCHED"}


@dataclass(slots=True)
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

    def decide(self, instant: int) -> None:
        """Every instant up to this one has its decision; one that is decided again moves nothing."""
        self.decided_until = max(self.decided_until, instant)
        self.last_decided = instant if self.last_decided is None else max(self.last_decided, instant)

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

    def begin_version(self, version: int, spec: DefinitionSpec) -> None:
        """From here on this is what it is; of older versions, those that open runs are under stay known."""
        in_use = {id(run.spec) for run in self.open.values()}
        self.versions = {number: one for number, one in self.versions.items() if id(one) in in_use}
        self.spec = self.versions[version] = spec
        self.version = version

    def dispatched(self) -> list[Run]:
        """Its runs that have an open dispatch entry."""
        return [run for run in self.open.values() if run.stage == "DISPATCHED"]

    def _armed(self) -> int | None:
        ends = self.spec.end_at
        return None if self.armed is None or (ends is not None and self.armed >= ends) else self.armed
