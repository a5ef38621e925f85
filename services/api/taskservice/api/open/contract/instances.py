"""Operations on instances."""

from taskservice.api.instances.logs import MAX_ATTEMPT, LogPage
from taskservice.api.instances.routes import FAILURE_REASONS, ORIGINS, STATUSES, InstancePage
from taskservice.api.instances.views import InstanceDetail
from taskservice.api.open.contract import parameters as p
from taskservice.api.open.contract.definitions import ACCEPTED
from taskservice.api.open.contract.headers import READING
from taskservice.api.open.contract.operation import Answer, Body, Operation, Parameter, json_answer
from taskservice.api.open.contract.problems import BODIES, POSTS, READS
from taskservice.domain.logs import LOG_LEVELS

FILTERS: tuple[Parameter, ...] = (
    p.token("taskDefinitionId", "Of this definition."),
    p.choice("origin", "What asked for it.", ORIGINS),
    p.token("executionNode", "Run by this worker."),
    p.token("queue", "In this queue."),
    p.choice("failureReason", "FAILED for this reason.", FAILURE_REASONS),
    p.instant("from", "With a `fireTime` at this time or later."),
    p.instant("to", "With a `fireTime` before this time."),
    p.choice("sort", "By `fireTime`; `-fireTime`, the newest first, is the default.", ("fireTime", "-fireTime")),
    p.LIMIT,
    p.CURSOR,
    p.COUNT,
    p.MIN_POSITION,
)
STATUS = p.choice("status", "In one of these statuses.", STATUSES, repeatable=True)
_ONE = json_answer(200, "The instance as it is now.", InstanceDetail, "Task-Position")

OPERATIONS = (
    Operation(
        id="listInstances",
        tag="instances",
        summary="List instances, newest fire first",
        description="Filters are combined with and; several `status` with or.",
        parameters=(STATUS, *FILTERS),
        answers=(json_answer(200, "A page.", InstancePage, *READING),),
        problems=READS,
    ),
    Operation(
        id="getInstance",
        tag="instances",
        summary="Read an instance",
        description="With its attempts, and with what it waits for while it is PENDING.",
        parameters=(p.MIN_POSITION,),
        answers=(json_answer(200, "The instance.", InstanceDetail, *READING),),
        problems=(*READS, "not-found"),
    ),
    Operation(
        id="cancelInstance",
        tag="instances",
        summary="Cancel an instance",
        description=(
            "CANCELLED at once when nobody runs it; otherwise still open with `cancelRequestedAt`, until the worker's "
            "report or the revocation says how it ended. Asking again changes nothing; one that ended by itself is a 409."
        ),
        parameters=p.POSTING,
        body=Body(
            schema="CancelRequest",
            description="May be left out.",
            required=False,
            examples={"reason": ("With a reason", {"reason": "wrong parameters"})},
        ),
        answers=(_ONE, ACCEPTED),
        problems=(*BODIES, *POSTS, "not-found", "state-conflict", "read-model-behind"),
    ),
    Operation(
        id="retryInstance",
        tag="instances",
        summary="Run an ended instance again",
        description=(
            "The same instance is PENDING again, with the next attempt number and its own parameters, under the "
            "definition's current version. From SUCCESS, or while it is active, a 409 names `trigger`."
        ),
        parameters=p.POSTING,
        body=Body(
            schema="EmptyRequest",
            description="Nothing, or an empty object.",
            required=False,
            examples={"empty": ("Nothing to say", {})},
        ),
        answers=(_ONE, ACCEPTED),
        problems=(*BODIES, *POSTS, "not-found", "state-conflict", "read-model-behind"),
    ),
    Operation(
        id="listLogs",
        tag="instances",
        summary="Read or follow what an instance logged, oldest first",
        description=(
            "A page of JSON; with `Accept: text/plain` all of it as a file; with `follow=true`, or "
            "`Accept: text/event-stream`, a stream of server-sent events. Each line is an event `log` whose data is a "
            "`Log`; an event `end` comes when the instance has ended and all its lines are out. A comment keeps an idle "
            "stream alive. At most 100,000 lines an instance; a last line says when there were more."
        ),
        parameters=(
            p.choice("level", "The least level.", LOG_LEVELS),
            p.integer("attempt", "Of this attempt.", 1, MAX_ATTEMPT),
            p.text("q", "Part of the message."),
            p.flag("follow", "Go on with what comes, as server-sent events."),
            p.LIMIT,
            p.CURSOR,
            p.MIN_POSITION,
            p.header(
                "Last-Event-ID",
                "`id` of the last event that a follower had: the stream goes on after it. Only of use with `follow`.",
                {"type": "string"},
                "1-42",
            ),
        ),
        answers=(
            Answer(
                status=200,
                description="A page, a file or a stream.",
                content={
                    "application/json": LogPage,
                    "text/plain": {"type": "string", "description": "A line each: time, level, attempt, message."},
                    "text/event-stream": {"type": "string", "description": "Events `log` and `end`."},
                },
                headers=("Content-Disposition", "X-Accel-Buffering", *READING),
            ),
        ),
        problems=(*READS, "not-found"),
    ),
)
