"""Operations on events, commands and workers."""

from taskservice.api.commands.routes import STATUSES, CommandPage
from taskservice.api.commands.views import CommandView
from taskservice.api.events.routes import TYPES
from taskservice.api.open.contract import parameters as p
from taskservice.api.open.contract.event_views import EventPageView
from taskservice.api.open.contract.headers import READING
from taskservice.api.open.contract.operation import Operation, Parameter, json_answer
from taskservice.api.open.contract.problems import READS
from taskservice.api.wire.query import MAX_INT64
from taskservice.api.workers.routes import WorkerPage

_AFTER = p.integer("after", "Only events after this position.", 0, MAX_INT64, 0)
_SHARED: tuple[Parameter, ...] = (
    _AFTER,
    p.choice("type", "Of one of these types; the prefix `taskservice.` may be left out.", TYPES, repeatable=True),
    p.token("actor", "Asked for by this key or user."),
    p.token("commandId", "Caused by this command, or about an instance that it made."),
    p.instant("from", "Decided at this time or later."),
    p.instant("to", "Decided before this time."),
    p.LIMIT,
    p.CURSOR,
    p.MIN_POSITION,
)
_PAGE = (json_answer(200, "A page; it may be empty although there are more.", EventPageView, *READING),)

OPERATIONS = (
    Operation(
        id="listEvents",
        tag="events",
        summary="List what was decided, oldest first",
        description=(
            "The tenant's own events as CloudEvents 1.0 in structured JSON. Positions have gaps, since tenants share a "
            "log, and only grow. A filter is a walk over the log whose cost is bounded: a page may be empty although "
            "`nextCursor` says that there is more."
        ),
        parameters=(
            *_SHARED,
            p.token("taskDefinitionId", "About this definition or its instances."),
            p.token("taskInstanceId", "About this instance."),
        ),
        answers=_PAGE,
        problems=READS,
    ),
    Operation(
        id="listInstanceEvents",
        tag="events",
        summary="List what was decided about an instance, oldest first",
        description="As in the list of all events.",
        parameters=_SHARED,
        answers=_PAGE,
        problems=(*READS, "not-found"),
    ),
    Operation(
        id="listCommands",
        tag="commands",
        summary="List what was asked for, newest first",
        description="PENDING ones are those that lie in the inbox now; while that does not answer they are left out.",
        parameters=(
            p.choice("status", "In one of these statuses.", STATUSES, repeatable=True),
            p.token("actor", "Asked for by this key."),
            p.instant("from", "Submitted at this time or later."),
            p.instant("to", "Submitted before this time."),
            p.LIMIT,
            p.CURSOR,
            p.MIN_POSITION,
        ),
        answers=(json_answer(200, "A page.", CommandPage, *READING),),
        problems=READS,
    ),
    Operation(
        id="getCommand",
        tag="commands",
        summary="Read a command and its outcome",
        description="PENDING until the outcome can be read; then ACCEPTED, or REJECTED with the problem.",
        parameters=(p.MIN_POSITION,),
        answers=(json_answer(200, "The command.", CommandView, *READING),),
        problems=(*READS, "not-found"),
    ),
    Operation(
        id="listWorkers",
        tag="workers",
        summary="List the workers of the tenant's queues, by id",
        description="One that went without a word is listed until it is decided that it is lost.",
        parameters=(p.LIMIT, p.CURSOR, p.MIN_POSITION),
        answers=(json_answer(200, "A page.", WorkerPage, *READING),),
        problems=READS,
    ),
)
