"""What holds between the members of a definition.

Each rule looks at members that are right by themselves; about a faulty one there is nothing more to say.
"""

from collections.abc import Collection
from dataclasses import dataclass

from taskservice.domain.definition.checks import fault, nearest
from taskservice.domain.definition.members import NAME_OF
from taskservice.domain.definition.problem import FieldProblem, Report, pointer_to
from taskservice.domain.definition.spec import CronDialect
from taskservice.domain.schedule.cron_parse import CronError, parse_cron

BELONGS_TO = {
    "cron_expression": ("CRON",),
    "cron_dialect": ("CRON",),
    "interval_ms": ("FIXED_RATE", "FIXED_DELAY"),
    "run_at": ("ONCE",),
}
"""Fields that only definitions of these schedule types have."""
NEEDED = ("cron_expression", "interval_ms", "run_at")
"""Those of them that a definition of such a type must have."""
SHELL = "shell"
"""The built-in handler that runs a program: a process of its own, whatever its definition says of isolation."""


@dataclass(slots=True)
class Draft:
    """The members read so far, by field; `faulty` ones are in no other place."""

    values: dict[str, object]
    faulty: set[str]

    def text(self, field: str) -> str | None:
        """A string member, or None."""
        value = self.values.get(field)
        return value if isinstance(value, str) else None

    def integer(self, field: str) -> int | None:
        """An integer member or instant, or None."""
        value = self.values.get(field)
        return value if isinstance(value, int) else None

    def silent(self, field: str) -> bool:
        """Whether nothing at all was said about `field`: absent or null, and not faulty."""
        return self.values.get(field) is None and field not in self.faulty


def check_schedule(draft: Draft, now_ms: int, report: Report) -> None:
    """What each schedule type needs and excludes, the cron expression itself, and times in their order."""
    schedule_type = draft.text("schedule_type")
    if schedule_type is not None:
        _check_members_of(schedule_type, draft, report)
    if schedule_type == "CRON":
        _check_cron(draft, report)
    start_at, end_at = draft.integer("start_at"), draft.integer("end_at")
    if start_at is not None and end_at is not None and start_at >= end_at:
        fault(report, ("endAt",), "conflict", "endAt is later than startAt: a definition fires in [startAt, endAt)")
    run_at = draft.integer("run_at")
    if run_at is not None and run_at < now_ms and draft.text("misfire_policy") == "SKIP":
        detail = "runAt lies in the past, and with misfirePolicy SKIP it would never run"
        fault(report, ("runAt",), "conflict", detail)
    jitter_ms, interval_ms = draft.integer("jitter_ms"), draft.integer("interval_ms")
    if jitter_ms is not None and interval_ms is not None and jitter_ms >= interval_ms:
        fault(report, ("jitterMs",), "conflict", "jitterMs is less than intervalMs")


def check_execution(draft: Draft, allowed_queues: Collection[str], report: Report) -> None:
    """Where and how it runs: queues of the tenant, limits and an environment that only a process can be given."""
    queue = draft.text("queue") or ("default" if "queue" not in draft.faulty else None)
    if queue is not None and queue not in allowed_queues:
        words = tuple(sorted(allowed_queues))
        detail = f"this tenant may use the queues {', '.join(words) or 'none'}{nearest(queue, words)}"
        report.add(FieldProblem(pointer=pointer_to("queue"), code="not-allowed", detail=detail, allowed=words))
    _check_isolation(draft, report)


def _check_isolation(draft: Draft, report: Report) -> None:
    isolation, is_shell = draft.text("isolation"), draft.text("task_handler") == SHELL
    if is_shell and isolation not in {None, "PROCESS"}:
        detail = f"the handler {SHELL} runs as PROCESS: leave isolation out, or send null or PROCESS"
        fault(report, ("isolation",), "conflict", detail)
    if is_shell or isolation == "PROCESS" or not draft.faulty.isdisjoint(("isolation", "task_handler")):
        return
    for field in ("memory_limit_bytes", "cpu_limit_ms", "environment"):
        if draft.values.get(field):
            name = NAME_OF[field]
            detail = f"{name} needs isolation PROCESS or the handler {SHELL}: nothing else can be held to it"
            fault(report, (name,), "conflict", detail)


def _check_members_of(schedule_type: str, draft: Draft, report: Report) -> None:
    for field, types in BELONGS_TO.items():
        name = NAME_OF[field]
        if schedule_type not in types and draft.values.get(field) is not None:
            detail = f"only {' and '.join(types)} definitions have it; leave it out or send null"
            fault(report, (name,), "not-applicable", detail)
        if schedule_type in types and field in NEEDED and draft.silent(field):
            fault(report, (name,), "required", f"a definition of scheduleType {schedule_type} has {name}")


def _check_cron(draft: Draft, report: Report) -> None:
    expression = draft.text("cron_expression")
    if expression is None or "cron_dialect" in draft.faulty:
        return
    dialects: dict[str | None, CronDialect] = {"QUARTZ": "QUARTZ", "UNIX": "UNIX"}
    parsed = parse_cron(expression, dialects.get(draft.text("cron_dialect")))
    if isinstance(parsed, CronError):
        where = "" if parsed.field is None else f"{parsed.field}: "
        fault(report, ("cronExpression",), "cron", f"{where}{parsed.reason}", parsed.position)
    else:
        draft.values["cron_dialect"] = parsed.dialect
