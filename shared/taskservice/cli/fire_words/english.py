"""In English."""

from taskservice.cli.cells import duration
from taskservice.cli.fire_words.story import Story
from taskservice.client import Instance
from taskservice.client.values import DisabledSpan, WaitingFor

_WAITS = {
    "DUE": "it is put off until {until}",
    "RETRY_DELAY": "the next attempt comes at {until}",
    "SLOT": "no worker has a free slot",
    "NO_WORKER": "no live worker serves its queue and labels",
    "NO_HANDLER": "no live worker of its queue knows its handler",
    "DEFINITION_LIMIT": "{current} of at most {limit} runs of the definition (or its backfill) are dispatched",
    "QUEUE_LIMIT": "{current} of at most {limit} runs of the tenant in its queue are dispatched",
    "TENANT_LIMIT": "{current} of at most {limit} runs of the tenant are dispatched",
    "TENANT_RATE": "the tenant may start {limit} runs a second",
    "OVERLAP": "instance {task_instance_id} has to end first",
    "SCHEDULER_STOPPED": "the scheduler is stopped",
}


class English:
    """See `Words`."""

    def of_entry(self, story: Story) -> str:
        """What happened to the instant, or to several."""
        entry = story.entry
        when = entry.fire_time
        if entry.until is not None:
            when = f"{entry.fire_time} to {entry.until} ({entry.count} instants)"
        match entry.outcome:
            case "RAN":
                return f"{when}: {_of_run(entry.task_instance_id, story.run)}"
            case "UPCOMING":
                return f"{when}: still to come, under version {entry.definition_version}"
            case _:
                return f"{when}: {_why_skipped(story)}"

    def of_span(self, span: DisabledSpan) -> str:
        """Why nothing was due in a span."""
        by = "" if span.actor is None else f" by {span.actor.type} {span.actor.id}"
        if span.end is None:
            return f"{span.begin}: no instant is due from here on: the definition was disabled{by}"
        return f"{span.begin} to {span.end}: no instant was due: the definition was disabled{by}"

    def of_no_instant(self, time: str) -> str:
        """That a time is no due instant."""
        return f"{time}: no instant was due at this time; what follows is the next one"


def _of_run(instance_id: str | None, run: Instance | None) -> str:
    named = f"instance {instance_id}"
    if run is None:
        return f"decided to run as {named}, which can't be read yet"
    worker = "" if run.execution_node is None else f" on worker {run.execution_node}"
    tries = "" if run.attempt <= 1 else f", attempt {run.attempt}"
    match run.status:
        case "SUCCESS":
            return f"ran as {named}{worker} and took {duration(run.execution_duration)}{tries}"
        case "FAILED":
            reason = f" ({run.failure_reason})" if run.failure_reason else ""
            message = f": {run.error_message}" if run.error_message else ""
            return f"ran as {named}{worker} and FAILED{reason}{tries}{message}"
        case "CANCELLED":
            message = f": {run.error_message}" if run.error_message else ""
            return f"was to run as {named}{worker} and was cancelled at {run.end_time}{message}"
        case "RUNNING":
            return f"runs as {named}{worker} since {run.start_time}{tries}"
        case _:
            return f"is to run as {named} and waits: {_waits(run.waiting_for)}"


def _waits(waiting: WaitingFor | None) -> str:
    if waiting is None:
        return "for what can't be told now"
    return _WAITS.get(waiting.reason, waiting.reason).format(
        until=waiting.until,
        limit=waiting.limit,
        current="?" if waiting.current is None else waiting.current,
        task_instance_id=waiting.task_instance_id,
    )


def _why_skipped(story: Story) -> str:
    entry = story.entry
    match entry.reason:
        case "OVERLAP":
            return f"skipped: instance {entry.blocked_by} was still active{_active(story.blocker)}"
        case "MISFIRE":
            return f"misfired: {_silence(story)}; misfirePolicy and misfireWindowMs left it out"
        case "SCHEDULER_STOPPED":
            by = "" if entry.actor is None else f" by {entry.actor.type} {entry.actor.id}"
            return f"skipped: the scheduler had been stopped{by}"
        case "LIMIT":
            full = {
                "WAITING_FIRES": "as many fires of the definition waited as may",
                "OPEN_INSTANCES": "the tenant had as many open runs as it may have",
            }
            return f"skipped: {full.get(entry.limited_by or '', 'a limit was reached')}"
        case _:
            return f"skipped: {entry.reason}"


def _active(blocker: Instance | None) -> str:
    if blocker is None:
        return ""
    if blocker.start_time is None:
        return "; it waited and had not started"
    worker = "" if blocker.execution_node is None else f" on worker {blocker.execution_node}"
    end = "and still runs" if blocker.end_time is None else f"to {blocker.end_time}"
    return f"; it ran{worker} from {blocker.start_time} {end}"


def _silence(story: Story) -> str:
    entry = story.entry
    if entry.silence is not None:
        return f"nobody led from {entry.silence.begin_at} to {entry.silence.end_at}"
    return f"it was decided late, at {entry.decided_at}"
