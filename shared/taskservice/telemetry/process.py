"""What every process tells of itself: CPU, memory, files, garbage collection, its release, and whether its loop lags."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.metadata import version
from platform import python_version
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from taskservice.telemetry.families import gauge, gauges

SAMPLE_S: Final = 0.5
WINDOW_S: Final = 60.0
BUCKET_S: Final = 5.0


class LagWindow:
    """The longest lag of the last minute, in buckets of 5 s. All in seconds of the loop's clock."""

    def __init__(self) -> None:
        self._buckets: dict[int, float] = {}

    def note(self, at_s: float, lag_s: float) -> None:
        """Something ran so much later than it was due."""
        bucket = int(at_s // BUCKET_S)
        self._buckets[bucket] = max(self._buckets.get(bucket, 0.0), lag_s)
        if len(self._buckets) > WINDOW_S // BUCKET_S:
            self._forget(at_s)

    def longest(self, now_s: float) -> float:
        """0 when nothing was noted in the last minute."""
        self._forget(now_s)
        return max(self._buckets.values(), default=0.0)

    def _forget(self, now_s: float) -> None:
        oldest = (now_s - WINDOW_S) // BUCKET_S
        self._buckets = {bucket: lag for bucket, lag in self._buckets.items() if bucket > oldest}


class ProcessMetrics(Collector):
    """Samples its loop twice a second between `start` and `stop`.

    :param service: `api`, `ticker`, `worker` or `projector`.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._lags = LagWindow()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Sample the running loop from now on."""
        self._loop = asyncio.get_running_loop()
        self._next(self._loop)

    def stop(self) -> None:
        """Sample no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(SAMPLE_S, self._sample, loop, loop.time() + SAMPLE_S)

    def _sample(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        now_s = loop.time()
        self._lags.note(now_s, max(0.0, now_s - due_s))
        self._next(loop)

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now."""
        yield gauges(
            "taskservice_build_info",
            "Always 1; its labels say which service of which release runs on which Python.",
            ("service", "version", "python"),
            [((self._service, version("taskservice"), python_version()), 1)],
        )
        yield gauge(
            "taskservice_event_loop_lag_seconds",
            "Longest time of the last minute that something ran later than it was due on the event loop.",
            0.0 if self._loop is None else self._lags.longest(self._loop.time()),
        )


@asynccontextmanager
async def process_metrics(registry: CollectorRegistry, service: str) -> AsyncIterator[None]:
    """Register them, and sample the loop as long as this lasts."""
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    metrics = ProcessMetrics(service)
    registry.register(metrics)
    metrics.start()
    try:
        yield
    finally:
        metrics.stop()
