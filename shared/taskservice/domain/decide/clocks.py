"""The leader's clocks of instances: start timeout, deadline, a worker that forgot, an entry that never came back.

Clocks and fires of a definition are decided in the order of their instants, however late the leader is: whether a fire
meets an active run depends on what had ended by then.
"""

from collections.abc import Callable
from typing import TypeAlias, assert_never

from taskservice.domain import events as e
from taskservice.domain.agenda.clocks import Clock, next_clock
from taskservice.domain.agenda.deadlines import BUCKET_MS
from taskservice.domain.decide.context import Context, Stamp
from taskservice.domain.state import Definition, Instance

SettleFires: TypeAlias = Callable[[Definition, int], None]
"""Decides the definition's fires before an instant."""


class ClockDecisions:
    """Decides clocks that ran out, each once."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def run(self, inbox_read_until: int, most: int, settle_fires: SettleFires | None = None) -> bool:
        """Decide what ran out up to now, as far as the inbox was read; True = more is due at once.

        `settle_fires`: the fires before a clock come first; null = fires wait for something else now.
        """
        context = self._context
        due = context.agenda.deadlines.take_due(min(context.now, inbox_read_until), most)
        for instance_id in due:
            instance = context.state.instances.get(instance_id)
            if instance is not None and settle_fires is not None:
                self._settle_fires_before(instance, settle_fires)
                instance = context.state.instances.get(instance_id)
            if instance is not None:
                self._run_out(instance, context.now)
        return len(due) == most

    def settle(self, instance: Instance) -> None:
        """Decide the clocks of one instance that ran out before the item, unless a fire before it has ended it."""
        while self._context.settles and self._has_clocks(instance) and self._run_out(instance, self._context.at):
            continue

    def settle_all(self, definition: Definition, until: int) -> None:
        """Decide the clocks of its instances that ran out up to an instant: of a late leader; else none has."""
        earliest = self._context.agenda.deadlines.next_at()
        if earliest is None or earliest - BUCKET_MS >= until:
            return
        for instance_id in list(definition.open_ids):
            instance = self._context.state.instances.get(instance_id)
            while instance is not None and self._has_clocks(instance) and self._run_out(instance, until):
                instance = self._context.state.instances.get(instance_id)

    def _settle_fires_before(self, instance: Instance, settle_fires: SettleFires) -> None:
        context = self._context
        definition = context.state.definitions[instance.definition_id]
        due = context.agenda.fires.next_of(definition.id)
        found = next_clock(instance, context.state.spec_of(instance))
        if due is not None and found is not None and due < found[0]:
            settle_fires(definition, found[0] - 1)

    def _has_clocks(self, instance: Instance) -> bool:
        if not instance.is_open:
            return False
        spec = self._context.state.spec_of(instance)
        return spec.deadline_ms is not None or spec.start_timeout_ms is not None or spec.timeout_ms is not None

    def _run_out(self, instance: Instance, until: int) -> bool:
        """Decide the clock that ran out first, if any did."""
        context = self._context
        found = next_clock(instance, context.state.spec_of(instance))
        if found is None or found[0] > until:
            context.agenda.follow_instance(instance)
            return False
        at, clock = found
        context.draft.begin_item()
        self._decide(instance, clock, context.stamp_clock(instance.tenant_id, at, "clock"))
        return True

    def _decide(self, instance: Instance, clock: Clock, stamp: Stamp) -> None:
        match clock:
            case "DEADLINE" | "START_TIMEOUT":
                if instance.waits:
                    self._fail(instance, clock, stamp)
                else:
                    mode: e.RevocationMode = "cancel" if clock == "DEADLINE" else "waiting"
                    self._reached(instance, clock, mode, stamp)
            case "TIMEOUT":
                self._reached(instance, "TIMEOUT", "any", stamp)
            case "REVOKE_ANY":
                self._context.draft.emit(
                    e.RevocationRequested(mode="any", positions=(instance.entry_position,), reason="no report", **stamp)
                )
            case _:
                assert_never(clock)

    def _fail(self, instance: Instance, reason: e.FailureReason, stamp: Stamp) -> None:
        name = "deadlineMs" if reason == "DEADLINE" else "startTimeoutMs"
        self._context.draft.emit(
            e.InstanceFailed(
                instance_id=instance.id,
                failure_reason=reason,
                error_message=f"{name} ran out while it waited",
                ended_at=self._context.ts,
                **stamp,
            )
        )

    def _reached(self, instance: Instance, kind: e.TimeoutKind, mode: e.RevocationMode, stamp: Stamp) -> None:
        self._context.draft.emit(
            e.TimeoutReached(instance_id=instance.id, attempt=instance.attempt, kind=kind, mode=mode, **stamp)
        )
