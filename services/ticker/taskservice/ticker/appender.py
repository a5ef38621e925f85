"""Batches on their way into the log: several in flight, in order, and the identical ones again when an answer is lost.

Only OK and DUP confirm a batch. Any other answer means that the log is not what the leader believes: `failure` says
it, nothing more is sent, and the leader drops its state.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import assert_never

import msgspec
import structlog

from taskservice.streams.answers import Appended, AppendOutcome, Duplicate, Fenced, Gap, NoGroup
from taskservice.streams.batches import AppendBatch, epoch_of, position_of
from taskservice.streams.errors import NotSent, OutcomeUnknown, ServerRefusal, StreamsError
from taskservice.streams.ports import PartitionLog
from taskservice.telemetry.crash_points import crash_point

MAX_IN_FLIGHT = 16
MAX_OVERTAKINGS = 5
"""How often a batch may have overtaken the one before it until that is no chance any more."""
RESEND_PAUSE_S = (0.0, 0.02, 0.05, 0.1, 0.2)
"""Before the first, second, … resending; the last one holds for all later ones."""

log = structlog.get_logger("taskservice.ticker.appender")


class Sent(msgspec.Struct, kw_only=True):
    """A batch in flight."""

    batch: AppendBatch
    note: object
    """What is to be told once the log has it."""
    sent_at_s: float
    """By the loop's clock, which counts in less than milliseconds."""
    task: asyncio.Task[AppendOutcome] | None
    """Null: decided while others were waiting to be sent again; sent with them."""
    overtakings: int = 0
    """How often it arrived before the one that it follows."""


class Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that the log has. `took_us` from its first sending."""

    batch: AppendBatch
    note: object
    took_us: int
    kept_streams: tuple[str, ...] = ()


class Appender:
    """The only place that writes to the log during a leadership.

    :param may_resend: asked before anything is sent again; a text says why not (it is then another Redis).
    :param on_confirmed: called for each batch, in order; must not block.
    :param on_failure: called once, when `failure` is set.
    """

    def __init__(
        self,
        log_of_partition: PartitionLog,
        *,
        may_resend: Callable[[], Awaitable[str | None]],
        on_confirmed: Callable[[Confirmed], None],
        on_failure: Callable[[], None],
    ) -> None:
        self._log = log_of_partition
        self._may_resend = may_resend
        self._on_confirmed = on_confirmed
        self._on_failure = on_failure
        self._flying: deque[Sent] = deque()
        self._changed = asyncio.Event()
        self._resending = False
        self.failure: str | None = None

    @property
    def in_flight(self) -> int:
        """Batches sent and not confirmed."""
        return len(self._flying)

    @property
    def settled(self) -> bool:
        """Everything that was sent is in the log."""
        return not self._flying and self.failure is None

    def send(self, batch: AppendBatch, note: object = None) -> None:
        """Send after all before; never waits."""
        if self.failure is not None:
            return
        task = None if self._resending else self._start(batch)
        self._flying.append(Sent(batch=batch, note=note, sent_at_s=asyncio.get_running_loop().time(), task=task))
        self._changed.set()

    async def below(self, most: int) -> None:
        """Wait until fewer than `most` batches are in flight, or it has failed."""
        while len(self._flying) >= most and self.failure is None:
            self._changed.clear()
            await self._changed.wait()

    async def run(self) -> None:
        """Take the answers, in order, until it fails or is cancelled."""
        try:
            while self.failure is None:
                if not self._flying:
                    self._changed.clear()
                    await self._changed.wait()
                    continue
                await self._take_answer(self._flying[0])
        finally:
            await self._abandon()

    async def _take_answer(self, first: Sent) -> None:
        if first.task is None:
            first.task = self._start(first.batch)
        try:
            outcome = await first.task
        except (NotSent, OutcomeUnknown) as error:
            await self._resend(str(error))
            return
        except StreamsError as error:
            self._fail(f"refused: {error}")
            return
        match outcome:
            case Appended(_, kept_streams):
                self._confirm(first, kept_streams)
            case Duplicate():
                self._confirm(first, ())
            case Fenced(last_id):
                self._fail(f"FENCED: the log's last entry is {last_id}")
            case Gap(last_id) if _overtook(last_id, first.batch) and first.overtakings < MAX_OVERTAKINGS:
                first.overtakings += 1
                await self._resend(f"it arrived when the log ended at {last_id}")
            case Gap(last_id):
                self._fail(f"GAP: the log's last entry is {last_id}, not {first.batch.expected_last}")
            case NoGroup(suffix):
                self._fail(f"NOGROUP: dispatch stream {suffix}")
            case _:
                assert_never(outcome)

    def _confirm(self, sent: Sent, kept_streams: tuple[str, ...]) -> None:
        self._flying.popleft()
        self._changed.set()
        took_us = int((asyncio.get_running_loop().time() - sent.sent_at_s) * 1_000_000)
        self._on_confirmed(Confirmed(batch=sent.batch, note=sent.note, took_us=took_us, kept_streams=kept_streams))

    async def _resend(self, why: str) -> None:
        """Nobody knows what became of the first one: it and all after it are sent again, identical and in order."""
        self._resending = True
        await asyncio.gather(*self._tasks(), return_exceptions=True)
        attempt = 0
        while self.failure is None:
            await asyncio.sleep(RESEND_PAUSE_S[min(attempt, len(RESEND_PAUSE_S) - 1)])
            attempt += 1
            try:
                refusal = await self._may_resend()
            except ServerRefusal as error:
                refusal = f"refused: {error}"
            except StreamsError:
                continue
            if refusal is not None:
                self._fail(refusal)
                return
            log.info("resending", batches=len(self._flying), first=self._flying[0].batch.last_id, why=why)
            for sent in self._flying:
                sent.task = self._start(sent.batch)
            self._resending = False
            return

    def _tasks(self) -> list[asyncio.Task[AppendOutcome]]:
        return [sent.task for sent in self._flying if sent.task is not None]

    def _start(self, batch: AppendBatch) -> asyncio.Task[AppendOutcome]:
        # A task each: they reach the connection in the order in which they are made, and none waits for another.
        return asyncio.get_running_loop().create_task(_append(self._log, batch))

    def _fail(self, why: str) -> None:
        self.failure = why
        self._changed.set()
        self._on_failure()

    async def _abandon(self) -> None:
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _overtook(last_id: str, batch: AppendBatch) -> bool:
    """Whether the log ended before the entry that the batch follows, under its own epoch.

    All before it are confirmed when its answer is looked at: it was run before they were. Redis had forgotten the
    script while several were under way: those before it were sent as text, and it came between by the script's digest.
    """
    return epoch_of(last_id) == batch.epoch and position_of(last_id) < position_of(batch.expected_last)


async def _append(log_of_partition: PartitionLog, batch: AppendBatch) -> AppendOutcome:
    crash_point("ticker.before_append")
    outcome = await log_of_partition.append(batch)
    crash_point("ticker.after_append")
    return outcome
