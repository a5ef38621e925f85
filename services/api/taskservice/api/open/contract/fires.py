"""Operations on what became of instants: the fire ledger, and backfills."""

from taskservice.api.backfills.views import BackfillView, CancelledBackfillView
from taskservice.api.fires.routes import OUTCOMES
from taskservice.api.fires.views import LedgerPage
from taskservice.api.open.contract import parameters as p
from taskservice.api.open.contract.definitions import ACCEPTED
from taskservice.api.open.contract.headers import READING
from taskservice.api.open.contract.operation import Body, Operation, json_answer
from taskservice.api.open.contract.problems import BODIES, POSTS, READS

OPERATIONS = (
    Operation(
        id="listFires",
        tag="definitions",
        summary="Read the fire ledger",
        description=(
            "What was decided about each nominal instant of a definition, oldest first: it ran, it was skipped and why, "
            "or it is still to come. Correct over edits, stops, outages and deletion. An entry that stands for several "
            "instants is shown whole when one of them lies in the range. `ranges` are the spans of the whole range in "
            "which no instant was due. A page may hold fewer entries than `limit` although there are more."
        ),
        parameters=(
            p.instant("from", "Only instants at this time or later; a day before now by default."),
            p.instant("to", "Only instants before this time; a day after now by default."),
            p.choice("outcome", "Only these.", OUTCOMES, repeatable=True),
            p.LIMIT,
            p.CURSOR,
            p.MIN_POSITION,
        ),
        answers=(json_answer(200, "A page of the ledger.", LedgerPage, *READING),),
        problems=(*READS, "not-found"),
    ),
    Operation(
        id="backfillDefinition",
        tag="definitions",
        summary="Run past instants",
        description=(
            "Runs the instants in [`from`, `to`) that were due and did not run, each under the version of the "
            "definition that was in force at it. Left out are those that ran, by their schedule or in another backfill, "
            "unless they were cancelled; those of disabled spans; and those that are not decided yet, which are the "
            "schedule's own. At most 10,000 runs of 20,000 instants. `dryRun` says what it would start and starts "
            "nothing. The runs have origin BACKFILL and the backfill's `commandId`; overlaps don't skip them."
        ),
        parameters=p.POSTING,
        body=Body(
            schema="BackfillRequest",
            description="Which instants.",
            examples={
                "try": (
                    "What a night would start",
                    {"from": "2026-11-23T00:00:00Z", "to": "2026-11-23T06:00:00Z", "dryRun": True},
                ),
                "run": (
                    "Two at a time",
                    {"from": "2026-11-23T00:00:00Z", "to": "2026-11-23T06:00:00Z", "maxConcurrency": 2},
                ),
            },
        ),
        answers=(
            json_answer(200, "What it would start (`dryRun`).", BackfillView),
            json_answer(201, "What was started; `Location` is its command.", BackfillView, "Task-Position", "Location"),
            ACCEPTED,
        ),
        problems=(*BODIES, *POSTS, "not-found", "read-model-behind"),
    ),
    Operation(
        id="cancelBackfill",
        tag="definitions",
        summary="Cancel a backfill",
        description=(
            "`command_id` is the backfill's `commandId`. What waits of it is CANCELLED; what runs is asked to end. To "
            "cancel it again changes nothing."
        ),
        parameters=p.POSTING,
        body=Body(
            schema="EmptyRequest", description="May be left out.", required=False, examples={"empty": ("Nothing", {})}
        ),
        answers=(json_answer(200, "What is left of it.", CancelledBackfillView, "Task-Position"), ACCEPTED),
        problems=(*BODIES, *POSTS, "not-found", "read-model-behind"),
    ),
)
