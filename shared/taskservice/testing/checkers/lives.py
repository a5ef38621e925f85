"""I10, I12, I16: each run walks the published states, attempts number on, a cancel and the deadline have the last word."""

from taskservice.domain import events as e
from taskservice.testing.checkers.evidence import LogRecord
from taskservice.testing.checkers.partition import Partition
from taskservice.testing.checkers.plan import Run
from taskservice.testing.checkers.violation import demand

ENDS_ATTEMPT = (e.AttemptSucceeded, e.AttemptFailed, e.AttemptTimedOut, e.AttemptLost)


def check_life(partition: Partition, record: LogRecord, following: LogRecord | None) -> None:
    """One step of one run. `following`: the next event of the log."""
    event, position = record.event, record.position
    instance_id: str | None = getattr(event, "instance_id", None)
    if instance_id is None:
        return
    run = partition.runs.get(instance_id)
    if isinstance(event, e.InstanceScheduled):
        demand(run is None, "I9", position, f"{instance_id} was scheduled before")
        demand(not (event.dispatched and (event.not_before or 0) > event.ts), "I10", position, "dispatched too early")
        return
    if run is None:
        demand(partition.forgets, "I10", position, f"nobody scheduled {instance_id}")
        return
    if isinstance(event, e.InstanceRetried):
        allowed = run.stage in {"FAILED", "CANCELLED"}
        demand(allowed, "I10", position, f"{run.id} is {run.stage} and was retried by hand")
        return
    demand(run.is_open, "I10", position, f"{run.id} is {run.stage}, which is final: {type(event).__name__}")
    if isinstance(event, e.InstanceDispatched):
        _check_dispatch(run, event, position)
    elif isinstance(event, ENDS_ATTEMPT):
        _check_attempt_end(run, event, position, following, record.batch)
    elif isinstance(event, e.AttemptStarted | e.DispatchWithdrawn):
        demand(run.stage == "DISPATCHED", "I10", position, f"{run.id} was not dispatched")
        demand(event.attempt == run.attempt, "I12", position, f"{run.id} is in attempt {run.attempt}")
        ended = isinstance(event, e.DispatchWithdrawn) and (run.cancelled or run.past_deadline)
        demand(not ended, "I16", position, f"{run.id} waits again, though it was to end")
    elif isinstance(event, e.InstanceFailed):
        _check_failed(run, event, position)


def check_deadline(partition: Partition, record: LogRecord, said_at: int) -> None:
    """I10: a report of after the deadline is decided after the deadline.

    :param said_at: the time of the inbox item that this event answers.
    """
    event = record.event
    if not isinstance(event, (*ENDS_ATTEMPT, e.AttemptStarted, e.DispatchWithdrawn)):
        return
    run = partition.runs.get(event.instance_id)
    if run is None:
        return
    if run.spec.deadline_ms is not None and not run.cancelled:
        ran_out = run.due_at + run.spec.deadline_ms
        what = f"{run.id}: what was said at {said_at} is decided, its deadline at {ran_out} is not"
        demand(run.past_deadline or said_at < ran_out, "I10", record.position, what)


def check_cancel(partition: Partition, record: LogRecord) -> None:
    """I16: a cancel is refused only when the end came first, and accepted only when it holds."""
    event = record.event
    if event.command_type != "CancelInstance" or not isinstance(event, e.CommandAccepted | e.CommandRejected):
        return
    run = partition.runs.get(event.resource.removeprefix("instances/"))
    if run is None:
        return
    if isinstance(event, e.CommandAccepted):
        holds = run.stage == "CANCELLED" or (run.is_open and run.cancelled)
        demand(holds, "I16", record.position, f"{run.id} is {run.stage}, and its cancel was accepted")
    elif event.code == "state-conflict":
        ended = run.stage in {"SUCCESS", "FAILED"}
        demand(ended, "I16", record.position, f"{run.id} is {run.stage}, and its cancel was refused")


def _check_dispatch(run: Run, event: e.InstanceDispatched, position: int) -> None:
    demand(run.stage == "WAITING", "I12", position, f"{run.id} has an open dispatch entry already")
    demand(event.attempt == run.next_attempt, "I12", position, f"attempt {event.attempt} follows {run.attempt}")
    demand(event.ts >= run.not_before, "I10", position, f"{run.id} was to wait until {run.not_before}")
    demand(not run.cancelled and not run.past_deadline, "I16", position, f"{run.id} was to end, and is dispatched")


def _check_attempt_end(
    run: Run,
    event: e.AttemptSucceeded | e.AttemptFailed | e.AttemptTimedOut | e.AttemptLost,
    position: int,
    following: LogRecord | None,
    batch: int,
) -> None:
    demand(run.stage == "DISPATCHED", "I10", position, f"{run.id} has no attempt that could end")
    demand(event.attempt == run.attempt, "I12", position, f"{run.id} is in attempt {run.attempt}")
    if isinstance(event, e.AttemptSucceeded):
        return
    demand(not run.cancelled, "I16", position, f"{run.id} was cancelled: it ends as a success or CANCELLED")
    if run.past_deadline:
        by_deadline = isinstance(event, e.AttemptTimedOut) and event.failure_reason == "DEADLINE"
        demand(by_deadline and event.final, "I16", position, f"{run.id} is past its deadline, which decides")
    if isinstance(event, e.AttemptLost):
        losses = run.losses + event.counted
        beyond = losses > run.spec.max_worker_losses or run.spec.on_worker_loss == "FAIL"
        demand(event.final or not beyond, "I12", position, f"{run.id} is tried again after {losses} losses")
    else:
        demand(event.final or run.failures < run.spec.max_retries, "I12", position, f"{run.id} has no retry left")
    if not event.final:
        retried = following is not None and isinstance(following.event, e.RetryScheduled)
        together = retried and following is not None and following.batch == batch
        demand(together, "I10", position, f"{run.id}: no retry in the same append")


def _check_failed(run: Run, event: e.InstanceFailed, position: int) -> None:
    spec = run.spec
    if event.failure_reason == "START_TIMEOUT":
        demand(spec.start_timeout_ms is not None, "I10", position, f"{run.id} has no startTimeoutMs")
        demand(not run.started, "I10", position, f"{run.id} had started")
        demand(event.ts >= run.due_at + (spec.start_timeout_ms or 0), "I10", position, f"{run.id}: too early")
    elif event.failure_reason == "DEADLINE":
        demand(spec.deadline_ms is not None, "I10", position, f"{run.id} has no deadlineMs")
        demand(event.ts >= run.due_at + (spec.deadline_ms or 0), "I10", position, f"{run.id}: too early")
    demand(not run.cancelled, "I16", position, f"{run.id} was cancelled, and ends FAILED")
