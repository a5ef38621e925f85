"""What becomes of a delivered entry: called, kept until it can be called, handed back, or nothing at all."""

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from taskservice.clock import Clock
from taskservice.domain.definition.spec import Isolation
from taskservice.domain.dispatch import CancelSignal, WorkOrder, decode_work_order
from taskservice.domain.reports import Failed, Forgotten, Returned, encode_report
from taskservice.streams.answers import Delivery
from taskservice.streams.batches import Finish
from taskservice.worker.attempt import Attempt
from taskservice.worker.context import LogSink, TaskContext
from taskservice.worker.finishing import Finisher
from taskservice.worker.ledger import Ledger
from taskservice.worker.metrics import WorkerMetrics
from taskservice.worker.outcome import StopReason
from taskservice.worker.running import Runs
from taskservice.worker.slots import Slots
from taskservice.worker.trust import RedisClock, Trust

SIGNAL_KEPT_MS: Final = 60_000
NOBODY: Final = 0
"""No event has this position, so no entry that was dispatched."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Signals:
    """Cancel signals for entries that were not delivered yet; kept 60 s."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[CancelSignal, int]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, entry_id: str, signal: CancelSignal, now_ms: int) -> None:
        """Apply it on delivery."""
        for old in [key for key, (_, kept_at) in self._kept.items() if now_ms - kept_at > SIGNAL_KEPT_MS]:
            del self._kept[old]
        self._kept[entry_id] = (signal, now_ms)

    def take(self, entry_id: str, now_ms: int) -> CancelSignal | None:
        """The signal for this entry, once."""
        if not self._kept:
            return None
        kept = self._kept.pop(entry_id, None)
        return kept[0] if kept is not None and now_ms - kept[1] <= SIGNAL_KEPT_MS else None


class Intake:
    """Where deliveries and signals of one life meet."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        runs: Runs,
        slots: Slots,
        trust: Trust,
        clock: Clock,
        redis_clock: RedisClock,
        finisher: Finisher,
        sink: LogSink,
        metrics: WorkerMetrics,
    ) -> None:
        self._ledger = ledger
        self._runs = runs
        self._slots = slots
        self._trust = trust
        self._clock = clock
        self._redis_clock = redis_clock
        self._finisher = finisher
        self._sink = sink
        self._metrics = metrics
        self._signals = Signals()
        self._waiting: dict[Isolation, deque[Attempt]] = {kind: deque() for kind in slots.sizes}
        self._handing_back = False

    def waiting(self, kind: Isolation) -> int:
        """Entries that were taken and not called yet: after a lost read there may be more than slots."""
        return len(self._waiting[kind])

    def undecided(self, kind: Isolation) -> list[Attempt]:
        """Attempts of this kind whose end is not decided."""
        return [attempt for attempt in self._ledger.open() if attempt.kind == kind]

    def receive(self, kind: Isolation, deliveries: Sequence[Delivery]) -> None:
        """Take note of what a read returned, and call what can be called. An entry that is known changes nothing."""
        waiting = self._waiting[kind]
        for delivery in deliveries:
            order = self._order_of(delivery)
            if order is None or self._ledger.knows(delivery.entry_id):
                continue
            attempt = Attempt(delivery.entry_id, delivery.suffix, order, kind, TaskContext(order, self._sink))
            self._ledger.hold(attempt)
            waiting.append(attempt)
        self.start_waiting(kind)

    def _order_of(self, delivery: Delivery) -> WorkOrder | None:
        """What a delivered entry asks for; None: nobody is called for it, and what must be reported of that is."""
        known = self._ledger.knows(delivery.entry_id)
        if delivery.payload is None:
            if not known:
                self._without_body(delivery)
            return None
        self._metrics.taken += not known
        try:
            order = decode_work_order(delivery.payload)
        except msgspec.MsgspecError as error:
            if not known:
                self._unreadable(delivery, error)
            return None
        if _is_copy(order, delivery):
            self._copy(delivery)
            return None
        return order

    def forgotten(self, pending: Sequence[Delivery]) -> None:
        """What is pending here though its end was acknowledged is reported as such: nobody else can know of it.

        A failover of Redis may have lost the end of the inbox before the leader read it; the run would never end.
        """
        for delivery in pending:
            if not self._ledger.ended(delivery.entry_id) or delivery.payload is None or _is_copied(delivery):
                continue
            log.error("ALARM: Redis lost the report of an end that it had acknowledged", entry=delivery.entry_id)
            position = int(delivery.entry_id.rpartition("-")[2])
            report = Forgotten(position, self._redis_clock.now_ms())
            self._finisher.add(Finish(delivery.suffix, delivery.entry_id, "ended", encode_report(report)))

    def start_waiting(self, kind: Isolation) -> None:
        """Call what waits, as far as slots and trust go; hand it back when the worker stops."""
        waiting = self._waiting[kind]
        if not waiting:
            return
        if self._handing_back:
            while waiting:
                self._runs.never_called(waiting.popleft(), None)
            return
        if not self._trust.holds:
            return
        now_ms = self._clock.monotonic_ms()
        while waiting:
            attempt = waiting[0]
            signal = self._signals.take(attempt.entry_id, now_ms)
            if signal is not None:
                waiting.popleft()
                self._runs.never_called(attempt, "cancel")
            elif self._slots.take(kind):
                waiting.popleft()
                self._runs.call(attempt)
            else:
                return

    def signal(self, entry_id: str, signal: CancelSignal) -> None:
        """Whoever holds this entry ends it."""
        attempt = self._ledger.get(entry_id)
        if attempt is None:
            if not self._ledger.knows(entry_id):
                self._signals.keep(entry_id, signal, self._clock.monotonic_ms())
            return
        if attempt.started_at is None:
            if not attempt.decided:
                self._waiting[attempt.kind].remove(attempt)
                self._runs.never_called(attempt, "cancel")
            return
        self._runs.stop(attempt, stop_reason(signal), signal.grace_ms)

    def hand_back(self) -> None:
        """From now on nothing is called: what waits, and what may still be delivered, is handed back."""
        self._handing_back = True
        for kind in self._waiting:
            self.start_waiting(kind)

    def forget_waiting(self) -> None:
        """The worker was declared lost: what waits is nobody's business here any more."""
        for waiting in self._waiting.values():
            while waiting:
                self._runs.never_called(waiting.popleft(), "lost")

    def _without_body(self, delivery: Delivery) -> None:
        """Pending, and deleted by hand: whoever revokes takes an entry out of the pending list as well.

        Nobody was called for it, and what it asked for is lost: it is handed back, to be dispatched again.
        """
        log.warning("a pending entry was deleted from its stream; handed back", entry=delivery.entry_id)
        attempt = self._nobodys_run(delivery)
        self._finisher.add(
            Finish(delivery.suffix, delivery.entry_id, "returned", encode_report(Returned(attempt.position)))
        )

    def _copy(self, delivery: Delivery) -> None:
        """Added by hand, under an id of its own: the run is another entry's, so this one only has to go.

        Its id may be that of another stream's entry: it is not held under it, and its report names no position.
        """
        log.warning("a copy of a dispatch entry; nobody is called for it", entry=delivery.entry_id)
        self._finisher.add(Finish(delivery.suffix, delivery.entry_id, "returned", encode_report(Returned(NOBODY))))

    def _unreadable(self, delivery: Delivery, error: Exception) -> None:
        log.error("a work order can't be read", entry=delivery.entry_id, error=str(error))
        attempt = self._nobodys_run(delivery)
        now_ms = self._redis_clock.now_ms()
        report = Failed(attempt.position, now_ms, now_ms, "UnreadableWorkOrder", str(error)[:500], retry=False)
        self._finisher.add(Finish(delivery.suffix, delivery.entry_id, "ended", encode_report(report)))

    def _nobodys_run(self, delivery: Delivery) -> Attempt:
        """Hold an entry that nobody can be called for, until its end is reported."""
        order = WorkOrder(
            instance_id="", tenant_id="", definition_id="", definition_version=0, task_name="", handler="",
            attempt=0, fire_time=0, dispatched_at=0,
        )  # fmt: skip
        attempt = Attempt(delivery.entry_id, delivery.suffix, order, "THREAD", TaskContext(order, self._sink))
        attempt.decided = True
        self._ledger.hold(attempt)
        return attempt


def stop_reason(signal: CancelSignal) -> StopReason:
    """What a cancel signal means for the handler. Its own timeout and a lost worker are already decided elsewhere."""
    match signal.reason:
        case "timeout":
            return "timeout"
        case "lost":
            return "lost"
        case "cancel" | "deadline":
            return "cancel"


def _is_copy(order: WorkOrder, delivery: Delivery) -> bool:
    """Whether the order lies under another id than the leader gave its entry."""
    return order.entry_id not in {"", delivery.entry_id}


def _is_copied(delivery: Delivery) -> bool:
    try:
        return _is_copy(decode_work_order(delivery.payload or b""), delivery)
    except msgspec.MsgspecError:
        return False
