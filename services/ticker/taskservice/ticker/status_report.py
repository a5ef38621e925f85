"""The leader's word about itself, from what it holds."""

from taskservice.domain.measures import encode_measures
from taskservice.domain.status import PartitionStatus
from taskservice.ticker.leadership import Leadership


def status_of(parts: Leadership) -> PartitionStatus:
    """As of now; position and counts are of what the log has."""
    state, arbiter = parts.state, parts.arbiter
    now = parts.time.now_ms()
    stopped_at = state.scheduler.stopped_at
    next_fire = arbiter.agenda.fires.next_at()
    running = sum(1 for instance in state.dispatched.values() if state.instances[instance].status == "RUNNING")
    counts = parts.tally.total(parts.clock.monotonic_ms())
    oldest = parts.intake.oldest_at()
    overdue = next_fire is not None and stopped_at is None and next_fire < now
    workers = {} if parts.sight is None else parts.sight.workers
    slots: dict[str, int] = {}
    for worker in workers.values():
        for kind, size in worker.slots.items():
            slots[kind] = slots.get(kind, 0) + size
    return PartitionStatus(
        partition=state.partition,
        leader=parts.identity.leader,
        epoch=parts.term.epoch,
        written_at=now,
        lease_expires_at=parts.lease_ends_at(),
        position=parts.confirmed_position,
        stopped_at=stopped_at,
        recovering=state.recovering,
        oldest_undecided_ms=now - next_fire if overdue and next_fire is not None else 0,
        queue_size=len(arbiter.agenda.waiting) + len(state.dispatched) - running,
        running=running,
        next_fire_at=next_fire,
        inbox_lag_ms=0 if oldest is None else max(0, now - oldest),
        clock_agrees=parts.clock_trouble is None,
        clock_offset_ms=parts.clock.now_ms() - now,
        memory_ratio=parts.memory_ratio,
        memory_used=0 if parts.server is None else parts.server.used_memory,
        memory_max=0 if parts.server is None else parts.server.maxmemory,
        succeeded=counts.succeeded,
        failed=counts.failed,
        cancelled=counts.cancelled,
        duration_total_ms=counts.duration_total_ms,
        duration_count=counts.duration_count,
        workers=0 if parts.sight is None else len(parts.sight.beats),
        workers_draining=sum(1 for worker in workers.values() if worker.state == "DRAINING"),
        slots=slots,
        slots_taken=sum(worker.running for worker in workers.values()),
        streams=parts.stream_entries,
        dispatch_streams=0 if parts.sight is None else len(parts.sight.streams),
        dispatch_pending=parts.dispatch_pending,
        alarms={alarm.kind: alarm.since for alarm in parts.alarms.values()},
        measures=encode_measures(parts.tally.measures),
        redis=parts.term.run_id,
        version=parts.identity.version,
        tzdata=parts.identity.tzdata,
    )
