"""Operations on the scheduler."""

from taskservice.api.instances.routes import InstancePage
from taskservice.api.open.contract import parameters as p
from taskservice.api.open.contract.definitions import ACCEPTED
from taskservice.api.open.contract.headers import READING
from taskservice.api.open.contract.instances import FILTERS
from taskservice.api.open.contract.operation import Body, Operation, json_answer
from taskservice.api.open.contract.problems import BODIES, POSTS, READS
from taskservice.api.scheduler.views import StatusView

_NOTHING = Body(
    schema="EmptyRequest",
    description="Nothing, or an empty object.",
    required=False,
    examples={"empty": ("Nothing to say", {})},
)
_STATUS = json_answer(200, "The scheduler's status afterwards.", StatusView)


def _switch(operation_id: str, summary: str, description: str) -> Operation:
    return Operation(
        id=operation_id,
        tag="scheduler",
        summary=summary,
        description=f"{description} Concerns every tenant: the key must be ADMIN and marked `platform`.",
        parameters=p.POSTING,
        body=_NOTHING,
        answers=(_STATUS, ACCEPTED),
        problems=(*BODIES, *POSTS),
    )


OPERATIONS = (
    Operation(
        id="getSchedulerStatus",
        tag="scheduler",
        summary="Read the scheduler's status",
        description="Leader, lease and lags are shown to platform keys only; to others they are null.",
        parameters=(p.MIN_POSITION,),
        answers=(json_answer(200, "The scheduler's status.", StatusView, *READING),),
        problems=READS,
    ),
    Operation(
        id="listRunning",
        tag="scheduler",
        summary="List the instances that run now",
        description="The list of instances with `status=RUNNING`; its other filters hold.",
        parameters=FILTERS,
        answers=(json_answer(200, "A page.", InstancePage, *READING),),
        problems=READS,
    ),
    _switch(
        "stopScheduler",
        "Stop the scheduler",
        "Nothing new starts: fires become misfires, triggers and retries wait. Running attempts finish.",
    ),
    _switch(
        "startScheduler",
        "Start the scheduler again",
        "What fell into the stop is misfired, and settled by each definition's policy.",
    ),
    _switch("restartScheduler", "Make the leader resign", "Answered once the next epoch decides."),
)
