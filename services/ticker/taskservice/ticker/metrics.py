"""Counters and histograms of a ticker. Nothing is counted before the log has it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from taskservice.ticker.appender import Confirmed
from taskservice.ticker.tally import TurnFacts

_LATENESS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 600.0)
_APPEND = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_EVENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class TickerMetrics:
    """Registered in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter("taskservice_events", "Events that this process put into the log", registry=registry)
        self.append_events = Histogram(
            "taskservice_append_events", "Events an append", buckets=_EVENTS, registry=registry
        )
        self.append_seconds = Histogram(
            "taskservice_append_seconds",
            "From the first sending of an append to its answer",
            buckets=_APPEND,
            registry=registry,
        )
        self.lateness = Histogram(
            "taskservice_fire_lateness_seconds",
            "From a due instant to its decision",
            buckets=_LATENESS,
            registry=registry,
        )
        self.turns = Counter("taskservice_leader_turns", "Turns of the leader's loop", registry=registry)
        self.elections = Counter("taskservice_elections_won", "Epochs that this process began", registry=registry)
        self.losses = Counter("taskservice_workers_lost", "Workers that were declared lost", registry=registry)
        self.epoch = Gauge(
            "taskservice_leading_epoch", "Epoch under which this process leads; 0 = it follows", registry=registry
        )
        self.position = Gauge("taskservice_ticker_position", "Position that the state stands at", registry=registry)

    def confirmed(self, confirmed: Confirmed, facts: TurnFacts | None) -> None:
        """The log has this batch."""
        events = len(confirmed.batch.events)
        self.events.inc(events)
        self.append_events.observe(events)
        self.append_seconds.observe(confirmed.took_ms / 1000)
        self.position.set(confirmed.batch.last_position)
        if facts is not None:
            for lateness_ms in facts.lateness_ms:
                self.lateness.observe(lateness_ms / 1000)
