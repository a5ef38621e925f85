"""Reports become facts: one arbiter gives every race between cancel, timeout, loss and finish one answer.

A success that precedes wins. Once a cancel was requested, any other end is CANCELLED; once the deadline was reached,
any other end is FAILED with DEADLINE: no retry, no new dispatch, no `onWorkerLoss`.
"""

from typing import assert_never

from taskservice.domain import events as e
from taskservice.domain import reports as r
from taskservice.domain.decide.clocks import ClockDecisions
from taskservice.domain.decide.context import Context
from taskservice.domain.decide.fires import FireDecisions
from taskservice.domain.retry import MAX_RETRY_AFTER_MS, may_retry, retry_delay_ms
from taskservice.domain.state import Instance


def decide_report(
    context: Context, fires: FireDecisions, clocks: ClockDecisions, report: r.AnyReport, worker: str
) -> None:
    """Decide one report. One about an entry that is not open any more changes nothing."""
    instance = _open_instance(context, fires, clocks, report)
    if instance is None:
        _ignore_late(context, report, worker)
        return
    context.draft.begin_item()
    match report:
        case r.Succeeded():
            _succeeded(context, instance, report, worker)
        case r.Started():
            _started(context, instance, report, worker)
        case r.Failed():
            _failed(context, instance, report, worker)
        case r.TimedOut():
            _timed_out(context, instance, report, worker)
        case r.Stopped():
            _stopped(context, instance, report, worker)
        case r.Returned():
            _came_back(context, instance, "returned")
        case r.Interrupted():
            lose_attempt(
                context, instance, worker, "shutdown", *_span(context, instance, report.started_at, report.ended_at)
            )
        case r.Forgotten():
            _forgotten(context, instance, report, worker)
        case r.Revoked():
            _revoked(context, instance, report)
        case _:
            assert_never(report)


def _open_instance(
    context: Context, fires: FireDecisions, clocks: ClockDecisions, report: r.AnyReport
) -> Instance | None:
    """Whom the report concerns, after what was due before it is settled; None = that entry is not open any more."""
    state = context.state
    instance = state.instances.get(state.dispatched.get(report.position, ""))
    if instance is None:
        return None
    definition = state.definitions[instance.definition_id]
    due = context.agenda.fires.next_of(definition.id)
    if due is not None and due <= context.at:
        fires.settle(definition, cut_gap=False)
    clocks.settle(instance)
    return state.instances.get(state.dispatched.get(report.position, ""))


def _forgotten(context: Context, instance: Instance, report: r.Forgotten, worker: str) -> None:
    """Acknowledged and gone: a failover lost the end of the inbox, before anybody had read it."""
    context.draft.emit(
        e.LogLossDetected(
            from_position=0,
            to_position=0,
            what=f"the report of worker {worker} that ended dispatch entry {instance.entry_id}",
            **context.stamp(""),
        )
    )
    lose_attempt(context, instance, worker, "recovery", instance.started_at, min(report.found_at, context.at))


def lose_attempt(
    context: Context, instance: Instance, worker: str, reason: e.LossReason, started_at: int | None, ended_at: int
) -> None:
    """Nobody knows how the attempt ended: `onWorkerLoss` decides, at most `maxWorkerLosses` times."""
    if _ended_from_outside(context, instance, worker, started_at, ended_at):
        return
    definition = context.state.definitions[instance.definition_id]
    spec = definition.versions[instance.definition_version]
    counted = reason == "worker"
    losses = instance.worker_losses + (1 if counted else 0)
    gone = definition.deleted_at is not None
    final = gone or spec.on_worker_loss == "FAIL" or losses > spec.max_worker_losses
    message = {
        "worker": f"worker {worker or 'unknown'} was lost",
        "shutdown": f"worker {worker} shut down before it was done",
        "recovery": "what became of it was lost with part of the log",
    }[reason]
    context.draft.emit(
        e.AttemptLost(
            instance_id=instance.id,
            attempt=instance.attempt,
            worker=worker,
            reason=reason,
            started_at=started_at,
            ended_at=ended_at,
            final=final,
            counted=counted,
            error_message=message,
            **context.stamp(instance.tenant_id),
        )
    )
    if not final:
        _schedule_retry(context, instance, context.ts)


def _succeeded(context: Context, instance: Instance, report: r.Succeeded, worker: str) -> None:
    started_at, ended_at = _span(context, instance, report.started_at, report.ended_at)
    context.draft.emit(
        e.AttemptSucceeded(
            instance_id=instance.id,
            attempt=instance.attempt,
            worker=worker,
            started_at=started_at,
            ended_at=ended_at,
            result=report.result,
            ts=context.ts,
            at=context.at,
            tenant_id=instance.tenant_id,
            cause=context.cause,
        )
    )


def _started(context: Context, instance: Instance, report: r.Started, worker: str) -> None:
    if instance.status == "RUNNING":
        return
    context.draft.emit(
        e.AttemptStarted(
            instance_id=instance.id,
            attempt=instance.attempt,
            worker=worker,
            started_at=max(min(report.started_at, context.at), instance.dispatched_at or 0),
            **context.stamp(instance.tenant_id),
        )
    )


def _failed(context: Context, instance: Instance, report: r.Failed, worker: str) -> None:
    started_at, ended_at = _span(context, instance, report.started_at, report.ended_at)
    if _ended_from_outside(context, instance, worker, started_at, ended_at):
        return
    final = not (report.retry and _may_retry(context, instance, report.error_type))
    failures = instance.failures
    context.draft.emit(
        e.AttemptFailed(
            instance_id=instance.id,
            attempt=instance.attempt,
            worker=worker,
            started_at=started_at,
            ended_at=ended_at,
            error_type=report.error_type,
            error_message=report.error_message,
            final=final,
            **context.stamp(instance.tenant_id),
        )
    )
    if not final:
        _retry_later(context, instance, failures, ended_at, report.retry_after_ms)


def _timed_out(context: Context, instance: Instance, report: r.TimedOut, worker: str) -> None:
    started_at, ended_at = _span(context, instance, report.started_at, report.ended_at)
    if not _ended_from_outside(context, instance, worker, started_at, ended_at):
        _time_out(context, instance, worker, started_at, ended_at)


def _stopped(context: Context, instance: Instance, report: r.Stopped, worker: str) -> None:
    """Ended upon a signal: by what was asked of it."""
    called_at = report.ended_at if report.started_at is None else report.started_at
    begun_at, ended_at = _span(context, instance, called_at, report.ended_at)
    started_at = None if report.started_at is None else begun_at
    if _ended_from_outside(context, instance, worker, started_at, ended_at):
        return
    if instance.timeout_kind == "TIMEOUT":
        _time_out(context, instance, worker, ended_at if started_at is None else started_at, ended_at)
    elif started_at is None:
        _came_back(context, instance, "returned")
    else:
        lose_attempt(context, instance, worker, "shutdown", started_at, ended_at)


def _revoked(context: Context, instance: Instance, report: r.Revoked) -> None:
    """The entry was taken out by the leader's own append; what it asked for decides."""
    ended_at = max(context.at, instance.started_at or 0)
    if _ended_from_outside(context, instance, instance.worker, instance.started_at, ended_at):
        return
    if instance.timeout_kind == "START_TIMEOUT" and report.mode == "waiting":
        _fail_unstarted(context, instance, "START_TIMEOUT", "not started within startTimeoutMs", ended_at)
    elif instance.timeout_kind == "TIMEOUT":
        _time_out(context, instance, instance.worker, instance.started_at or ended_at, ended_at)
    elif report.mode == "any":
        lose_attempt(context, instance, report.worker or instance.worker, "worker", instance.started_at, ended_at)
    else:
        _came_back(context, instance, "revoked")


def _came_back(context: Context, instance: Instance, reason: str) -> None:
    """Its handler was never called: it waits again, same attempt, unless it was to end."""
    if _ended_from_outside(context, instance, "", None, context.at):
        return
    if instance.timeout_kind == "START_TIMEOUT":
        _fail_unstarted(context, instance, "START_TIMEOUT", "not started within startTimeoutMs", context.at)
        return
    stamp = context.stamp(instance.tenant_id)
    if context.state.definitions[instance.definition_id].deleted_at is not None:
        context.draft.emit(
            e.InstanceCancelled(
                instance_id=instance.id,
                attempt=instance.attempt,
                ended_at=context.ts,
                error_message="its definition was deleted",
                **stamp,
            )
        )
        return
    context.draft.emit(
        e.DispatchWithdrawn(
            instance_id=instance.id,
            attempt=instance.attempt,
            reason="returned" if reason == "returned" else "revoked",
            **stamp,
        )
    )


def _ended_from_outside(
    context: Context, instance: Instance, worker: str, started_at: int | None, ended_at: int
) -> bool:
    """Whether a cancel or the deadline decides how this attempt ended; then it is decided so."""
    stamp = context.stamp(instance.tenant_id)
    if instance.cancel_requested_at is not None:
        context.draft.emit(
            e.InstanceCancelled(
                instance_id=instance.id,
                attempt=instance.attempt,
                ended_at=ended_at,
                worker=worker,
                started_at=started_at,
                **stamp,
            )
        )
        return True
    if instance.timeout_kind != "DEADLINE":
        return False
    if started_at is None:
        _fail_unstarted(context, instance, "DEADLINE", "not ended within deadlineMs", ended_at)
        return True
    context.draft.emit(
        e.AttemptTimedOut(
            instance_id=instance.id,
            attempt=instance.attempt,
            worker=worker,
            started_at=started_at,
            ended_at=ended_at,
            error_message="not ended within deadlineMs",
            final=True,
            failure_reason="DEADLINE",
            **stamp,
        )
    )
    return True


def _fail_unstarted(context: Context, instance: Instance, reason: e.FailureReason, message: str, ended_at: int) -> None:
    context.draft.emit(
        e.InstanceFailed(
            instance_id=instance.id,
            failure_reason=reason,
            error_message=message,
            ended_at=ended_at,
            **context.stamp(instance.tenant_id),
        )
    )


def _time_out(context: Context, instance: Instance, worker: str, started_at: int, ended_at: int) -> None:
    spec = context.state.spec_of(instance)
    final = not _may_retry(context, instance, "TimeoutError")
    failures = instance.failures
    context.draft.emit(
        e.AttemptTimedOut(
            instance_id=instance.id,
            attempt=instance.attempt,
            worker=worker,
            started_at=started_at,
            ended_at=ended_at,
            error_message=f"ran longer than timeoutMs {spec.timeout_ms}",
            final=final,
            **context.stamp(instance.tenant_id),
        )
    )
    if not final:
        _retry_later(context, instance, failures, ended_at)


def _may_retry(context: Context, instance: Instance, error_type: str) -> bool:
    definition = context.state.definitions[instance.definition_id]
    if definition.deleted_at is not None:
        return False
    return may_retry(definition.versions[instance.definition_version], instance.failures, error_type)


def _retry_later(context: Context, instance: Instance, failures: int, ended_at: int, at_least_ms: int = 0) -> None:
    spec = context.state.spec_of(instance)
    delay = retry_delay_ms(spec, failures, instance.id, instance.attempt)
    not_before = ended_at + delay
    if at_least_ms:  # counted from the report: the worker's clock may be behind that of the server that asked
        not_before = max(not_before, context.at + min(at_least_ms, MAX_RETRY_AFTER_MS))
    _schedule_retry(context, instance, not_before)


def _schedule_retry(context: Context, instance: Instance, not_before: int) -> None:
    context.draft.emit(
        e.RetryScheduled(
            instance_id=instance.id,
            attempt=instance.attempt + 1,
            not_before=not_before,
            **context.stamp(instance.tenant_id),
        )
    )


def _ignore_late(context: Context, report: r.AnyReport, worker: str) -> None:
    """A loss may have decided the attempt already: the report is kept as an event, and changes nothing."""
    if isinstance(report, r.Revoked | r.Started | r.Returned):
        return
    context.draft.begin_item()
    context.draft.emit(
        e.LateResultIgnored(entry=str(report.position), worker=worker, kind=type(report).__name__, **context.stamp(""))
    )


def _span(context: Context, instance: Instance, started_at: int, ended_at: int) -> tuple[int, int]:
    """A worker's clock can neither start a run before it was dispatched nor end it after its report arrived."""
    dispatched_at = instance.dispatched_at or 0
    ended = max(min(ended_at, context.at), dispatched_at)
    return max(min(started_at, ended), dispatched_at), ended
