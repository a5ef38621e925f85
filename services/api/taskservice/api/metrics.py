"""What is measured: the four gauges of the first design from the leaders' own words, and counters of this process."""

import math
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from taskservice.api.scheduler.views import PartitionFacts, healthy

DURATIONS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The registry of this process; no label names a tenant or a definition."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._success_rate = Gauge(
            "task_execution_success_rate",
            "Share of executions that succeeded, of those ended in the last 5 minutes (NaN: none)",
            registry=self.registry,
        )
        self._duration_avg = Gauge(
            "task_execution_duration_avg",
            "Average duration in seconds of executions ended in the last 5 minutes (NaN: none)",
            registry=self.registry,
        )
        self._queue_size = Gauge("task_queue_size", "Instances that are due and not started", registry=self.registry)
        self._health = Gauge(
            "scheduler_health_status",
            "1 = every partition has a live leader, is not stopped, and decides in time; else 0",
            registry=self.registry,
        )
        self._lag = Gauge(
            "taskservice_projection_lag_seconds", "How far the read model is behind the log", registry=self.registry
        )
        self.requests = Counter(
            "taskservice_http_requests", "Requests by method and status", ("method", "status"), registry=self.registry
        )
        self.durations = Histogram(
            "taskservice_http_request_duration_seconds",
            "Time to answer",
            ("method",),
            buckets=DURATIONS_S,
            registry=self.registry,
        )

    def observe(self, method: str, status: int, duration_ms: float) -> None:
        """Count a request."""
        known = method if method in {"GET", "POST", "PUT", "PATCH", "DELETE"} else "OTHER"
        self.requests.labels(known, str(status)).inc()
        self.durations.labels(known).observe(duration_ms / 1000)

    def render(self, facts: Sequence[PartitionFacts]) -> bytes:
        """The text that Prometheus reads."""
        statuses = [one.status for one in facts if one.status is not None]
        ended = sum(one.succeeded + one.failed + one.cancelled for one in statuses)
        measured = sum(one.duration_count for one in statuses)
        self._success_rate.set(_ratio(sum(one.succeeded for one in statuses), ended))
        self._duration_avg.set(_ratio(sum(one.duration_total_ms for one in statuses) / 1000, measured))
        self._queue_size.set(sum(one.queue_size for one in statuses))
        self._health.set(1 if healthy(facts) else 0)
        self._lag.set(max((one.lag_ms for one in facts), default=0) / 1000)
        return generate_latest(self.registry)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
