"""The metrics that a leader's word becomes: by partition, the same on every api and on the ticker that leads.

Counters and histograms count from the takeover on; a new leader's begin at zero.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from prometheus_client.core import Metric

from taskservice.domain import measures as m
from taskservice.domain.histogram import Bounds, Histogram
from taskservice.domain.measures import Measures, decode_measures
from taskservice.domain.status import PartitionStatus
from taskservice.domain.watch import ALARM_KINDS, AlarmKind
from taskservice.telemetry.families import counters, gauges, histograms

LEADERLESS: Final[AlarmKind] = "LEADERLESS"
Told: TypeAlias = tuple[str, Measures]
"""Partition, and what its leader counted."""

_GAUGES: Final[tuple[tuple[str, str, Callable[[PartitionStatus], float | None]], ...]] = (
    ("leader_epoch", "Epoch of the leader: it grows with every takeover.", lambda one: one.epoch),
    ("leader_position", "Position of the last event in the log.", lambda one: one.position),
    ("scheduler_stopped", "1 = the scheduler was stopped by an operator.", lambda one: one.stopped_at is not None),
    ("recovering", "1 = runs that a loss in Redis left open are being decided.", lambda one: one.recovering),
    ("instances_waiting", "Instances that are due and not started.", lambda one: one.queue_size),
    ("instances_running", "Instances that are known to run: what runs for 200 ms is.", lambda one: one.running),
    (
        "oldest_undecided_seconds",
        "How long the oldest due instant has waited for its decision.",
        lambda one: one.oldest_undecided_ms / 1_000,
    ),
    (
        "inbox_lag_seconds",
        "Age of the oldest command or report that is read and not decided.",
        lambda one: one.inbox_lag_ms / 1_000,
    ),
    (
        "next_fire_timestamp_seconds",
        "When the next fire is due, since the epoch; absent = nothing is scheduled.",
        lambda one: None if one.next_fire_at is None else one.next_fire_at / 1_000,
    ),
    ("clocks_agree", "0 = the clocks disagree: nothing is decided by the clock.", lambda one: one.clock_agrees),
    (
        "clock_offset_seconds",
        "The clock of the leader's host less that of Redis.",
        lambda one: one.clock_offset_ms / 1_000,
    ),
    ("redis_memory_used_bytes", "Memory that Redis uses.", lambda one: one.memory_used),
    ("redis_memory_max_bytes", "Memory that Redis may use; 0 = no limit is set.", lambda one: one.memory_max),
    ("dispatch_streams", "Dispatch streams: one for each queue, labels and handler.", lambda one: one.dispatch_streams),
    ("dispatch_pending", "Dispatch entries that a worker took and did not end.", lambda one: one.dispatch_pending),
    (
        "dispatch_waiting",
        "Dispatch entries that no worker took.",
        lambda one: max(0, one.streams.get("dispatch", 0) - one.dispatch_pending),
    ),
    ("fleet_slots_taken", "Handlers that run, as the live workers say.", lambda one: one.slots_taken),
)


def leader_families(words: Sequence[PartitionStatus], silent: Sequence[int] = ()) -> Iterator[Metric]:
    """The metrics of these partitions; one whose leader does not speak is absent.

    :param silent: partitions whose leader does not speak, which is an alarm of its own.
    """
    for name, text, value_of in _GAUGES:
        known = ((str(one.partition), value_of(one)) for one in words)
        values = [((partition,), float(value)) for partition, value in known if value is not None]
        yield gauges(f"taskservice_{name}", text, ("partition",), values)
    yield _alarms(words, silent)
    yield from _by_kind(words)
    told = [(str(one.partition), found) for one in words if (found := decode_measures(one.measures)) is not None]
    yield from _counters(told)
    yield from _histograms(told)


def _alarms(words: Sequence[PartitionStatus], silent: Sequence[int]) -> Metric:
    on = {one.partition: set(one.alarms) for one in words} | {partition: {LEADERLESS} for partition in silent}
    return gauges(
        "taskservice_alarm_active",
        "1 = the watchdog says that something promised does not happen, by kind.",
        ("partition", "kind"),
        [
            ((str(partition), kind), float(kind in kinds))
            for partition, kinds in sorted(on.items())
            for kind in ((LEADERLESS,) if partition in silent else ALARM_KINDS)
        ],
    )


def _by_kind(words: Iterable[PartitionStatus]) -> Iterator[Metric]:
    words = list(words)
    yield gauges(
        "taskservice_stream_entries",
        "Entries by stream, those that were read and not yet removed included.",
        ("partition", "stream"),
        [((str(one.partition), name), count) for one in words for name, count in one.streams.items()],
    )
    yield gauges(
        "taskservice_workers",
        "Live workers by state.",
        ("partition", "state"),
        [
            ((str(one.partition), state), count)
            for one in words
            for state, count in (
                ("ACTIVE", one.workers - one.workers_draining),
                ("DRAINING", one.workers_draining),
            )
        ],
    )
    yield gauges(
        "taskservice_fleet_slots",
        "Handlers that all live workers together may run at once, by kind of slot.",
        ("partition", "isolation"),
        [((str(one.partition), kind), size) for one in words for kind, size in one.slots.items()],
    )


def _counters(told: Sequence[Told]) -> Iterator[Metric]:
    yield _labelled(
        "instances_scheduled", "Instances that were requested, by what asked for them.", ("origin",), told,
        [((origin,), origin) for origin in m.ORIGINS], lambda one: one.scheduled,
    )  # fmt: skip
    yield _labelled(
        "fires_skipped", "Due instants that were decided not to run, by reason.", ("reason",), told,
        [((reason,), reason) for reason in m.SKIP_REASONS], lambda one: one.skipped,
    )  # fmt: skip
    yield _labelled(
        "instances_ended", "Instances that ended, by status and why they failed.", ("status", "failure_reason"), told,
        [(pair, "/".join(pair)) for pair in m.INSTANCE_ENDS], lambda one: one.ended,
    )  # fmt: skip
    yield _labelled(
        "attempts", "Attempts that ended, by outcome and reason.", ("outcome", "reason"), told,
        [(pair, "/".join(pair)) for pair in m.ATTEMPT_ENDS], lambda one: one.attempts,
    )  # fmt: skip
    yield _labelled(
        "commands", "Commands that were decided, by type and outcome.", ("type", "outcome"), told,
        [((kind, end), f"{kind}/{end}") for kind in m.COMMAND_TYPES for end in m.COMMAND_OUTCOMES],
        lambda one: one.commands,
    )  # fmt: skip
    yield _labelled(
        "alarms_raised", "Alarms that the watchdog raised, by kind.", ("kind",), told,
        [((kind,), kind) for kind in ALARM_KINDS], lambda one: one.alarms,
    )  # fmt: skip
    plain: tuple[tuple[str, str, Callable[[Measures], int]], ...] = (
        ("retries", "Attempts that follow one that failed or was lost.", lambda one: one.retries),
        ("workers_lost", "Workers that were declared lost.", lambda one: one.workers_lost),
        ("late_results", "Reports about runs that were decided before.", lambda one: one.late_results),
        ("losses_detected", "Times that part of Redis' data was found gone.", lambda one: one.losses),
    )
    for name, text, count_of in plain:
        yield counters(
            f"taskservice_{name}", text, ("partition",), [((partition,), count_of(one)) for partition, one in told]
        )


def _labelled(
    name: str,
    text: str,
    labels: tuple[str, ...],
    told: Sequence[Told],
    known: Sequence[tuple[tuple[str, ...], str]],
    counts_of: Callable[[Measures], dict[str, int]],
) -> Metric:
    """Every known set of label values is there from the start, so that the first event is seen as an increase."""
    values = [
        ((partition, *label_values), counts_of(one).get(key, 0))
        for partition, one in told
        for label_values, key in known
    ]
    return counters(f"taskservice_{name}", text, ("partition", *labels), values)


def _histograms(told: Sequence[Told]) -> Iterator[Metric]:
    yield histograms(
        "taskservice_fire_lateness_seconds",
        "From a nominal instant to its decision, of fires that run; misfired = later than the threshold, or stopped.",
        m.LATENESS_MS,
        {
            (partition, misfired): found
            for partition, one in told
            for misfired, found in (("false", one.lateness), ("true", one.lateness_misfired))
        },
        labels=("partition", "misfired"),
        units=1_000,
    )
    plain: tuple[tuple[str, str, Bounds, int, Callable[[Measures], Histogram]], ...] = (
        ("queue_wait_seconds", "From when an attempt was due to the call of its handler.", m.WAIT_MS, 1_000,
         lambda one: one.queue_wait),
        ("run_duration_seconds", "From the call of a handler to its end.", m.RUN_MS, 1_000,
         lambda one: one.run_duration),
        ("append_events", "Events an append to the log.", m.APPEND_EVENTS, 1, lambda one: one.append_events),
        ("append_seconds", "From the first sending of an append to its answer.", m.APPEND_US, 1_000_000,
         lambda one: one.append_us),
        ("leader_turn_seconds", "Turns of the leader's loop: deciding, without waiting.", m.TURN_US, 1_000_000,
         lambda one: one.turn_us),
        ("lease_renewal_seconds", "From asking for a renewal of the lease to the answer.", m.RENEWAL_MS, 1_000,
         lambda one: one.renewal_ms),
    )  # fmt: skip
    for name, text, bounds, units, found_of in plain:
        yield histograms(
            f"taskservice_{name}",
            text,
            bounds,
            {(partition,): found_of(one) for partition, one in told},
            labels=("partition",),
            units=units,
        )
