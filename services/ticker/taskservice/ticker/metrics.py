"""What a ticker exports: what it did itself, and while it leads the leader's word, as every api shows it."""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from taskservice.domain.status import PartitionStatus
from taskservice.lease import StepDownReason
from taskservice.lease.outcomes import LockLost, LogRefused, OtherRedis, RenewalFailed, Resigned, TrustOver
from taskservice.telemetry.families import counter, counters, gauges
from taskservice.telemetry.leader import leader_families

STEP_DOWNS: Final[dict[type[StepDownReason], str]] = {
    LockLost: "LOCK_LOST",
    RenewalFailed: "RENEWAL_FAILED",
    TrustOver: "TRUST_OVER",
    OtherRedis: "OTHER_REDIS",
    LogRefused: "LOG_REFUSED",
    Resigned: "RESIGNED",
}


class TickerMetrics(Collector):
    """Plain numbers, of all partitions of this process; registered in `registry`, which asks for them at a scrape.

    :ivar leading: by partition, what the leader says of itself now; those that it does not lead are absent.
    :ivar positions: by partition, where the state stands.
    :ivar loads: states loaded from the tables. :ivar resendings: times that appends without answer were sent again.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.leading: dict[int, Callable[[], PartitionStatus]] = {}
        self.positions: dict[int, int] = {}
        self.takeovers = 0
        self.loads = 0
        self.resendings = 0
        self._step_downs = dict.fromkeys(STEP_DOWNS.values(), 0)
        registry.register(self)

    def stepped_down(self, reason: StepDownReason) -> None:
        """A leadership ended."""
        self._step_downs[STEP_DOWNS[type(reason)]] += 1

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now."""
        words = [word() for _, word in sorted(self.leading.items())]
        epochs = {one.partition: one.epoch for one in words}
        positions = self.positions | {one.partition: one.position for one in words}
        yield gauges(
            "taskservice_ticker_leading_epoch",
            "Epoch under which this process leads; 0 = it follows.",
            ("partition",),
            [((str(number),), epochs.get(number, 0)) for number in positions],
        )
        yield gauges(
            "taskservice_ticker_position",
            "Position that the state of this process stands at.",
            ("partition",),
            [((str(number),), position) for number, position in positions.items()],
        )
        yield counter("taskservice_ticker_takeovers", "Epochs that this process began.", self.takeovers)
        yield counters(
            "taskservice_ticker_step_downs",
            "Leaderships of this process that ended, by reason.",
            ("reason",),
            [((reason,), count) for reason, count in self._step_downs.items()],
        )
        yield counter("taskservice_ticker_state_loads", "States loaded from the tables.", self.loads)
        yield counter(
            "taskservice_ticker_resendings",
            "Times that appends without an answer were to be sent again.",
            self.resendings,
        )
        yield from leader_families(words)
