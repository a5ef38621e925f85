"""Operations on definitions."""

from taskservice.api.commands.views import CommandView
from taskservice.api.definitions.preview import PreviewPage
from taskservice.api.definitions.reads import SCHEDULE_TYPES, DefinitionPage
from taskservice.api.definitions.triggering import TriggeredPage
from taskservice.api.definitions.views import DefinitionView
from taskservice.api.instances.views import InstanceDetail
from taskservice.api.open.contract import parameters as p
from taskservice.api.open.contract.examples import DEFINITIONS, FIRST_DESIGN, REPLACEMENTS
from taskservice.api.open.contract.headers import READING
from taskservice.api.open.contract.operation import Answer, Body, Operation, Parameter, json_answer
from taskservice.api.open.contract.problems import BODIES, POSTS, READS, WRITES
from taskservice.api.wire.body import MERGE_PATCH

ACCEPTED = json_answer(
    202,
    "The command was taken; its outcome can't be read yet, or `Prefer: respond-async` asked not to wait. Ask for it "
    "under `Location`.",
    CommandView,
    "Location",
    "Preference-Applied",
)
_NOTE = Body(
    schema="NoteRequest",
    description="May be left out.",
    required=False,
    examples={"note": ("With a note", {"note": "maintenance"})},
)
_CHANGED = json_answer(200, "The definition as it is now.", DefinitionView, "Task-Position", "ETag")

OPERATIONS = (
    Operation(
        id="createDefinition",
        tag="definitions",
        summary="Create a definition",
        description=(
            "`taskName` is not unique: the same body posted twice makes two definitions. Send an `Idempotency-Key` to "
            "make a repetition harmless, or a `key` to have it refused."
        ),
        parameters=p.POSTING,
        body=Body(schema="DefinitionRequest", description="The definition.", examples=DEFINITIONS),
        answers=(
            json_answer(201, "Created.", DefinitionView, "Task-Position", "ETag", "Location"),
            ACCEPTED,
        ),
        problems=(*BODIES, *POSTS, "key-taken", "read-model-behind"),
    ),
    Operation(
        id="listDefinitions",
        tag="definitions",
        summary="List definitions, newest first",
        description="Deleted ones are not listed. Filters are combined with and.",
        parameters=(
            p.text("q", "Part of `taskName`."),
            p.token("key", "Exactly this key."),
            p.choice("status", "Enabled or disabled ones.", ("ENABLED", "DISABLED")),
            p.choice("scheduleType", "Of this type.", SCHEDULE_TYPES),
            p.token("taskHandler", "With this handler."),
            p.token("queue", "In this queue."),
            p.text("owner", "Of this owner."),
            Parameter(
                name="label",
                location="query",
                description="With this label, as `k:v`; several must all hold.",
                schema={"type": "string", "maxLength": 400, "pattern": "^[^:\\x00-\\x1f\\x7f]+:[^\\x00-\\x1f\\x7f]*$"},
                repeatable=True,
                example="team:data",
            ),
            p.LIMIT,
            p.CURSOR,
            p.COUNT,
            p.MIN_POSITION,
        ),
        answers=(json_answer(200, "A page.", DefinitionPage, *READING),),
        problems=READS,
    ),
    Operation(
        id="previewDefinition",
        tag="definitions",
        summary="Preview the next fires of a schedule",
        description=(
            "Stores nothing. A FIXED_DELAY has one next fire: each further one depends on how long a run takes."
        ),
        body=Body(
            schema="PreviewRequest",
            description="Members of a definition, with `count` and `from` besides.",
            examples={
                "weekdays": (
                    "Weekdays at half past six in Shanghai",
                    {
                        "scheduleType": "CRON",
                        "cronExpression": "0 30 6 ? * MON-FRI",
                        "timeZone": "Asia/Shanghai",
                        "count": 3,
                    },
                ),
                "definition": ("A whole definition", FIRST_DESIGN),
            },
        ),
        answers=(json_answer(200, "The next fires.", PreviewPage),),
        problems=BODIES,
    ),
    Operation(
        id="getDefinition",
        tag="definitions",
        summary="Read a definition",
        description=(
            "With its version as `ETag`. With `asOf` as it was then: the version that was the latest, also of a "
            "definition that has been deleted since; a 404 before it was created and from its deletion on. "
            "`nextFireAt` is then counted from that time, and `lastStatus` is null."
        ),
        parameters=(p.instant("asOf", "As it was at this time."), p.MIN_POSITION),
        answers=(json_answer(200, "The definition.", DefinitionView, "ETag", *READING),),
        problems=(*READS, "not-found"),
    ),
    Operation(
        id="replaceDefinition",
        tag="definitions",
        summary="Replace a definition",
        description=(
            "A whole new version: what the body leaves out gets its default. `key`, and an absent `enabled`, stay as "
            "they are. Runs in flight keep the version that they started with."
        ),
        parameters=(p.IF_MATCH, *p.WRITING),
        body=Body(schema="DefinitionRequest", description="The whole definition.", examples=REPLACEMENTS),
        answers=(_CHANGED, ACCEPTED),
        problems=(*BODIES, *WRITES, "not-found", "key-taken", "version-mismatch", "read-model-behind"),
    ),
    Operation(
        id="patchDefinition",
        tag="definitions",
        summary="Change a definition",
        description=(
            "JSON Merge Patch (RFC 7396) on the current version. Without `If-Match` it is applied again when somebody "
            "was faster."
        ),
        parameters=(p.IF_MATCH, *p.WRITING),
        body=Body(
            schema="DefinitionPatch",
            description="What is to change.",
            media_types=MERGE_PATCH,
            examples={
                "priority": ("Another priority", {"priority": 9}),
                "label": ("One label more, one less", {"labels": {"stage": "prod", "team": None}}),
                "schedule": ("Another schedule", {"cronExpression": "0 0 3 * * ?"}),
            },
        ),
        answers=(_CHANGED, ACCEPTED),
        problems=(*BODIES, *WRITES, "not-found", "key-taken", "version-mismatch", "read-model-behind"),
    ),
    Operation(
        id="deleteDefinition",
        tag="definitions",
        summary="Delete a definition",
        description=(
            "What is PENDING is cancelled; what runs finishes, or is cancelled as well with `cancelRunning=true`. "
            "Afterwards the definition is a 404; the history of its runs stays readable."
        ),
        parameters=(p.flag("cancelRunning", "Cancel what runs."), p.IF_MATCH, *p.WRITING),
        answers=(
            Answer(status=204, description="Deleted.", content={}, headers=("Task-Position",)),
            ACCEPTED,
        ),
        problems=(*WRITES, "not-found", "version-mismatch", "read-model-behind"),
    ),
    Operation(
        id="enableDefinition",
        tag="definitions",
        summary="Enable a definition",
        description="Its first fire is strictly later. Enabling one that is enabled changes nothing.",
        parameters=p.POSTING,
        body=_NOTE,
        answers=(_CHANGED, ACCEPTED),
        problems=(*BODIES, *POSTS, "not-found", "read-model-behind"),
    ),
    Operation(
        id="disableDefinition",
        tag="definitions",
        summary="Disable a definition",
        description="No due instants from here on; what was asked for before still runs.",
        parameters=p.POSTING,
        body=_NOTE,
        answers=(_CHANGED, ACCEPTED),
        problems=(*BODIES, *POSTS, "not-found", "read-model-behind"),
    ),
    Operation(
        id="triggerDefinition",
        tag="definitions",
        summary="Run a definition now",
        description="Once, or with `batch` up to 1,000 times. Works on disabled ones, and is not skipped by overlaps.",
        parameters=p.POSTING,
        body=Body(
            schema="TriggerRequest",
            description="May be left out.",
            required=False,
            examples={
                "plain": ("With the definition's own parameters", {}),
                "params": ("With others", {"taskParams": {"source": "db2"}, "note": "again for Tuesday"}),
                "batch": ("Three runs", {"batch": [{}, {"taskParams": {"shard": 1}}, {"taskParams": {"shard": 2}}]}),
            },
        ),
        answers=(
            json_answer(
                201,
                "One instance with its `Location`, or the instances of a batch.",
                (InstanceDetail, TriggeredPage),
                "Task-Position",
                "Location",
            ),
            ACCEPTED,
        ),
        problems=(*BODIES, *POSTS, "not-found", "read-model-behind"),
    ),
)
