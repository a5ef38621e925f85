"""What an api exports: the gauges of the first design, the leaders' own words, the read model's lag, and its requests.

Every api shows the words of all leaders, so it suffices to scrape one.
"""

import math
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from taskservice.api.scheduler.views import PartitionFacts, healthy
from taskservice.api.wire.problems import PROBLEMS
from taskservice.telemetry.exposition import exposition
from taskservice.telemetry.families import gauge, gauges
from taskservice.telemetry.leader import leader_families

DURATIONS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
"""The route of a request that no route takes: its path would be a label value that anybody can make up."""


class Metrics:
    """The numbers of this process; no label names a tenant or a definition.

    :ivar registry: what is exported besides the leaders' words.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "taskservice_http_requests",
            "Requests by method, route template and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._durations = Histogram(
            "taskservice_http_request_duration_seconds",
            "From the request to the begin of its answer.",
            ("method", "route"),
            buckets=DURATIONS_S,
            registry=self.registry,
        )
        self._problems = Counter(
            "taskservice_http_problems",
            "Requests that were answered with a problem, by its code: limit-reached and overloaded are load shed.",
            ("code",),
            registry=self.registry,
        )
        for code in PROBLEMS:
            self._problems.labels(code)

    def observe(self, method: str, status: int, duration_ms: float, route: str = "", problem: str = "") -> None:
        """Count a request.

        :param route: template of the path, empty for none. :param problem: code of the problem it was answered with.
        """
        method, route = method if method in METHODS else "OTHER", route or UNMATCHED
        self._requests.labels(method, route, str(status)).inc()
        self._durations.labels(method, route).observe(duration_ms / 1000)
        if problem in PROBLEMS:
            self._problems.labels(problem).inc()

    def render(self, facts: Sequence[PartitionFacts], accept: str = "") -> tuple[bytes, str]:
        """The text that Prometheus reads and its media type, for what the client accepts."""
        shown = CollectorRegistry()
        shown.register(_Told(facts))
        shown.register(_Own(self.registry))
        return exposition(shown, accept)


class _Own(Collector):
    """What this process counted."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        return self._registry.collect()


class _Told(Collector):
    """What the leaders said, and how far the read model is behind them."""

    def __init__(self, facts: Sequence[PartitionFacts]) -> None:
        self._facts = facts

    def collect(self) -> Iterable[Metric]:
        facts = self._facts
        words = [one.status for one in facts if one.status is not None]
        ended = sum(one.succeeded + one.failed + one.cancelled for one in words)
        measured = sum(one.duration_count for one in words)
        yield gauge(
            "task_execution_success_rate",
            "Share of executions that succeeded, of those ended in the last 5 minutes (NaN: none).",
            _ratio(sum(one.succeeded for one in words), ended),
        )
        yield gauge(
            "task_execution_duration_avg",
            "Average duration in seconds of executions ended in the last 5 minutes (NaN: none).",
            _ratio(sum(one.duration_total_ms for one in words) / 1000, measured),
        )
        yield gauge("task_queue_size", "Instances that are due and not started.", sum(one.queue_size for one in words))
        yield gauge(
            "scheduler_health_status",
            "1 = every partition has a live leader, is not stopped, and decides in time; else 0.",
            float(healthy(facts)),
        )
        yield gauges(
            "taskservice_projection_lag_seconds",
            "How far the read model is behind the log.",
            ("partition",),
            [((str(one.partition),), one.lag_ms / 1000) for one in facts],
        )
        yield gauges(
            "taskservice_projected_position",
            "Position of the last event in the read model; absent until the database answered once.",
            ("partition",),
            [((str(one.partition),), one.projected) for one in facts if one.projected is not None],
        )
        yield from leader_families(words, [one.partition for one in facts if one.status is None])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
