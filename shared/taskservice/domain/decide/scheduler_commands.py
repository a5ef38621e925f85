"""Stop, start and restart of the scheduler: they concern every tenant."""

from taskservice.domain import events as e
from taskservice.domain.decide.context import Context
from taskservice.domain.decide.fires import FireDecisions

RESOURCE = "scheduler"


def stop(context: Context, fires: FireDecisions) -> bool:
    """Nothing new starts: fires become misfires, triggers and retries wait, running attempts finish.

    False = more is due before it than one turn may decide: call again.
    """
    scheduler = context.state.scheduler
    if scheduler.stopped_at is not None:
        context.accept(RESOURCE)
        return True
    if not fires.settle_all():
        return False
    context.draft.begin_item()
    context.draft.emit(
        e.SchedulerStopped(
            effective_at=context.at, **context.stamp(_tenant(context)), **context.asked(), **context.outcome()
        )
    )
    return True


def start(context: Context) -> None:
    """It runs again; what fell into the stop is misfired and settled by each definition's policy."""
    scheduler = context.state.scheduler
    if scheduler.stopped_at is None:
        context.accept(RESOURCE)
        return
    context.draft.begin_item()
    context.draft.emit(
        e.SchedulerStarted(
            effective_at=context.at, **context.stamp(_tenant(context)), **context.asked(), **context.outcome()
        )
    )


def restart(context: Context, entry_id: str) -> bool:
    """Accepted by the first epoch that began after it was asked; False = this epoch must resign for it."""
    milliseconds, _, sequence = entry_id.partition("-")
    if (int(milliseconds), int(sequence)) > context.restart_horizon:
        return False
    context.accept(RESOURCE)
    return True


def _tenant(context: Context) -> str:
    return "" if context.command is None else context.command.tenant_id
