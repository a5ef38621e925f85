"""The leader's clocks of instances: start timeout, deadline, a worker that forgot, an entry that never came back."""

from typing import assert_never

from taskservice.domain import events as e
from taskservice.domain.agenda.clocks import Clock, next_clock
from taskservice.domain.decide.context import Context, Stamp
from taskservice.domain.state import Instance


class ClockDecisions:
    """Decides clocks that ran out, each once."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def run(self, inbox_read_until: int, most: int) -> bool:
        """Decide what ran out up to now, as far as the inbox was read; True = more is due at once."""
        context = self._context
        due = context.agenda.deadlines.take_due(min(context.now, inbox_read_until), most)
        for instance_id in due:
            instance = context.state.instances.get(instance_id)
            if instance is not None:
                self._run_out(instance, context.now)
        return len(due) == most

    def settle(self, instance: Instance) -> None:
        """Decide the clocks of one instance that ran out before the item, unless a fire before it has ended it."""
        while self._has_clocks(instance) and self._run_out(instance, self._context.at):
            continue

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
