"""Taking work: one reader for each kind of slot. The rules are those of design §7, "Taking"."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from taskservice.domain.definition.spec import Isolation
from taskservice.streams.answers import Delivery, NoGroup, Taken, TakeOutcome
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import Dispatch
from taskservice.telemetry.crash_points import crash_point
from taskservice.worker.intake import Intake
from taskservice.worker.rotation import Reading, Rotation
from taskservice.worker.slots import Bell, Slots
from taskservice.worker.trust import Trust

PAGE: Final = 500
DRAIN_STREAMS: Final = 100
IDLE_S: Final = 1.0

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Taker:
    """Reads the dispatch streams whose runs take slots of one kind.

    :param quiet: held while reports are under way: what is pending is only asked for without them.
    :param left_out: told of a stream that is gone; it beats at once.
    """

    def __init__(
        self,
        kind: Isolation,
        worker: str,
        dispatch: Dispatch,
        *,
        intake: Intake,
        slots: Slots,
        trust: Trust,
        quiet: asyncio.Lock,
        left_out: Callable[[str], None],
    ) -> None:
        self.kind = kind
        self._worker = worker
        self._dispatch = dispatch
        self._intake = intake
        self._slots = slots
        self._trust = trust
        self._quiet = quiet
        self._left_out = left_out
        self._rotation = Rotation()
        self._ever: dict[str, None] = {}
        self._bell = Bell()
        self._reading: asyncio.Task[TakeOutcome] | None = None
        self._drain = False
        self._cut_off = False
        self._full = False
        self._stopped = False
        self.missing: tuple[str, ...] = ()
        """Entries that run here and, at the last look, were no longer pending to this worker."""
        self.reconnects = 0
        """How often it looked at what is pending because a read had failed."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """All streams that it ever read in this life: where entries may be pending to it."""
        return tuple(self._ever)

    def read_only(self, suffixes: Sequence[str]) -> None:
        """Read exactly these from now on; a read that blocks on others is given up when one is new."""
        is_new = self._rotation.change(suffixes)
        self._ever.update(dict.fromkeys(suffixes))
        if is_new:
            self._interrupt()
            self._bell.ring()

    def look_at_pending(self) -> None:
        """A read may have been lost: look at what is pending before the next one."""
        self._drain = True
        self._bell.ring()

    def wake(self) -> None:
        """A slot became free, or trust is back."""
        if self._full:
            self._full = False
            self._bell.ring()

    def stop(self) -> None:
        """Take nothing new any more."""
        self._stopped = True
        self._interrupt()
        self._bell.ring()

    async def run_once(self) -> float:
        """One read, or a wait for what it needs; answers 0.

        :raises StreamsError: a read may be lost; the next turn looks at what is pending.
        """
        try:
            if self._drain:
                self._drain = False
                await self.drain()
            await self._turn()
        except StreamsError:
            self._drain = self._cut_off = True
            raise
        return 0.0

    async def _turn(self) -> None:
        self._intake.start_waiting(self.kind)
        free = self._slots.free(self.kind) - self._intake.waiting(self.kind)
        reading = self._rotation.plan(free) if self._trust.holds and not self._stopped else None
        if reading is None:
            self._full = True
            await self._bell.wait(IDLE_S)
            self._full = False
            return
        self._reading = asyncio.create_task(self._take(reading), name=f"take-{self.kind}")
        try:
            await asyncio.wait((self._reading,))
        finally:
            self._reading.cancel()
        if self._reading.cancelled():
            self._drain = True  # its answer may have been on the way
            return
        answer = self._reading.result()
        match answer:
            case Taken(deliveries):
                self._rotation.found(reading, len(deliveries))
                self._intake.receive(self.kind, deliveries)
            case NoGroup(suffix):
                await self._leave_out(suffix)

    async def _take(self, reading: Reading) -> TakeOutcome:
        crash_point("worker.before_take")
        taken = await self._dispatch.take(self._worker, reading.suffixes, reading.count, reading.block_ms)
        crash_point("worker.after_take")
        return taken

    async def drain(self) -> None:
        """Take what is pending to this worker and was never received; note what runs and is no longer pending.

        :raises StreamsError: nothing was decided by half an answer.
        """
        async with self._quiet:
            before = {attempt.entry_id for attempt in self._intake.undecided(self.kind)}
            pending: list[Delivery] = []
            unknown: set[str] = set()
            suffixes = list(self._ever)
            for start in range(0, len(suffixes), DRAIN_STREAMS):
                await self._pending_in(suffixes[start : start + DRAIN_STREAMS], pending, unknown)
        here = {delivery.entry_id for delivery in pending}
        runs = (attempt for attempt in self._intake.undecided(self.kind) if attempt.entry_id in before)
        self.missing = tuple(
            attempt.entry_id for attempt in runs if attempt.entry_id not in here and attempt.suffix not in unknown
        )
        for suffix in unknown.difference(self._rotation.suffixes):
            del self._ever[suffix]
        self._intake.forgotten(pending)
        self._intake.receive(self.kind, pending)
        if self._cut_off:
            self._cut_off = False
            self.reconnects += 1

    async def _pending_in(self, suffixes: list[str], pending: list[Delivery], unknown: set[str]) -> None:
        todo = [(suffixes, "0-0")]
        while todo:
            group, after = todo.pop()
            crash_point("worker.before_pending")
            answer = await self._dispatch.own_pending(self._worker, group, PAGE, after)
            crash_point("worker.after_pending")
            match answer:
                case NoGroup():
                    if len(group) == 1:
                        unknown.add(group[0])
                    else:
                        todo += [([suffix], after) for suffix in group]
                case Taken(deliveries):
                    pending += deliveries
                    todo += _next_pages(deliveries)

    async def _leave_out(self, suffix: str | None) -> None:
        gone = [suffix] if suffix is not None else await self._gone()
        for name in gone:
            log.warning("a dispatch stream or its group is gone; leaving it out", stream=name)
            self._rotation.change([kept for kept in self._rotation.suffixes if kept != name])
            self._left_out(name)

    async def _gone(self) -> list[str]:
        gone: list[str] = []
        for suffix in self._rotation.suffixes:
            answer = await self._dispatch.own_pending(self._worker, (suffix,), 1)
            if isinstance(answer, NoGroup):
                gone.append(suffix)
        return gone

    def _interrupt(self) -> None:
        if self._reading is not None:
            self._reading.cancel()


def _next_pages(deliveries: tuple[Delivery, ...]) -> list[tuple[list[str], str]]:
    counts: dict[str, int] = {}
    last: dict[str, str] = {}
    for delivery in deliveries:
        counts[delivery.suffix] = counts.get(delivery.suffix, 0) + 1
        last[delivery.suffix] = delivery.entry_id
    return [([suffix], last[suffix]) for suffix, count in counts.items() if count >= PAGE]
