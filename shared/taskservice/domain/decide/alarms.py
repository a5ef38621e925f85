"""What the watchdog found goes into the log: nothing is decided by it, and nobody needs to have seen a log line."""

from typing import assert_never

from taskservice.domain import events as e
from taskservice.domain.decide.context import Context
from taskservice.domain.watch import Change, Cleared, Raised

CAUSE = "watchdog"


def tell_alarm(context: Context, change: Change) -> None:
    """AlarmRaised or AlarmCleared."""
    context.draft.begin_item()
    alarm = change.alarm
    stamp = context.stamp_clock("", alarm.since if isinstance(change, Raised) else context.now, CAUSE)
    match change:
        case Raised():
            context.draft.emit(e.AlarmRaised(kind=alarm.kind, since=alarm.since, detail=alarm.detail, **stamp))
        case Cleared():
            context.draft.emit(e.AlarmCleared(kind=alarm.kind, since=alarm.since, **stamp))
        case _:
            assert_never(change)
