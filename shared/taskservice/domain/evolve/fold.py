"""The fold: one event, one step."""

from typing import assert_never

from taskservice.domain import events as e
from taskservice.domain.event_codec import UnknownEvent
from taskservice.domain.evolve import definitions as d
from taskservice.domain.evolve import instances as i
from taskservice.domain.state import ENDED_HORIZON_COUNT, ENDED_HORIZON_MS, State
from taskservice.domain.tenants import DEPLOYMENT


def evolve(state: State, event: e.AnyEvent | UnknownEvent, epoch: int, position: int) -> None:
    """Fold the event with id `<epoch>-<position>` into the state; one at or below the head is a redelivery."""
    if position <= state.position:
        return
    state.epoch = epoch
    state.position = position
    state.ts = max(state.ts, event.ts)
    if not isinstance(event, UnknownEvent):
        _apply(state, event)
    _forget_ended(state)


def fold_cursor(state: State, cursor: str | None) -> None:
    """Take over the inbox cursor that the last entry of an append carries."""
    if cursor is not None:
        state.cursor = cursor


def _forget_ended(state: State) -> None:
    ended = state.ended
    while ended:
        oldest = next(iter(ended.values()))
        if oldest.updated_at > state.ts - ENDED_HORIZON_MS and len(ended) <= ENDED_HORIZON_COUNT:
            return
        del ended[oldest.id]
        state.horizon = max(state.horizon, oldest.position)


def _apply(state: State, event: e.AnyEvent) -> None:  # noqa: C901, PLR0912 - one case an event type, hot ones first
    match event:
        case e.InstanceScheduled():
            i.scheduled(state, event)
        case e.AttemptSucceeded():
            i.succeeded(state, event)
        case e.InstanceDispatched():
            i.dispatched(state, event)
        case e.AttemptStarted():
            i.started(state, event)
        case e.FireSkipped():
            d.fire_skipped(state, event)
        case e.AttemptFailed() | e.AttemptTimedOut() | e.AttemptLost():
            i.attempt_ended(state, event)
        case e.RetryScheduled():
            i.retry_scheduled(state, event)
        case e.DispatchWithdrawn():
            i.withdrawn(state, event)
        case e.RevocationRequested():
            i.revocation_requested(state, event)
        case e.InstanceFailed():
            i.failed(state, event)
        case e.CancelRequested():
            i.cancel_requested(state, event)
        case e.TimeoutReached():
            i.timeout_reached(state, event)
        case e.InstanceCancelled():
            i.cancelled(state, event)
        case e.InstanceRetried():
            i.retried(state, event)
        case e.DefinitionCreated():
            d.created(state, event)
        case e.DefinitionUpdated():
            d.updated(state, event)
        case e.DefinitionEnabled() | e.DefinitionDisabled():
            d.switched(state, event)
        case e.DefinitionDeleted():
            d.deleted(state, event)
        case _:
            _apply_partition(state, event)


def _tenant_changed(state: State, event: e.TenantSettingsChanged) -> None:
    """What equals the deployment's in everything is not kept."""
    settings = event.settings
    if settings == DEPLOYMENT:
        state.tenants.pop(event.tenant_id, None)
    else:
        state.tenants[event.tenant_id] = settings


def _apply_partition(
    state: State,
    event: e.EpochStarted
    | e.RecoveryEnded
    | e.LogLossDetected
    | e.SchedulerStopped
    | e.SchedulerStarted
    | e.TenantSettingsChanged
    | e.CommandAccepted
    | e.CommandRejected
    | e.LateResultIgnored
    | e.WorkerLost
    | e.AlarmRaised
    | e.AlarmCleared,
) -> None:
    match event:
        case e.EpochStarted():
            state.epoch_started_at = event.ts
            state.epoch_position = state.position
            state.settings = event.settings
            state.recovering = state.recovering or event.recovering
        case e.RecoveryEnded():
            state.recovering = False
            state.recovered_epoch = event.epoch
        case e.SchedulerStopped():
            state.scheduler.stopped_at = event.effective_at
        case e.SchedulerStarted():
            state.scheduler.stopped_at = None
            state.scheduler.stopped_until = event.effective_at
        case e.TenantSettingsChanged():
            _tenant_changed(state, event)
        case e.WorkerLost():
            i.worker_lost(state, event)
        case e.CommandAccepted() | e.CommandRejected() | e.LateResultIgnored() | e.LogLossDetected():
            pass
        case e.AlarmRaised() | e.AlarmCleared():
            pass  # what is watched is measured, never decided by: each leader finds out for itself
        case _:
            assert_never(event)
