"""What a worker counts. Plain numbers on the hot path; Prometheus reads them when it scrapes."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from taskservice.worker.log_buffer import LogBuffer
from taskservice.worker.slots import Slots

OUTCOMES = ("succeeded", "failed", "timed_out", "stopped", "interrupted", "returned", "lost")


class WorkerMetrics(Collector):
    """Counters of a process, over all its lives.

    :ivar stuck_threads: how many threads run although their attempt is decided.
    """

    def __init__(self, slots: Slots, buffer: LogBuffer) -> None:
        self._slots = slots
        self._buffer = buffer
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.taken = 0
        self.not_owner = 0
        self.beats = 0
        self.lives = 0
        self.stuck_threads = 0

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now."""
        attempts = CounterMetricFamily(
            "taskservice_worker_attempts", "Attempts ended by this worker, by how.", labels=["outcome"]
        )
        for outcome, count in self.outcomes.items():
            attempts.add_metric([outcome], count)
        yield attempts
        slots = GaugeMetricFamily("taskservice_worker_slots", "Handlers that may run at once.", labels=["isolation"])
        running = GaugeMetricFamily("taskservice_worker_running", "Handlers that run now.", labels=["isolation"])
        for kind, size in self._slots.sizes.items():
            slots.add_metric([kind], size)
            running.add_metric([kind], self._slots.running(kind))
        yield slots
        yield running
        yield GaugeMetricFamily(
            "taskservice_worker_stuck_threads",
            "Threads that run on after their end was decided.",
            value=self.stuck_threads,
        )
        for name, text, value in (
            ("taken", "Dispatch entries taken.", self.taken),
            ("not_owner", "Reports about entries that were revoked meanwhile.", self.not_owner),
            ("beats", "Beats that were answered.", self.beats),
            ("lives", "Worker ids used, one more than times declared lost.", self.lives),
            ("log_lines", "Log lines written by handlers.", self._buffer.written),
            ("log_lines_dropped", "Log lines that were dropped.", self._buffer.dropped),
        ):
            yield CounterMetricFamily(f"taskservice_worker_{name}", text, value=value)
