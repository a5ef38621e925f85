"""What a projector counts. Plain numbers on the hot path; Prometheus reads them when it scrapes."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from taskservice.clock import Clock
from taskservice.storage.projection import PreparedBatch


class ProjectorMetrics(Collector):
    """Counters of a process.

    :ivar working: it holds the lock and a loaded state. :ivar database_up: the database took the last thing asked.
    :ivar position: of the last event in the tables. :ivar read_position: of the last one that was folded.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.working = False
        self.database_up = True
        self.position = 0
        self.read_position = 0
        self.events = 0
        self.rows = 0
        self.batches = 0
        self.statements = 0
        self.write_ms = 0
        self.write_errors = 0
        self.loads = 0
        self.last_batch_events = 0
        self.last_ts = 0

    def committed(self, batch: PreparedBatch, took_ms: int) -> None:
        """Count a batch."""
        self.batches += 1
        self.events += batch.events
        self.rows += batch.rows
        self.statements += len(batch.statements)
        self.write_ms += took_ms
        self.position = batch.after.position
        self.last_batch_events = batch.events
        self.last_ts = batch.ts

    @property
    def lag_ms(self) -> int:
        """Age of the last event in the tables while more are read than written; else 0."""
        return max(0, self._clock.now_ms() - self.last_ts) if self.read_position > self.position else 0

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now."""
        gauges = (
            ("working", "Whether this projector is the one that works.", float(self.working)),
            ("database_up", "Whether the database took the last thing it was asked.", float(self.database_up)),
            ("position", "Position of the last event in the tables.", self.position),
            ("read_position", "Position of the last event that was folded.", self.read_position),
            ("lag_seconds", "Age of the last event in the tables while there are more.", self.lag_ms / 1000),
            ("last_batch_events", "Events of the last batch.", self.last_batch_events),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(f"taskservice_projector_{name}", text, value=value)
        counters = (
            ("events", "Events written.", self.events),
            ("rows", "Rows written, besides segments and checkpoints.", self.rows),
            ("batches", "Transactions committed.", self.batches),
            ("statements", "Statements of those transactions.", self.statements),
            ("write_seconds", "Time that those transactions took.", self.write_ms / 1000),
            ("write_errors", "Transactions that failed and were tried again.", self.write_errors),
            ("loads", "States loaded from the tables.", self.loads),
        )
        for name, text, count in counters:
            yield CounterMetricFamily(f"taskservice_projector_{name}", text, value=count)
