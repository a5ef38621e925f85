"""Due instants become decisions: each one exactly one InstanceScheduled or a place in one FireSkipped.

Misfired instants of a definition are one gap, settled once at its end by its `misfirePolicy` (`gaps`). Every other
instant is decided as it would have been in time, however late the leader is. An instant that is to run meets the
`overlapPolicy`: what is active then, however it was started, decides whether the fire runs, is skipped, waits for its
turn or has the others cancelled.
"""

from typing import assert_never

from taskservice.domain import events as e
from taskservice.domain.decide.clocks import ClockDecisions
from taskservice.domain.decide.context import Context
from taskservice.domain.decide.gaps import START_SPACING_MS, plan_gap
from taskservice.domain.decide.limits import may_start_now, note_start
from taskservice.domain.ids import instance_id_of_fire
from taskservice.domain.instant_text import rfc3339
from taskservice.domain.jitter import jitter_of
from taskservice.domain.overlap import IN_TURN, queued_fire
from taskservice.domain.state import Definition, Instance

INSTANTS_A_PIECE = 1_000
"""Instants that are settled before an edit or a stop in one go; more take several turns."""


class FireDecisions:
    """Decides due instants, by the clock or because something that comes after them is to be decided."""

    def __init__(self, context: Context, clocks: ClockDecisions) -> None:
        self._context = context
        self._clocks = clocks

    def run(self, inbox_read_until: int, most: int) -> bool:
        """Decide what is due by the clock, until `most` instants were looked at; True = more is due at once.

        What waits for the inbox counts as nothing, or many that wait would hold up the others, and the look at the
        inbox that they wait for.
        """
        context = self._context
        deferred: list[tuple[str, str, int]] = []
        looked_at = 0
        more = False
        for instant, definition_id in context.agenda.fires.due(context.now):
            definition = context.state.definitions.get(definition_id)
            if definition is None:
                continue
            if looked_at >= most:
                context.agenda.fires.arm(definition.tenant_id, definition_id, instant)
                more = True
                break
            decided = self._decide_next(definition, instant, context.now, inbox_read_until)
            looked_at += decided
            if not decided:
                deferred.append((definition.tenant_id, definition_id, instant))
        context.deferred_until = {instant for _, _, instant in deferred}
        for tenant_id, definition_id, instant in deferred:
            context.agenda.fires.arm(tenant_id, definition_id, instant)
        return more

    def settle(self, definition: Definition, *, cut_gap: bool) -> bool:
        """Decide the instants and deadlines up to the time of the item, as the state is now, before it is decided.

        `cut_gap`: the item changes what governs them, so misfired ones are settled too; otherwise they wait for the
        end of their gap. False = so many are due that the item must wait: call again in the next turn.

        By a clock that is in doubt nothing is settled but what the item cuts off: that has no later.
        """
        context = self._context
        waits = not cut_gap and (context.state.scheduler.stopped_at is not None or not context.settles)
        if not waits and self._settle(definition, INSTANTS_A_PIECE, until=context.at, cut_gap=cut_gap) is None:
            return False
        if context.settles:
            self._clocks.settle_all(definition, context.at)
        return True

    def settle_until(self, definition: Definition, until: int) -> None:
        """Decide the instants up to this one, before something that comes later is decided by the clock."""
        self._settle(definition, INSTANTS_A_PIECE, until=until, cut_gap=False)

    def settle_all(self) -> bool:
        """`settle` for every definition that has something due: the item concerns all of them."""
        context = self._context
        left = INSTANTS_A_PIECE
        for instant, definition_id in context.agenda.fires.due(context.at):
            definition = context.state.definitions.get(definition_id)
            if definition is None:
                continue
            context.agenda.fires.arm(definition.tenant_id, definition_id, instant)
            if left <= 0:
                return False
            decided = self._settle(definition, left, until=context.at, cut_gap=True)
            if decided is None:
                return False
            left -= decided
        return True

    def _settle(self, definition: Definition, most: int, *, until: int, cut_gap: bool) -> int | None:
        """How many instants were decided; None = more remain after `most` of them. Those of no gap are few."""
        decided = 0
        while True:
            instant = self._context.agenda.fires.next_of(definition.id)
            if instant is None or instant > until:
                return decided
            if not cut_gap and self._misfired(instant):
                return decided
            if cut_gap and decided >= most:
                return None
            decided += self._decide_next(definition, instant, until, until)

    def _decide_next(self, definition: Definition, instant: int, until: int, inbox_read_until: int) -> int:
        """Decide the next instant, or the gap that begins with it; how many they are, 0 = it waits for the inbox."""
        misfired = self._misfired(instant)  # then it is decided at the end of its gap, by what is active then
        if definition.open_ids:
            self._clocks.settle_all(definition, min(until if misfired else instant, inbox_read_until))
        if misfired:
            return self._decide_gap(definition, instant, until, inbox_read_until)
        if self._meets_active(definition) and inbox_read_until < instant:
            return 0
        self._fire(definition, instant, None)
        return 1

    def _decide_gap(self, definition: Definition, first: int, until: int, inbox_read_until: int) -> int:
        context = self._context
        stopped = first <= self._stopped_until()
        if stopped:  # the start of the scheduler ends a gap: what was missed after it is another
            until = min(until, self._stopped_until())
        plan = plan_gap(definition, first, until=until, now=context.now, misfired=self._misfired)
        if plan.run and self._meets_active(definition) and inbox_read_until < plan.last:
            return 0
        if plan.skipped:
            reason: e.SkipReason = "SCHEDULER_STOPPED" if stopped else "MISFIRE"
            self._skip(definition, plan.skipped[0], plan.skipped[-1], len(plan.skipped), reason)
        start = self._earliest_start(definition)
        for index, instant in enumerate(plan.run):
            begins_at = start + index * START_SPACING_MS
            self._fire(definition, instant, begins_at if begins_at > context.ts else None)
        return len(plan.skipped) + len(plan.run)

    def _earliest_start(self, definition: Definition) -> int:
        """When the next misfired instant may start: after those of the gap that were decided a turn ago."""
        now = self._context.ts
        before = next(reversed(definition.open_ids), None)
        if before is None or definition.spec.misfire_policy != "FIRE_ALL":
            return now
        not_before = self._context.state.instances[before].not_before
        if not_before is None:
            return now
        # A jitter may have put it off for longer than any gap takes to start.
        return max(now, min(not_before, now + definition.spec.misfire_limit * START_SPACING_MS) + START_SPACING_MS)

    def _fire(self, definition: Definition, instant: int, not_before: int | None) -> None:
        """Run the instant, unless what is active or a limit forbids it."""
        context = self._context
        spec = definition.spec
        if definition.open_ids and not self._passes_active(definition, instant):
            return
        limited_by = self._limited_by(definition)
        if limited_by is not None:
            self._skip(definition, instant, instant, 1, "LIMIT", limited_by=limited_by)
            return
        if spec.overlap_policy == "CANCEL_PREVIOUS":
            self._cancel_active(definition, instant)
        context.draft.begin_item()
        if spec.jitter_ms:
            starts_at = max(instant + jitter_of(definition.id, instant, spec.jitter_ms), not_before or 0)
            not_before = starts_at if starts_at > context.ts else None
        in_turn = spec.overlap_policy in IN_TURN and bool(definition.open_ids)
        at_once = not_before is None and not in_turn and may_start_now(context, definition, spec)
        context.draft.emit(
            e.InstanceScheduled(
                instance_id=instance_id_of_fire(definition.id, instant),
                definition_id=definition.id,
                definition_version=definition.version,
                origin="SCHEDULE",
                fire_time=instant,
                dispatched=at_once,
                not_before=not_before,
                **context.stamp_clock(definition.tenant_id, instant, "fire"),
            )
        )
        if at_once:
            note_start(context, definition.tenant_id)

    def _passes_active(self, definition: Definition, instant: int) -> bool:
        """Whether the instant runs although something of its definition is active; False = it was skipped."""
        policy = definition.spec.overlap_policy
        match policy:
            case "ALLOW" | "QUEUE_ALL" | "CANCEL_PREVIOUS":
                return True
            case "SKIP":
                passes = False
            case "QUEUE_ONE":
                passes = queued_fire(self._context.state, definition) is None
            case _:
                assert_never(policy)
        if not passes:
            self._skip(definition, instant, instant, 1, "OVERLAP", next(iter(definition.open_ids)))
        return passes

    def _limited_by(self, definition: Definition) -> e.FireLimit | None:
        """Why no more may wait; what waits and is to be replaced makes room."""
        state = self._context.state
        waiting = definition.waiting_fires
        tenant_open = state.tenant_open.get(definition.tenant_id, 0)
        if definition.spec.overlap_policy == "CANCEL_PREVIOUS":
            waiting = 0
            tenant_open -= sum(state.instances[one].waits for one in definition.open_ids)
        if waiting >= state.settings.max_waiting_fires:
            return "WAITING_FIRES"
        return "OPEN_INSTANCES" if tenant_open >= state.most_open_of(definition.tenant_id) else None

    def _cancel_active(self, definition: Definition, instant: int) -> None:
        """CANCEL_PREVIOUS: end what is active; the fire starts when the last of it has ended."""
        for instance_id in list(definition.open_ids):
            instance = self._context.state.instances[instance_id]
            if instance.cancel_requested_at is None:
                self._context.draft.begin_item()
                self._context.draft.emit(self._cancelled_for(instance, instant))

    def _cancelled_for(self, instance: Instance, instant: int) -> e.InstanceCancelled | e.CancelRequested:
        context = self._context
        reason = f"replaced by the fire of {rfc3339(instant)}"
        stamp = context.stamp_clock(instance.tenant_id, instant, "fire")
        if instance.waits:
            return e.InstanceCancelled(
                instance_id=instance.id,
                attempt=instance.attempt,
                ended_at=context.ts,
                error_message=reason,
                **stamp,
            )
        return e.CancelRequested(
            instance_id=instance.id, attempt=instance.attempt, mode="cancel", reason=reason, **stamp
        )

    def _skip(
        self,
        definition: Definition,
        first: int,
        last: int,
        count: int,
        reason: e.SkipReason,
        blocked_by: str | None = None,
        limited_by: e.FireLimit | None = None,
    ) -> None:
        context = self._context
        context.draft.begin_item()
        context.draft.emit(
            e.FireSkipped(
                definition_id=definition.id,
                definition_version=definition.version,
                reason=reason,
                first=first,
                last=last,
                count=count,
                blocked_by=blocked_by,
                limited_by=limited_by,
                **context.stamp_clock(definition.tenant_id, last, "fire"),
            )
        )

    def _meets_active(self, definition: Definition) -> bool:
        """Whether what is active now decides about the next fire: then every report before it must be known."""
        return bool(definition.open_ids) and definition.spec.overlap_policy != "ALLOW"

    def _misfired(self, instant: int) -> bool:
        context = self._context
        scheduler = context.state.scheduler
        if scheduler.stopped_at is not None or instant <= scheduler.stopped_until:
            return True
        return context.now - instant > context.state.settings.misfire_threshold_ms

    def _stopped_until(self) -> int:
        scheduler = self._context.state.scheduler
        return self._context.at if scheduler.stopped_at is not None else scheduler.stopped_until
