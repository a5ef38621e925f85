"""What lists and details show of definitions, instances and their like."""

from typing import Final

from taskservice.cli.cells import Cell, Id, Moment, Status, duration
from taskservice.cli.output import Column
from taskservice.cli.schedule_told import in_words, next_there
from taskservice.client import Definition, Instance, Worker
from taskservice.client.values import Partition

LONGEST_WHY: Final = 100
"""Characters; `instances show` and `--json` have the whole."""


def schedule_words(one: Definition) -> str:
    """A schedule in a few words: `0 0 2 * * ?`, `every 10.0 s`, `10.0 s after the end`, `once`."""
    match one.schedule_type:
        case "CRON":
            return one.cron_expression or "CRON"
        case "FIXED_RATE":
            return f"every {duration(one.interval_ms)}"
        case "FIXED_DELAY":
            return f"{duration(one.interval_ms)} after the end"
        case "ONCE":
            return "once"
        case _:
            return one.schedule_type


def why(one: Instance) -> str | None:
    """Why it waits, or failed."""
    if one.waiting_for is not None:
        until = f" until {one.waiting_for.until}" if one.waiting_for.until else ""
        limit = f" {one.waiting_for.current}/{one.waiting_for.limit}" if one.waiting_for.limit is not None else ""
        return f"{one.waiting_for.reason}{limit}{until}"
    if one.failure_reason is None:
        return "cancel requested" if one.cancel_requested_at and not one.has_ended else None
    kind = _kind(one)
    reason = one.failure_reason if kind is None else f"{one.failure_reason} {kind}"
    return f"{reason}: {one.error_message}" if one.error_message else reason


def _kind(one: Instance) -> str | None:
    """The class of an error, unless its message or the reason says it already."""
    kind = one.error_type
    return None if not kind or kind == one.failure_reason or (one.error_message or "").startswith(kind) else kind


def why_short(one: Instance) -> str | None:
    """The same for a line of a list: the first line of it, and no more than lists have room for."""
    text = " ".join((why(one) or "").split())
    return (text if len(text) <= LONGEST_WHY else f"{text[: LONGEST_WHY - 1]}…") or None


def counts(numbers: dict[str, int]) -> str:
    """`ASYNC 500, THREAD 50`."""
    return ", ".join(f"{name} {count}" for name, count in sorted(numbers.items()))


DEFINITIONS: tuple[Column[Definition], ...] = (
    Column("ID", lambda one: Id(one.id)),
    Column("SCHEDULE", schedule_words),
    Column("NEXT", lambda one: Moment(one.next_fire_at) if one.enabled else Status("DISABLED")),
    Column("LAST", lambda one: None if one.last_status is None else Status(one.last_status)),
    Column("KEY", lambda one: one.key, gives_way=True),
    Column("NAME", lambda one: one.task_name, gives_way=True),
)
INSTANCES: tuple[Column[Instance], ...] = (
    Column("ID", lambda one: Id(one.id)),
    Column("STATUS", lambda one: Status(one.status)),
    Column("FIRE", lambda one: Moment(one.fire_time)),
    Column("TOOK", lambda one: duration(one.execution_duration)),
    Column("WHY", why_short, gives_way=True),
    Column("NAME", lambda one: one.task_name, gives_way=True),
)
WORKERS: tuple[Column[Worker], ...] = (
    Column("ID", lambda one: one.id),
    Column("STATE", lambda one: Status(one.state)),
    Column("RUNNING", lambda one: one.running),
    Column("SLOTS", lambda one: counts(one.slots), gives_way=True),
    Column("SEEN", lambda one: Moment(one.last_seen_at)),
    Column("QUEUES", lambda one: ",".join(one.queues), gives_way=True),
    Column("HANDLERS", lambda one: ",".join(handler.name for handler in one.handlers), gives_way=True),
)
PARTITIONS: tuple[Column[Partition], ...] = (
    Column("PARTITION", lambda one: one.partition),
    Column("LEADER", lambda one: one.leader, gives_way=True),
    Column("EPOCH", lambda one: one.epoch),
    Column("POSITION", lambda one: one.position),
    Column("PROJECTED", lambda one: one.projected_position),
    Column("LAG", lambda one: duration(one.projection_lag_ms)),
    Column("QUEUED", lambda one: one.queue_size),
    Column("RUNNING", lambda one: one.running),
    Column("NEXT", lambda one: Moment(one.next_fire_at)),
)


def definition_rows(one: Definition) -> list[tuple[str, Cell]]:
    """A definition member by member; limits and policies only where they are not what is usual."""
    usual = Definition(id="", version=0, task_name="", task_handler="", schedule_type="", enabled=True)
    policies = [
        (_camel(name), _words(getattr(one, name))) for name in _POLICIES if getattr(one, name) != getattr(usual, name)
    ]
    return [
        ("id", one.id),
        ("key", one.key),
        ("name", one.task_name),
        ("description", one.description),
        ("owner", one.owner),
        ("labels", _words(one.labels)),
        ("state", Status("ENABLED" if one.enabled else "DISABLED")),
        ("handler", one.task_handler),
        ("params", one.task_params),
        ("schedule", f"{one.schedule_type} {schedule_words(one)}, {one.time_zone}"),
        ("in words", in_words(one)),
        ("runAt", Moment(one.run_at)),
        ("startAt", Moment(one.start_at)),
        ("endAt", Moment(one.end_at)),
        ("next fire", Moment(one.next_fire_at)),
        ("next there", next_there(one) if one.time_zone != "UTC" else None),
        ("last fire", Moment(one.last_fire_at)),
        ("last run", one.last_instance_id),
        ("last status", None if one.last_status is None else Status(one.last_status)),
        *policies,
        ("version", one.version),
        ("created", Moment(one.created_at)),
        ("changed", Moment(one.updated_at)),
        *((f"warning {warning.code}", warning.detail) for warning in one.warnings),
    ]


def instance_rows(one: Instance) -> list[tuple[str, Cell]]:
    """An instance member by member, with its attempts."""
    return [
        ("id", one.id),
        ("definition", f"{one.task_definition_id} version {one.definition_version}"),
        ("name", one.task_name),
        ("handler", one.task_handler),
        ("status", Status(one.status)),
        ("why", why(one)),
        ("origin", one.origin),
        ("fire", Moment(one.fire_time)),
        ("params", one.execution_params),
        ("queue", f"{one.queue}, priority {one.priority}"),
        ("worker", one.execution_node),
        ("started", Moment(one.start_time)),
        ("ended", Moment(one.end_time)),
        ("took", _took(one)),
        ("result", None if one.result is None else _words(one.result)),
        ("error", None if one.error_message is None else f"{one.error_type or ''} {one.error_message}".strip()),
        ("cancel asked", Moment(one.cancel_requested_at)),
        ("asked by", None if one.actor is None else f"{one.actor.type} {one.actor.id}"),
        ("command", one.command_id),
        ("traceparent", one.traceparent),
        *(
            (
                f"attempt {attempt.attempt}",
                " ".join(
                    filter(
                        None,
                        (
                            attempt.status,
                            attempt.execution_node and f"on {attempt.execution_node}",
                            attempt.ended_at and f"ended {attempt.ended_at}",
                            attempt.error_message,
                        ),
                    )
                ),
            )
            for attempt in one.attempts or ()
        ),
    ]


def _took(one: Instance) -> str | None:
    """The contract's duration is that of the current attempt: said where there was another."""
    took = duration(one.execution_duration)
    return f"{took} (attempt {one.attempt})" if took and one.retry_count else took


_POLICIES = (
    "queue", "required_labels", "priority", "misfire_policy", "misfire_window_ms", "misfire_limit", "overlap_policy",
    "max_concurrency", "dst_policy", "jitter_ms", "isolation", "memory_limit_bytes", "cpu_limit_ms", "environment",
    "timeout_ms", "start_timeout_ms", "deadline_ms", "cancel_grace_ms", "max_retries", "retry_on", "no_retry_on",
    "retry_backoff", "retry_delay_ms", "retry_max_delay_ms", "retry_jitter", "on_worker_loss", "max_worker_losses",
    "min_role",
)  # fmt: skip


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _words(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value)
