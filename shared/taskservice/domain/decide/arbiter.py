"""The arbiter of a partition: what the leader feeds with inbox items and time, and takes batches from."""

from typing import TypeAlias, assert_never

import msgspec

from taskservice.domain import commands as c
from taskservice.domain import reports as r
from taskservice.domain.agenda import Agenda
from taskservice.domain.agenda.windows import Window
from taskservice.domain.decide import (
    alarms,
    backfill_commands,
    definition_commands,
    instance_commands,
    losses,
    scheduler_commands,
    tenant_commands,
    unreadable,
)
from taskservice.domain.decide.clocks import ClockDecisions
from taskservice.domain.decide.context import Context
from taskservice.domain.decide.dispatching import dispatch_waiting, release_delayed
from taskservice.domain.decide.draft import Batch, Draft
from taskservice.domain.decide.fires import FireDecisions
from taskservice.domain.decide.reports import decide_report
from taskservice.domain.decide.sweeps import cancel_deleted, withdraw_untaken
from taskservice.domain.decide.unreadable import UnreadableCommand
from taskservice.domain.state import State
from taskservice.domain.watch import Change


class InboxItem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A decoded inbox entry: a command, or the reports of one worker (`worker` '' = of a revocation).

    `at` is the millisecond of its id: the time of all that it says.
    """

    entry_id: str
    at: int
    command: c.AnyCommand | None = None
    reports: tuple[r.AnyReport, ...] = ()
    worker: str = ""


class Decided(msgspec.Struct, frozen=True, gc=False):
    """All items of the entry are decided."""


class Unfinished(msgspec.Struct, frozen=True, gc=False):
    """`items_done` items of the entry are decided (of a command before which much is due, none): offer it again."""

    items_done: int


class Resign(msgspec.Struct, frozen=True, gc=False):
    """A restart was asked for: give up leadership without deciding it; the next epoch accepts it."""


Handled: TypeAlias = Decided | Unfinished | Resign


class Arbiter:
    """Decides for one partition and one epoch. The state must already hold this epoch's EpochStarted."""

    def __init__(
        self,
        state: State,
        known_streams: set[str],
        *,
        restart_horizon: tuple[int, int],
        agenda: Agenda | None = None,
    ) -> None:
        """`restart_horizon`: the last inbox id when this epoch began; a restart asked up to then is accepted.

        `agenda`: of this state, if it was taken up before.
        """
        self.state = state
        self.agenda = agenda or Agenda(state)
        self.draft = Draft(state, self.agenda, known_streams)
        self._context = Context(state, self.agenda, self.draft)
        self._context.restart_horizon = restart_horizon
        self._clocks = ClockDecisions(self._context)
        self._fires = FireDecisions(self._context, self._clocks)

    def handle(self, item: InboxItem, items_done: int, now: int, max_items: int) -> Handled:
        """Decide at most `max_items` items of an inbox entry, beginning after `items_done`.

        The entry proves that its time has come: a clock that is behind decides nothing before it was asked.
        """
        self._context.now = max(now, item.at)
        self._context.read_at = now
        if item.command is not None:
            return self._handle_command(item, item.command, items_done, max_items)
        return self._handle_reports(item, items_done, max_items)

    def run_timers(self, now: int, inbox_read_until: int, max_instants: int = 500, *, fires: bool = True) -> bool:
        """Decide what the clock asks for, up to `now`; True = more is due at once.

        `inbox_read_until`: every report and command up to this instant was decided. What an unread report could
        change (a fire that an active run would skip, a timeout) waits until that reaches its time.
        `fires` false: due instants wait (Redis is short of memory); they are caught up later.
        """
        context = self._context
        context.now = now
        more = release_delayed(context, max_instants)
        fires = fires and self.state.scheduler.stopped_at is None
        more = self._clocks.run(inbox_read_until, max_instants, self._fires.settle_until if fires else None) or more
        if fires:
            more = self._fires.run(inbox_read_until, max_instants) or more
        return more

    def dispatch(self, now: int, most: int = 500) -> bool:
        """Dispatch what waits as far as there is room, limits allow and the scheduler runs; True = more could go."""
        more = self.cancel_deleted(now, most)
        return dispatch_waiting(self._context, most) or more

    def cancel_deleted(self, now: int, most: int = 500) -> bool:
        """Cancel what deleted definitions left; True = more remains. Part of `dispatch`, and due also without it."""
        self._context.now = now
        return cancel_deleted(self._context, most)

    def renew_windows(self, windows: tuple[Window, ...]) -> None:
        """Take over what the live workers can take now."""
        self.agenda.windows.renew(windows, self.state.in_flight)

    def lose_worker(self, worker: str, entries: list[tuple[str, str]], now: int) -> None:
        """A worker's beat stood still; `entries` are (suffix, entry id) pending to it, at most 400 a call."""
        self._context.now = now
        losses.lose_worker(self._context, worker, entries)

    def withdraw_untaken(self, now: int) -> None:
        """While it is stopped: ask back what lies in dispatch streams and nobody took; also after a takeover."""
        self._context.now = now
        withdraw_untaken(self._context)

    def recover(self, now: int, most: int) -> bool:
        """After a loss and once the inbox is read to its end: attempts dispatched before this epoch are lost.

        True = more remain. With the last one RecoveryEnded is decided.
        """
        self._context.now = now
        return losses.recover(self._context, most)

    def tell_loss(self, from_position: int, to_position: int, what: str, now: int) -> None:
        """Something acknowledged is gone: it goes into the log, never in silence."""
        self._context.now = now
        losses.tell_loss(self._context, from_position, to_position, what)

    def tell_alarm(self, change: Change, now: int) -> None:
        """The watchdog raised or cleared an alarm: it goes into the log and changes nothing else."""
        self._context.now = now
        alarms.tell_alarm(self._context, change)

    def reject_unreadable(self, command: UnreadableCommand, now: int) -> None:
        """An inbox entry is a command that this release can't read: it is answered all the same."""
        self._context.now = now
        unreadable.reject(self._context, command)
        self.draft.cursor = command.entry_id

    def doubt_clock(self, *, in_doubt: bool) -> None:
        """While the clocks disagree no item settles what is due by them: it waits, as for `run_timers`."""
        self._context.clock_in_doubt = in_doubt

    def take_batches(self) -> list[Batch]:
        """What was decided since the last call, in order."""
        return self.draft.take()

    def next_at(self, *, fires: bool = True) -> int | None:
        """When the clock next asks for a decision, in ms since the epoch; None = never. `fires` as in `run_timers`."""
        return self.agenda.next_at(fires=fires)

    @property
    def losses_told(self) -> list[str]:
        """What is gone, of all that this term told as LogLossDetected of the log or the inbox, oldest first."""
        return self._context.losses_told

    @property
    def deferred(self) -> bool:
        """Something due waits for proof of how far the inbox was read: probe it."""
        return bool(self._context.deferred_until)

    def _handle_command(  # noqa: C901, PLR0912 - one case a command type
        self, item: InboxItem, command: c.AnyCommand, items_done: int, max_items: int
    ) -> Handled:
        context = self._context
        context.begin(f"{item.entry_id}#{items_done}", item.at, command)
        settled = True
        match command:
            case c.TriggerDefinition():
                done = instance_commands.trigger(context, self._fires, command, items_done, max_items)
                if done < len(command.params):
                    self.draft.cursor = f"{item.entry_id}/{done}"
                    return Unfinished(done)
            case c.BackfillDefinition():
                done = backfill_commands.backfill(context, self._fires, command, items_done, max_items)
                if done < len(command.fires):
                    self.draft.cursor = f"{item.entry_id}/{done}"
                    return Unfinished(done)
            case c.CancelBackfill():
                settled = backfill_commands.cancel_backfill(context, self._fires, command, max_items)
            case c.CreateDefinition():
                definition_commands.create(context, command)
            case c.UpdateDefinition():
                settled = definition_commands.update(context, self._fires, command)
            case c.DeleteDefinition():
                settled = definition_commands.delete(context, self._fires, command)
            case c.EnableDefinition():
                settled = definition_commands.enable(context, self._fires, command)
            case c.DisableDefinition():
                settled = definition_commands.disable(context, self._fires, command)
            case c.CancelInstance():
                instance_commands.cancel(context, self._fires, self._clocks, command)
            case c.RetryInstance():
                instance_commands.retry(context, self._fires, self._clocks, command)
            case c.ChangeTenantSettings():
                tenant_commands.change_settings(context, command)
            case c.StopScheduler():
                settled = scheduler_commands.stop(context, self._fires)
                if settled:
                    self.draft.cursor = item.entry_id  # what is asked back may need an append of its own
                    withdraw_untaken(context)
            case c.StartScheduler():
                scheduler_commands.start(context)
            case c.RestartScheduler():
                if not scheduler_commands.restart(context, item.entry_id):
                    return Resign()
            case c.DeclareLostCommands():
                losses.declare_lost_commands(context, command)
            case _:
                assert_never(command)
        if not settled:
            return Unfinished(items_done)
        self.draft.cursor = item.entry_id
        return Decided()

    def _handle_reports(self, item: InboxItem, items_done: int, max_items: int) -> Handled:
        context = self._context
        total = len(item.reports)
        end = min(total, items_done + max_items)
        for index in range(items_done, end):
            context.begin(f"{item.entry_id}#{index}", item.at, None)
            decide_report(context, self._fires, self._clocks, item.reports[index], item.worker)
            self.draft.cursor = item.entry_id if index + 1 == total else f"{item.entry_id}/{index + 1}"
        if end < total:
            return Unfinished(end)
        self.draft.cursor = item.entry_id
        return Decided()
