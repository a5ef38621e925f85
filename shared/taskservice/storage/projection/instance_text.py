"""Text of rows of task_instances, in the order of sql/upsert_instances.sql. The hottest path of the projector.

Ids, numbers and enum members come from the leader and can't hold quotes; what people and handlers wrote is escaped.
"""

import msgspec

from taskservice.domain.state import Instance
from taskservice.storage.literals import filled_or_null, instant, instant_or_null, text, text_or_null
from taskservice.storage.projection.changes import Ending

_encode_records = msgspec.json.Encoder().encode


def instance_row(instance: Instance, ending: Ending | None) -> str:
    """The row of an instance.

    :param ending: of one that has ended; None while it is open.
    """
    i = instance
    started, ended = i.started_at, i.ended_at
    if ending is None:
        error_type, error_message, result = filled_or_null(i.error_type), filled_or_null(i.error_message), "NULL"
    else:
        error_type, error_message = filled_or_null(ending.error_type), filled_or_null(ending.error_message)
        result = "NULL" if ending.result is None else text(ending.result.decode())
    created = instant(i.created_at)
    return (
        f"('{i.id}','{i.tenant_id}','{i.definition_id}',{text_or_null(i.params)},'{i.status}',"
        f"{text(i.worker) if i.worker else 'NULL'},"
        f"{'NULL' if started is None else instant(started)},{'NULL' if ended is None else instant(ended)},"
        f"{'NULL' if started is None or ended is None else ended - started},"
        f"{i.attempt - 1 if i.attempt > 1 else 0},{error_message},{created},"
        f"{created if i.updated_at == i.created_at else instant(i.updated_at)},{i.definition_version},'{i.origin}',"
        f"{created if i.fire_time == i.created_at else instant(i.fire_time)},{i.attempt},{i.next_attempt},"
        f"{created if i.ready_at == i.created_at else instant(i.ready_at)},"
        f"{instant_or_null(i.not_before)},{i.entry_epoch},{i.entry_position},"
        f"{instant_or_null(i.dispatched_at)},{_rare_columns(i)},{error_type},{result},{_origin_columns(i)},"
        f"{i.position})"
    )


_NOTHING_RARE = "0,0,NULL,NULL,NULL,NULL,NULL"


def _rare_columns(i: Instance) -> str:
    """Failures … failure_reason, which a run without trouble leaves alone."""
    if not (i.failures or i.worker_losses or i.failure_reason) and (
        i.cancel_requested_at is None and i.timeout_kind is None and i.revoking is None and i.revoke_asked_at is None
    ):
        return _NOTHING_RARE
    return (
        f"{i.failures},{i.worker_losses},{instant_or_null(i.cancel_requested_at)},{_member(i.timeout_kind)},"
        f"{_member(i.revoking)},{instant_or_null(i.revoke_asked_at)},{_member(i.failure_reason)}"
    )


_NO_ORIGIN = "NULL,NULL,NULL,NULL,NULL"


def _origin_columns(i: Instance) -> str:
    """actor_type … previous_attempts, which a first run of a schedule has none of."""
    if i.actor is None and not i.command_id and i.traceparent is None and not i.previous_attempts:
        return _NO_ORIGIN
    actor = "NULL,NULL" if i.actor is None else f"{text(i.actor.type)},{text(i.actor.id)}"
    records = text(_encode_records(i.previous_attempts).decode()) if i.previous_attempts else "NULL"
    return f"{actor},{filled_or_null(i.command_id)},{text_or_null(i.traceparent)},{records}"


def _member(value: str | None) -> str:
    return "NULL" if value is None else f"'{value}'"
