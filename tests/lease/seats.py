"""What the tests of the election stand on: an epoch store that holds its promises, and candidates that remember."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from taskservice.clock import Clock
from taskservice.lease import ElectionSettings, Elector, EpochPlan, Term, Witness
from taskservice.lease.outcomes import Elected, Loss, Seen
from taskservice.streams.answers import LogEntry
from taskservice.streams.batches import ArchivedEntry
from taskservice.streams.ports import Streams

PARTITION = 0


class StoreDownError(Exception):
    """What the epoch store raises while it is down."""


@dataclass
class WrittenLoss:
    epoch: int
    from_position: int
    to_position: int
    what: str


@dataclass
class Grant:
    epoch: int
    recovering: int
    witnessed: int
    losses: Sequence[WrittenLoss] = ()


@dataclass
class Head:
    last_id: str
    position: int


@dataclass
class FakeEpochs:
    """The lease row and the archive, in memory, shared by all candidates. `page`: entries of one answer."""

    epoch: int = 0
    recovering: int = 0
    witnessed: int = 0
    archive: list[ArchivedEntry] = field(default_factory=list)
    page: int = 1000
    down: bool = False
    recoveries_begun: list[int] = field(default_factory=list)
    losses: list[WrittenLoss] = field(default_factory=list)

    async def take_epoch(self, partition: int, log_epoch: int, witnessed: int) -> Grant:
        self._answer(partition)
        self.epoch = max(self.epoch, log_epoch) + 1
        self.witnessed = max(self.witnessed, witnessed)
        return Grant(self.epoch, self.recovering, self.witnessed, tuple(self.losses))

    async def testify(self, partition: int, witnessed: int) -> None:
        self._answer(partition)
        self.witnessed = max(self.witnessed, witnessed)

    async def lease(self, partition: int) -> Grant:
        self._answer(partition)
        return Grant(self.epoch, self.recovering, self.witnessed, tuple(self.losses))

    async def begin_recovery(self, partition: int, epoch: int, losses: Sequence[Loss]) -> None:
        self._answer(partition)
        self.recovering = max(self.recovering, epoch)
        self.recoveries_begun.append(epoch)
        for loss in losses:
            written = WrittenLoss(epoch, loss.from_position, loss.to_position, loss.what)
            if written not in self.losses:
                self.losses.append(written)

    async def archive_head(self, partition: int) -> Head | None:
        self._answer(partition)
        return Head(self.archive[-1].id, position(self.archive[-1].id)) if self.archive else None

    async def archived_entries(self, partition: int, after_position: int) -> Sequence[ArchivedEntry]:
        self._answer(partition)
        return [entry for entry in self.archive if position(entry.id) > after_position][: self.page]

    def _answer(self, partition: int) -> None:
        assert partition == PARTITION
        if self.down:
            raise StoreDownError("no answer")


@dataclass
class FakeCandidate:
    """The process: what it has seen, and what it was asked to write."""

    name: str
    epoch: int = 0
    position: int = 0
    inbox_id: str = "0-0"
    recovered_epoch: int = 0
    plans: list[EpochPlan] = field(default_factory=list)

    async def catch_up(self, head: LogEntry | None) -> Witness:
        if head is not None and (head.epoch, head.position) > (self.epoch, self.position):
            self.epoch, self.position = head.epoch, head.position
        return Witness(
            seen=(Seen(self.epoch, self.position),), inbox_id=self.inbox_id, recovered_epoch=self.recovered_epoch
        )

    def epoch_started(self, plan: EpochPlan) -> bytes:
        self.plans.append(plan)
        return f"{self.name} started {plan.epoch}".encode()


@dataclass
class Seat:
    """One process that takes part in the election."""

    elector: Elector
    candidate: FakeCandidate
    streams: Streams


def seat(name: str, streams: Streams, epochs: FakeEpochs, clock: Clock, *, ttl_ms: int = 60_000) -> Seat:
    tokens = iter(range(1, 1000))
    candidate = FakeCandidate(name)
    elector = Elector(
        partition=PARTITION,
        streams=streams,
        epochs=epochs,
        candidate=candidate,
        clock=clock,
        new_token=lambda: f"{name}-{next(tokens)}",
        settings=ElectionSettings(ttl_ms=ttl_ms, poll_ms=20),
        store_errors=(StoreDownError,),
    )
    return Seat(elector, candidate, streams)


async def elected(one: Seat) -> Term:
    """This seat's next step, which must win."""
    step = await one.elector.run_once()
    assert isinstance(step, Elected), step
    return step.term


def position(entry_id: str) -> int:
    return int(entry_id.partition("-")[2])
