"""What a projector counts. Plain numbers on the hot path; Prometheus reads them when it scrapes."""

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from taskservice.clock import Clock
from taskservice.domain.histogram import Bounds, empty
from taskservice.storage.projection import PreparedBatch
from taskservice.telemetry.families import counter, counters, gauge, histograms

BATCH_EVENTS: Final[Bounds] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
WRITE_US: Final[Bounds] = (
    500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 5_000_000,
)  # fmt: skip


class ProjectorMetrics(Collector):
    """Counters of a process.

    :ivar working: it holds the lock and a loaded state. :ivar database_up: the database took the last thing asked.
    :ivar position: of the last event in the tables. :ivar read_position: of the last one that was folded.
    :ivar stands_still: what the log has next can't be folded.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.working = False
        self.database_up = True
        self.position = 0
        self.read_position = 0
        self.stands_still = False
        self.events = 0
        self.rows = 0
        self.log_lines = 0
        self.statements = 0
        self.segments = {"events": 0, "logs": 0}
        self.write_errors = 0
        self.loads = 0
        self.unknown_events = 0
        self.last_ts = 0
        self._batch_events = empty(BATCH_EVENTS)
        self._write_us = empty(WRITE_US)

    def stand_by(self) -> None:
        """Another one works: what this one met while it worked is not so any more."""
        self.database_up = True
        self.stands_still = False
        self.read_position = self.position

    def read(self, position: int) -> None:
        """The log was folded up to here."""
        if position > self.read_position:
            self.stands_still = False
        self.read_position = position

    def committed(self, batch: PreparedBatch, took_us: int) -> None:
        """Count a batch."""
        self._batch_events.observe(BATCH_EVENTS, batch.events)
        self._write_us.observe(WRITE_US, took_us)
        self.events += batch.events
        self.rows += batch.rows
        self.log_lines += batch.log_lines
        self.statements += len(batch.statements)
        self.segments["events"] += batch.events > 0
        self.segments["logs"] += batch.after.log_segment_number > batch.before.log_segment_number
        self.position = batch.after.position
        self.last_ts = batch.ts

    @property
    def lag_ms(self) -> int:
        """Age of the last event in the tables while more are read than written; else 0."""
        return max(0, self._clock.now_ms() - self.last_ts) if self.read_position > self.position else 0

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now."""
        for name, text, value in (
            ("working", "Whether this projector is the one that works.", float(self.working)),
            ("database_up", "Whether the database took the last thing it was asked.", float(self.database_up)),
            ("position", "Position of the last event in the tables.", self.position),
            ("read_position", "Position of the last event that was folded.", self.read_position),
            ("stands_still", "Whether the log can't be followed any further.", float(self.stands_still)),
            ("lag_seconds", "Age of the last event in the tables while there are more.", self.lag_ms / 1000),
        ):
            yield gauge(f"taskservice_projector_{name}", text, value)
        yield histograms(
            "taskservice_projector_batch_events", "Events a transaction.", BATCH_EVENTS, {(): self._batch_events}
        )
        yield histograms(
            "taskservice_projector_write_seconds",
            "Time of the transactions that were committed.",
            WRITE_US,
            {(): self._write_us},
            units=1_000_000,
        )
        yield counters(
            "taskservice_projector_segments",
            "Segments of the archive that were written, by what they hold.",
            ("kind",),
            [((kind,), count) for kind, count in self.segments.items()],
        )
        for name, text, count in (
            ("events", "Events written.", self.events),
            ("rows", "Rows written, besides segments and checkpoints.", self.rows),
            ("log_lines", "Log lines written, resent ones included.", self.log_lines),
            ("statements", "Statements of the transactions.", self.statements),
            ("write_errors", "Transactions that failed and were tried again.", self.write_errors),
            ("loads", "States loaded from the tables.", self.loads),
            ("unknown_events", "Events of types that only a newer release knows.", self.unknown_events),
        ):
            yield counter(f"taskservice_projector_{name}", text, count)
