"""POST /instances/{id}/cancel and /retry."""

import msgspec
from litestar import Response, post
from litestar.params import FromPath

from taskservice.api.answering import answer, asking, no_parameters, position_header
from taskservice.api.auth import Access
from taskservice.api.commands.views import CommandView
from taskservice.api.instances.describing import describe
from taskservice.api.instances.views import InstanceDetail, attempts_of
from taskservice.api.parts import ApiRequest
from taskservice.api.ports import CheckpointRow, CommandRow, InstanceRow, StorageDown
from taskservice.api.wire.body import json_object, refuse_unknown, text_member
from taskservice.api.wire.problems import FieldError, not_found, validation_failed
from taskservice.domain.commands import CancelInstance, RetryInstance
from taskservice.domain.events import InstanceSnapshot
from taskservice.domain.ids import is_uuid
from taskservice.domain.state import MAX_ATTEMPT_RECORDS, MAX_RECORD_MESSAGE, AttemptRecord, Instance

MAX_REASON = 500

_encode_records = msgspec.json.Encoder().encode


@post(
    "/instances/{instance_id:str}/cancel",
    access=Access.OPERATOR,
    operation_id="cancelInstance",
    summary="End an instance",
    status_code=200,
)
async def cancel_instance(
    request: ApiRequest, instance_id: FromPath[str]
) -> Response[InstanceDetail] | Response[CommandView]:
    """`{reason?}`. CANCELLED, or still open with `cancelRequestedAt`; 409 when it has ended by itself."""
    no_parameters(request)
    members = await json_object(request, empty=True)
    faults = refuse_unknown(members, ("reason",))
    reason = text_member(members, "reason", MAX_REASON, faults)
    if faults:
        raise validation_failed(*faults)
    if not is_uuid(instance_id):
        raise not_found()
    known = await _known(request, instance_id)
    if known is None and not request.parts.backlog(request.tenant_id).last.behind:
        raise not_found()
    command = CancelInstance(
        **asking(request),
        instance_id=instance_id,
        reason=reason,
        known_status=None if known is None else known[1].instance.status,
        known_position=0 if known is None else known[0].position,
        known_definition_id="" if known is None else known[1].instance.definition_id,
    )
    return await _answer(request, command, instance_id)


@post(
    "/instances/{instance_id:str}/retry",
    access=Access.OPERATOR,
    operation_id="retryInstance",
    summary="Run an ended instance again",
    status_code=200,
)
async def retry_instance(
    request: ApiRequest, instance_id: FromPath[str]
) -> Response[InstanceDetail] | Response[CommandView]:
    """PENDING again, with the next attempt number; from SUCCESS or active 409, which names `trigger`."""
    no_parameters(request)
    members = await json_object(request, empty=True)
    faults: list[FieldError] = refuse_unknown(members, ())
    if faults:
        raise validation_failed(*faults)
    # The position is read before the row: the row is at least as new as it.
    checkpoint = await _checkpoint(request)
    row = await request.parts.instance(request.tenant_id, instance_id)
    command = RetryInstance(
        **asking(request),
        instance_id=instance_id,
        snapshot=snapshot_of(row.instance),
        known_status=row.instance.status,
        known_position=checkpoint.position,
    )
    return await _answer(request, command, instance_id)


def snapshot_of(one: Instance) -> InstanceSnapshot:
    """What the leader needs of a row it may hold no longer; the last attempt is among the records."""
    records = attempts_of(one)[-MAX_ATTEMPT_RECORDS:]
    return InstanceSnapshot(
        definition_id=one.definition_id,
        definition_version=one.definition_version,
        origin=one.origin,
        fire_time=one.fire_time,
        created_at=one.created_at,
        params=one.params,
        attempt=one.attempt,
        worker_losses=one.worker_losses,
        actor=one.actor,
        command_id=one.command_id,
        traceparent=one.traceparent,
        previous_attempts=msgspec.Raw(_encode_records([_cut(record) for record in records])),
    )


def _cut(record: AttemptRecord) -> AttemptRecord:
    if len(record.error_message) <= MAX_RECORD_MESSAGE:
        return record
    return msgspec.structs.replace(record, error_message=record.error_message[:MAX_RECORD_MESSAGE])


async def _checkpoint(request: ApiRequest) -> CheckpointRow:
    return await request.parts.checkpoint(request.tenant_id)


async def _known(request: ApiRequest, instance_id: str) -> tuple[CheckpointRow, InstanceRow] | None:
    """The row and a position that it is at least as new as; None when there is no row, or none can be read."""
    try:
        checkpoint = await _checkpoint(request)
        row = await request.parts.instances.get((request.tenant_id, instance_id))
    except StorageDown:
        return None
    return None if row is None else (checkpoint, row)


async def _answer(
    request: ApiRequest, command: CancelInstance | RetryInstance, instance_id: str
) -> Response[InstanceDetail] | Response[CommandView]:
    async def build(decided: CommandRow) -> Response[InstanceDetail]:
        checkpoint = await request.parts.recent_checkpoint(request.tenant_id)
        row = await request.parts.instance(request.tenant_id, instance_id)
        return Response(await describe(request, checkpoint, row), headers=position_header(decided))

    return await answer(request, command, build)
