"""The agenda of a leader: everything that time or a free slot will ask it to decide."""

import heapq
from collections.abc import Iterator

from taskservice.domain.agenda.clocks import next_clock
from taskservice.domain.agenda.deadlines import Deadlines
from taskservice.domain.agenda.fire_timers import FireTimers
from taskservice.domain.agenda.shares import Shares
from taskservice.domain.agenda.start_rates import StartRates
from taskservice.domain.agenda.waiting import WaitingLine
from taskservice.domain.agenda.windows import Window, Windows
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.dispatch import stream_suffix
from taskservice.domain.overlap import goes_in_turn, held_up_by
from taskservice.domain.schedule.of_spec import schedule_of
from taskservice.domain.state import Definition, Instance, State, backfill_is_full

MOST_SHARES = 1_000
"""Windows whose shares are kept."""
SLICE = 500
"""Definitions or instances that are taken up at once: some 3 ms of a loop that has leases to renew."""


class Agenda:
    """Timers, waiting lines and room, derived from the state and kept in step by `follow_*` calls.

    :param taken_up: false: it is empty until `take_up` was gone through.
    """

    def __init__(self, state: State, *, taken_up: bool = True) -> None:
        self._state = state
        self.fires = FireTimers()
        self.deadlines = Deadlines()
        self.waiting = WaitingLine()
        self.windows = Windows()
        self.rates = StartRates()
        self._shares: dict[str, Shares] = {}
        self._backfills: dict[str, list[tuple[int, str]]] = {}
        """Heaps of (fire time, instance) by backfill: what its limit holds back."""
        self.delayed: list[tuple[int, str]] = []
        """Heap of (not before, instance): retries and jitter. Entries are checked when met."""
        self.deleted: dict[str, None] = {}
        """Deleted definitions with open instances that are to be cancelled."""
        if taken_up:
            for _ in self.take_up():
                pass

    def take_up(self) -> Iterator[None]:
        """Take up all that the state holds, slice by slice; the state must not change before the end.

        A million definitions take seconds, in which a leader that did nothing else would lose its lease.
        """
        for number, definition in enumerate(self._state.definitions.values(), 1):
            self.follow_definition(definition)
            if not number % SLICE:
                yield
        for number, instance in enumerate(self._state.instances.values(), 1):
            self.follow_instance(instance)
            if not number % SLICE:
                yield

    def follow_definition(self, definition: Definition) -> None:
        """Its schedule, enabled flag, high-water mark or limit changed."""
        self.fires.arm(definition.tenant_id, definition.id, next_instant(definition))
        self.waiting.unpark(definition.id)
        if definition.deleted_at is not None and definition.open_ids:
            self.deleted[definition.id] = None

    def follow_instance(self, instance: Instance) -> None:
        """It was created, dispatched, withdrawn, retried or marked."""
        definition = self._state.definitions[instance.definition_id]
        spec = definition.versions[instance.definition_version]
        clock = next_clock(instance, spec) if has_clocks(instance, spec) else None
        self.deadlines.watch(instance.id, None if clock is None else clock[0])
        if not instance.waits:
            self.waiting.remove(instance.id)
        elif instance.not_before is not None and instance.not_before > self._state.ts:
            self.waiting.remove(instance.id)
            heapq.heappush(self.delayed, (instance.not_before, instance.id))
        else:
            self.line_up(instance)

    def line_up(self, instance: Instance) -> None:
        """It may be dispatched as soon as there is room, unless it is a fire whose turn has not come."""
        if held_up_by(self._state, instance) is not None:
            self.waiting.remove(instance.id)  # `follow_turns` brings it
            return
        if backfill_is_full(self._state, instance):
            self.waiting.remove(instance.id)  # `follow_backfill` brings it
            heapq.heappush(self._backfills.setdefault(instance.command_id, []), (instance.fire_time, instance.id))
            return
        spec = self._state.spec_of(instance)
        self.waiting.add(
            stream_suffix(spec),
            instance.definition_id,
            instance.tenant_id,
            priority=spec.priority,
            ready_at=instance.ready_at,
            instance_id=instance.id,
        )

    def follow_turns(self, definition: Definition) -> None:
        """An instance of it ended, or came back from its stream: the next in turn may go."""
        oldest = next(iter(definition.open_ids), None)
        if oldest is not None and goes_in_turn(definition, self._state.instances[oldest]):
            self.follow_instance(self._state.instances[oldest])

    def follow_backfill(self, command_id: str) -> None:
        """An attempt of a backfill that has a limit ended: the next of those that it held back may go."""
        held = self._backfills.get(command_id, [])
        while held:
            _, instance_id = heapq.heappop(held)
            instance = self._state.instances.get(instance_id)
            if instance is not None and instance.waits and instance_id not in self.waiting:
                self.follow_instance(instance)
                return
        self._backfills.pop(command_id, None)

    def shares_of(self, window: Window) -> Shares:
        """How far each tenant is in what goes through this window."""
        if len(self._shares) > MOST_SHARES:
            self._shares.clear()  # soft: all tenants begin level
        return self._shares.setdefault(window.suffixes[0], Shares())

    def forget_instance(self, instance_id: str) -> None:
        """It ended."""
        self.deadlines.watch(instance_id, None)
        self.waiting.remove(instance_id)

    def next_at(self, *, fires: bool = True) -> int | None:
        """The earliest instant at which the clock asks for a decision, in ms since the epoch.

        `fires` false: due instants wait for something else.
        """
        instants = [self.deadlines.next_at(), self.rates.next_at()]
        if fires:
            instants.append(self.fires.next_at())
        if self.delayed:
            instants.append(self.delayed[0][0])
        return min((at for at in instants if at is not None), default=None)


def has_clocks(instance: Instance, spec: DefinitionSpec) -> bool:
    """Whether any clock of the leader can run for it: false for most, which then cost nothing."""
    return (
        spec.deadline_ms is not None
        or spec.start_timeout_ms is not None
        or instance.revoking is not None
        or (spec.timeout_ms is not None and instance.status == "RUNNING")
    )


def next_instant(definition: Definition) -> int | None:
    """The next due instant: strictly after the high-water mark, none while disabled or deleted.

    A FIXED_DELAY has one armed instant at most; `startAt` and `endAt` bound every kind.
    """
    if not definition.enabled or definition.deleted_at is not None:
        return None
    spec = definition.spec
    if spec.schedule_type == "FIXED_DELAY":
        armed = definition.armed_at
        if armed is None or (spec.end_at is not None and armed >= spec.end_at):
            return None
        return armed
    return schedule_of(spec, definition.grid_start, definition.id).next_after(definition.decided_until)
