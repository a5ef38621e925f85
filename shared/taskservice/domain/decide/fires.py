"""Due instants become decisions: each one exactly one InstanceScheduled or a place in one FireSkipped.

An instant that is late by more than the misfire threshold, or fell into a stop of the scheduler, is *misfired*.
Misfired instants of a definition are one gap, settled once at its end: FIRE_ONCE runs the last of them and skips the
others. Everything else is decided as it would have been in time, however late the leader is.
"""

from taskservice.domain import events as e
from taskservice.domain.agenda.agenda import next_instant
from taskservice.domain.decide.context import Context
from taskservice.domain.ids import instance_id_of_fire
from taskservice.domain.schedule.of_spec import schedule_of
from taskservice.domain.state import Definition

GAP_CHUNK = 1_000
"""Misfired instants that one ranged FireSkipped may stand for, so that no turn is long."""
INSTANTS_A_PIECE = 1_000
"""Instants that are settled before an edit or a stop in one go; more take several turns."""


class FireDecisions:
    """Decides due instants, by the clock or because something that comes after them is to be decided."""

    def __init__(self, context: Context) -> None:
        self._context = context

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
        """Decide the instants up to the time of the item, as the state is now, before the item is decided.

        `cut_gap`: the item changes what governs them, so misfired ones are settled too; otherwise they wait for the
        end of their gap. False = so many are due that the item must wait: call again in the next turn.
        """
        if not cut_gap and self._context.state.scheduler.stopped_at is not None:
            return True
        return self._settle(definition, INSTANTS_A_PIECE, cut_gap=cut_gap) is not None

    def settle_all(self) -> bool:
        """`settle` for every definition: the item concerns all of them."""
        context = self._context
        left = INSTANTS_A_PIECE
        for instant, definition_id in context.agenda.fires.due(context.at):
            definition = context.state.definitions.get(definition_id)
            if definition is None:
                continue
            context.agenda.fires.arm(definition.tenant_id, definition_id, instant)
            if left <= 0:
                return False
            decided = self._settle(definition, left, cut_gap=True)
            if decided is None:
                return False
            left -= decided
        return True

    def _settle(self, definition: Definition, most: int, *, cut_gap: bool) -> int | None:
        """How many instants were decided; None = more remain after `most` of them. Those of no gap are few."""
        context = self._context
        decided = 0
        while True:
            instant = context.agenda.fires.next_of(definition.id)
            if instant is None or instant > context.at:
                return decided
            if not cut_gap and self._misfired(instant):
                return decided
            if cut_gap and decided >= most:
                return None
            decided += self._decide_next(definition, instant, context.at, context.at)

    def _decide_next(self, definition: Definition, instant: int, until: int, inbox_read_until: int) -> int:
        """Decide the next instant, or the gap that begins with it; how many they are, 0 = it waits for the inbox."""
        if self._misfired(instant):
            return self._decide_gap(definition, until, inbox_read_until)
        if self._conflicts(definition) and inbox_read_until < instant:
            return 0
        self._fire(definition, instant)
        return 1

    def _decide_gap(self, definition: Definition, until: int, inbox_read_until: int) -> int:
        instants, complete = self._gap(definition, until)
        last = instants[-1]
        skipped = instants[:-1] if complete else instants
        if complete and self._conflicts(definition) and inbox_read_until < last:
            return 0
        for reason in ("SCHEDULER_STOPPED", "MISFIRE"):
            part = [t for t in skipped if (t <= self._stopped_until()) == (reason == "SCHEDULER_STOPPED")]
            if part:
                self._skip(definition, part[0], part[-1], len(part), "MISFIRE" if reason == "MISFIRE" else reason)
        if complete:
            self._fire(definition, last)
        return len(instants)

    def _gap(self, definition: Definition, until: int) -> tuple[list[int], bool]:
        """The misfired instants from the next one on (at most 1,000), and whether the gap ends with them."""
        instants: list[int] = []
        instant = next_instant(definition)
        spec = definition.spec
        while instant is not None and instant <= until and self._misfired(instant):
            if len(instants) == GAP_CHUNK:
                return instants, False
            instants.append(instant)
            if spec.schedule_type == "FIXED_DELAY":
                break
            instant = schedule_of(spec, definition.grid_start, definition.id).next_after(instant)
        return instants, True

    def _fire(self, definition: Definition, instant: int) -> None:
        context = self._context
        spec = definition.spec
        context.draft.begin_item()
        if self._conflicts(definition):
            self._skip(definition, instant, instant, 1, "OVERLAP", next(iter(definition.open_ids)))
            return
        settings = context.state.settings
        tenant_open = context.state.tenant_open.get(definition.tenant_id, 0)
        tenant_limit = context.state.most_open_of(definition.tenant_id)
        if definition.waiting_fires >= settings.max_waiting_fires or tenant_open >= tenant_limit:
            self._skip(definition, instant, instant, 1, "LIMIT")
            return
        context.draft.emit(
            e.InstanceScheduled(
                instance_id=instance_id_of_fire(definition.id, instant),
                definition_id=definition.id,
                definition_version=definition.version,
                origin="SCHEDULE",
                fire_time=instant,
                dispatched=context.may_dispatch_now(definition, spec),
                **context.stamp_clock(definition.tenant_id, instant, "fire"),
            )
        )

    def _skip(
        self,
        definition: Definition,
        first: int,
        last: int,
        count: int,
        reason: e.SkipReason,
        blocked_by: str | None = None,
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
                **context.stamp_clock(definition.tenant_id, last, "fire"),
            )
        )

    def _conflicts(self, definition: Definition) -> bool:
        return definition.spec.overlap_policy == "SKIP" and bool(definition.open_ids)

    def _misfired(self, instant: int) -> bool:
        context = self._context
        scheduler = context.state.scheduler
        if scheduler.stopped_at is not None or instant <= scheduler.stopped_until:
            return True
        return context.now - instant > context.state.settings.misfire_threshold_ms

    def _stopped_until(self) -> int:
        scheduler = self._context.state.scheduler
        return self._context.at if scheduler.stopped_at is not None else scheduler.stopped_until
