"""What a worker counts. Plain numbers on the hot path; Prometheus reads them when it scrapes."""

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from taskservice.domain.definition.spec import Isolation
from taskservice.domain.histogram import Bounds, empty
from taskservice.domain.measures import RUN_MS
from taskservice.telemetry.families import counter, counters, gauge, gauges, histograms
from taskservice.worker.log_buffer import LogBuffer
from taskservice.worker.process.ends import ENDS
from taskservice.worker.process.pool import ProcessPool
from taskservice.worker.slots import Slots

OUTCOMES: Final = ("succeeded", "failed", "timed_out", "stopped", "interrupted", "returned", "lost")
FINISH_MS: Final[Bounds] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000)
FINISH_REPORTS: Final[Bounds] = (1, 2, 5, 10, 20, 50, 100, 200)


class WorkerMetrics(Collector):
    """Counters of a process, over all its lives.

    :param buffers: of its log lines, one a partition.
    :ivar stuck_threads: how many threads run although their attempt is decided.
    :ivar processes: where attempts run in processes; null = nowhere.
    """

    def __init__(self, slots: Slots, *buffers: LogBuffer) -> None:
        self._slots = slots
        self._buffers = buffers
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.taken = 0
        self.not_owner = 0
        self.beats = 0
        self.lives = 0
        self.stuck_threads = 0
        self.processes: ProcessPool | None = None
        self._runs = {kind: empty(RUN_MS) for kind in slots.sizes}
        self._finish_ms = empty(FINISH_MS)
        self._finish_reports = empty(FINISH_REPORTS)

    def ran(self, kind: Isolation, duration_ms: int) -> None:
        """A handler was called so long ago, and its attempt is decided now."""
        self._runs[kind].observe(RUN_MS, duration_ms)

    def reported(self, reports: int, took_ms: int) -> None:
        """The inbox has so many reports more."""
        self._finish_reports.observe(FINISH_REPORTS, reports)
        self._finish_ms.observe(FINISH_MS, took_ms)

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now."""
        yield from self._now()
        yield from self._histograms()
        yield from self._counters()

    def _now(self) -> Iterable[Metric]:
        sizes = self._slots.sizes
        yield gauges(
            "taskservice_worker_slots",
            "Handlers that may run at once, by kind of slot.",
            ("isolation",),
            [((kind,), size) for kind, size in sizes.items()],
        )
        yield gauges(
            "taskservice_worker_running",
            "Slots that are taken: handlers that have not returned.",
            ("isolation",),
            [((kind,), self._slots.running(kind)) for kind in sizes],
        )
        yield gauge(
            "taskservice_worker_stuck_threads", "Threads that run on after their end was decided.", self.stuck_threads
        )

    def _histograms(self) -> Iterable[Metric]:
        yield histograms(
            "taskservice_worker_run_seconds",
            "From the call of a handler to the decision how it ended, by kind of slot.",
            RUN_MS,
            {(kind,): found for kind, found in self._runs.items()},
            labels=("isolation",),
            units=1_000,
        )
        yield histograms(
            "taskservice_worker_finish_seconds",
            "From sending a batch of reports to its answer.",
            FINISH_MS,
            {(): self._finish_ms},
            units=1_000,
        )
        yield histograms(
            "taskservice_worker_finish_reports", "Reports a batch.", FINISH_REPORTS, {(): self._finish_reports}
        )

    def _counters(self) -> Iterable[Metric]:
        yield counters(
            "taskservice_worker_attempts",
            "Attempts ended by this worker, by how.",
            ("outcome",),
            [((outcome,), count) for outcome, count in self.outcomes.items()],
        )
        pool = self.processes
        yield counters(
            "taskservice_worker_process_ends",
            "Attempts in processes, by how the process ended.",
            ("how",),
            [((how,), 0 if pool is None else pool.ends[how]) for how in ENDS],
        )
        for name, text, value in (
            ("process_keepers", "Keepers started: each starts processes and watches them.", pool.opened if pool else 0),
            ("taken", "Dispatch entries taken.", self.taken),
            ("not_owner", "Reports about entries that were revoked meanwhile.", self.not_owner),
            ("beats", "Beats that were answered.", self.beats),
            ("lives", "Worker ids used, one more than times declared lost.", self.lives),
            ("log_lines", "Log lines written by handlers.", sum(buffer.written for buffer in self._buffers)),
            ("log_lines_stored", "Log lines that Redis took.", sum(buffer.stored for buffer in self._buffers)),
            (
                "log_lines_dropped",
                "Log lines that were dropped: too many wait, or Redis is full.",
                sum(buffer.dropped for buffer in self._buffers),
            ),
            (
                "log_lines_cut",
                "Log lines that were longer than 16 KiB and were cut.",
                sum(buffer.cut for buffer in self._buffers),
            ),
        ):
            yield counter(f"taskservice_worker_{name}", text, value)
