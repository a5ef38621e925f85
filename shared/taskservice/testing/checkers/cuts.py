"""Where gaps of misfired instants end: what changed their schedule, their policies or their being due, and stops.

Known before the log is judged: a decision about a gap depends on where it will turn out to end.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from taskservice.domain import events as e
from taskservice.domain.definition.spec import SCHEDULE_FIELDS, DefinitionSpec
from taskservice.testing.checkers.evidence import LogRecord
from taskservice.testing.checkers.plan import NEVER, Plan

GAP_FIELDS = ("misfire_policy", "misfire_window_ms", "misfire_limit", "overlap_policy")
Change: TypeAlias = e.DefinitionUpdated | e.DefinitionEnabled | e.DefinitionDisabled | e.DefinitionDeleted


def cuts_gap(spec: DefinitionSpec, enabled: bool, event: Change) -> bool:  # noqa: FBT001 - a member of a definition
    """Whether what was due before this change is decided before it."""
    if not isinstance(event, e.DefinitionUpdated):
        return True
    changed = any(getattr(spec, name) != getattr(event.spec, name) for name in (*SCHEDULE_FIELDS, *GAP_FIELDS))
    return changed or event.enabled != enabled


@dataclass(slots=True)
class _Known:
    spec: DefinitionSpec
    enabled: bool
    last_decided: int = 0


@dataclass
class Cuts:
    """See the module text: `take` every record of the log, then ask `after`."""

    _plans: dict[str, _Known] = field(default_factory=dict)
    _of_plan: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Definition → (position, the last instant before the cut), in order."""
    _stops: list[tuple[int, int]] = field(default_factory=list)
    """(position, instant) of stops of the scheduler, which cut every gap."""

    def take(self, record: LogRecord) -> None:
        """The next record of the log."""
        event = record.event
        match event:
            case e.InstanceScheduled() if event.origin == "SCHEDULE":
                self._decided(event.definition_id, event.fire_time)
            case e.FireSkipped():
                self._decided(event.definition_id, event.last)
            case e.DefinitionCreated():
                self._plans[event.definition_id] = _Known(event.spec, event.enabled)
            case e.DefinitionUpdated() | e.DefinitionEnabled() | e.DefinitionDisabled() | e.DefinitionDeleted():
                self._changed(record.position, event)
            case e.SchedulerStopped():
                self._stopped(record.position, event.effective_at)
            case _:
                pass

    def after(self, plan: Plan, position: int) -> int:
        """The last instant of the gap that lasts at this position."""
        of_plan, of_all = _next(self._of_plan.get(plan.id, ()), position), _next(self._stops, position)
        return max(of_plan[1], of_all[1]) if of_plan[0] == of_all[0] else min(of_plan, of_all)[1]

    def _decided(self, definition_id: str, instant: int) -> None:
        known = self._plans.get(definition_id)
        if known is not None:
            known.last_decided = max(known.last_decided, instant)

    def _changed(self, position: int, event: Change) -> None:
        known = self._plans.get(event.definition_id)
        if known is None:
            return
        if cuts_gap(known.spec, known.enabled, event):
            last = max(event.effective_at, known.last_decided)
            self._of_plan.setdefault(event.definition_id, []).append((position, last))
        match event:
            case e.DefinitionUpdated():
                known.spec, known.enabled = event.spec, event.enabled
            case e.DefinitionEnabled() | e.DefinitionDisabled():
                known.enabled = isinstance(event, e.DefinitionEnabled)
            case e.DefinitionDeleted():
                del self._plans[event.definition_id]
            case _:
                assert_never(event)

    def _stopped(self, position: int, instant: int) -> None:
        self._stops.append((position, instant))
        for definition_id, known in self._plans.items():
            if known.last_decided > instant:  # by a clock that was ahead: that much is decided and in no gap
                self._of_plan.setdefault(definition_id, []).append((position, known.last_decided))


def _next(cuts: list[tuple[int, int]] | tuple[()], position: int) -> tuple[int, int]:
    found = bisect_right(cuts, (position, NEVER))
    return cuts[found] if found < len(cuts) else (NEVER, NEVER)
