"""POST /definitions/{id}/trigger: run it now, once or up to 1,000 times."""

import msgspec
from litestar import Response, post
from litestar.params import FromPath

from taskservice.api.answering import answer, asking, no_parameters, position_header
from taskservice.api.auth import Access
from taskservice.api.commands.views import CommandView
from taskservice.api.definitions.asking import field_error
from taskservice.api.instances.describing import describe
from taskservice.api.instances.views import InstanceDetail
from taskservice.api.parts import PREFIX, ApiRequest
from taskservice.api.ports import CommandRow
from taskservice.api.wire.body import json_object, pointer, refuse_unknown, text_member
from taskservice.api.wire.json_text import JsonValue
from taskservice.api.wire.problems import FieldError, not_found, validation_failed
from taskservice.domain.commands import TriggerDefinition
from taskservice.domain.definition.checks import FAULTY
from taskservice.domain.definition.params import task_params
from taskservice.domain.definition.problem import Report
from taskservice.domain.ids import instance_id_of_trigger, is_uuid
from taskservice.domain.state import InstanceStatus

MAX_ITEMS = 1_000
MAX_NOTE = 500


class TriggeredView(msgspec.Struct, kw_only=True):
    """One instance of a batch."""

    id: str
    status: InstanceStatus


class TriggeredPage(msgspec.Struct, kw_only=True, rename="camel"):
    """The instances of a batch, in the order of its items."""

    items: list[TriggeredView]
    next_cursor: str | None


@post(
    "/definitions/{definition_id:str}/trigger",
    access=Access.OPERATOR,
    operation_id="triggerDefinition",
    summary="Run now",
    status_code=201,
)
async def trigger_definition(
    request: ApiRequest, definition_id: FromPath[str]
) -> Response[InstanceDetail] | Response[TriggeredPage] | Response[CommandView]:
    """`{taskParams? | batch?, note?}`; `batch` is 1 to 1,000 objects `{taskParams?}`. Works on disabled ones."""
    no_parameters(request)
    members = await json_object(request, empty=True)
    if members.get("batch", ...) is None:
        del members["batch"]  # as if it were absent: taskParams alone may be null
    params, note = _asked(members)
    if not is_uuid(definition_id):
        raise not_found()
    command = TriggerDefinition(
        **asking(request), definition_id=definition_id, params=params, batch="batch" in members, note=note
    )
    if command.batch:
        return await answer(request, command, lambda decided: _batch(request, decided, len(params)))
    return await answer(request, command, lambda decided: _single(request, decided))


def _asked(members: dict[str, JsonValue]) -> tuple[tuple[str | None, ...], str]:
    """The parameters of each item, and the note.

    :raises ProblemError: `validation-failed` with every fault.
    """
    report = Report()
    faults = refuse_unknown(members, ("taskParams", "batch", "note"))
    note = text_member(members, "note", MAX_NOTE, faults)
    params: tuple[str | None, ...] = ()
    if "batch" not in members:
        params = (_params(members, (), report),)
    elif "taskParams" in members:
        faults.append(_fault("conflict", "batch and taskParams exclude each other.", "batch"))
    else:
        params = _batch_params(members["batch"], faults, report)
    faults.extend(field_error(problem) for problem in report.problems())
    if faults:
        raise validation_failed(*faults)
    return params, note


def _batch_params(batch: JsonValue, faults: list[FieldError], report: Report) -> tuple[str | None, ...]:
    if not isinstance(batch, list) or not 1 <= len(batch) <= MAX_ITEMS:
        faults.append(_fault("range", f"Must be an array of 1 to {MAX_ITEMS} objects.", "batch"))
        return ()
    params: list[str | None] = []
    for index, item in enumerate(batch):
        if not isinstance(item, dict):
            faults.append(_fault("type", "Must be an object.", "batch", index))
            continue
        faults.extend(
            _fault("unknown-member", "There is no such member; known: taskParams.", "batch", index, name)
            for name in item
            if name != "taskParams"
        )
        params.append(_params(item, ("batch", index), report))
    return tuple(params)


def _params(members: dict[str, JsonValue], path: tuple[str | int, ...], report: Report) -> str | None:
    """Absent is the definition's own."""
    if "taskParams" not in members:
        return None
    text = task_params(members["taskParams"], (*path, "taskParams"), report)
    return text if text is not FAULTY and isinstance(text, str) else None


def _fault(code: str, detail: str, *path: str | int) -> FieldError:
    return FieldError(pointer=pointer(*path), code=code, detail=detail)


async def _single(request: ApiRequest, decided: CommandRow) -> Response[InstanceDetail]:
    instance_id = instance_id_of_trigger(decided.id, 0, decided.submitted_at)
    checkpoint = await request.parts.recent_checkpoint(request.tenant_id)
    row = await request.parts.instance(request.tenant_id, instance_id)
    headers = {**position_header(decided), "Location": f"{PREFIX}/instances/{instance_id}"}
    return Response(await describe(request, checkpoint, row), status_code=201, headers=headers)


async def _batch(request: ApiRequest, decided: CommandRow, items: int) -> Response[TriggeredPage]:
    ids = [instance_id_of_trigger(decided.id, index, decided.submitted_at) for index in range(items)]
    statuses = await request.parts.reads.instance_statuses(request.tenant_id, ids)
    page = TriggeredPage(
        items=[TriggeredView(id=one, status=statuses.get(one, "PENDING")) for one in ids], next_cursor=None
    )
    return Response(page, status_code=201, headers=position_header(decided))
