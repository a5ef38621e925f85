"""Text of rows of task_instances. The hottest path of the projector, and of the server, which parses it.

Three statements say the same of an instance: all of its columns; those that a plain run has; those that the success of
a run changes whose row is there. Ids, numbers and enum members come from the leader and can't hold quotes; what people
and handlers wrote is escaped.
"""

import msgspec

from taskservice.domain.state import Instance
from taskservice.storage.literals import filled_or_null, instant, instant_or_null, text, text_or_null
from taskservice.storage.projection.changes import Ending

_encode_records = msgspec.json.Encoder().encode


def is_plain(instance: Instance, ending: Ending | None) -> bool:
    """Whether the columns that `plain_row` leaves out have their defaults."""
    i = instance
    if i.attempt > 1 or i.failures or i.worker_losses or i.previous_attempts or i.failure_reason is not None:
        return False
    if i.not_before is not None or i.cancel_requested_at is not None or i.timeout_kind is not None:
        return False
    if i.revoking is not None or i.revoke_asked_at is not None or i.retried_at is not None:
        return False
    if i.backfill_limit is not None:
        return False
    told = i if ending is None else ending
    return not told.error_type and not told.error_message


def plain_row(instance: Instance, ending: Ending | None) -> str:
    """For upsert_plain_instances."""
    i = instance
    created = instant(i.created_at)
    return (
        f"('{i.id}','{i.tenant_id}','{i.definition_id}',{text_or_null(i.params)},'{i.status}',{_run_columns(i)},"
        f"{created},{created if i.updated_at == i.created_at else instant(i.updated_at)},{i.definition_version},"
        f"'{i.origin}',{created if i.fire_time == i.created_at else instant(i.fire_time)},{i.attempt},{i.next_attempt},"
        f"{created if i.ready_at == i.created_at else instant(i.ready_at)},{i.entry_epoch},{i.entry_position},"
        f"{instant_or_null(i.dispatched_at)},{_result(ending)},{_origin_columns(i)},{i.position})"
    )


def settled_row(instance: Instance, ending: Ending | None) -> str:
    """For settle_instances: of one that succeeded."""
    i = instance
    return (
        f"('{i.id}','{i.status}',{_run_columns(i)},{instant(i.updated_at)},{_result(ending)},{i.position},"
        "'','','1970-01-01',0,'SCHEDULE','1970-01-01','1970-01-01')"
    )


def full_row(instance: Instance, ending: Ending | None) -> str:
    """For upsert_instances.

    :param ending: of one that has ended; None while it is open.
    """
    i = instance
    told = i if ending is None else ending
    return (
        f"('{i.id}','{i.tenant_id}','{i.definition_id}',{text_or_null(i.params)},'{i.status}',{_run_columns(i)},"
        f"{i.attempt - 1 if i.attempt > 1 else 0},{filled_or_null(told.error_message)},{instant(i.created_at)},"
        f"{instant(i.updated_at)},{i.definition_version},'{i.origin}',{instant(i.fire_time)},{i.attempt},"
        f"{i.next_attempt},{instant(i.ready_at)},{instant_or_null(i.not_before)},{i.entry_epoch},{i.entry_position},"
        f"{instant_or_null(i.dispatched_at)},{i.failures},{i.worker_losses},{instant_or_null(i.cancel_requested_at)},"
        f"{_member(i.timeout_kind)},{_member(i.revoking)},{instant_or_null(i.revoke_asked_at)},"
        f"{_member(i.failure_reason)},{filled_or_null(told.error_type)},{_result(ending)},{_origin_columns(i)},"
        f"{text(_encode_records(i.previous_attempts).decode()) if i.previous_attempts else 'NULL'},"
        f"{instant_or_null(i.retried_at)},{'NULL' if i.backfill_limit is None else i.backfill_limit},{i.position})"
    )


def _run_columns(i: Instance) -> str:
    """execution_node, start_time, end_time, execution_duration."""
    started, ended = i.started_at, i.ended_at
    if started is None and ended is None and not i.worker:
        return "NULL,NULL,NULL,NULL"
    return (
        f"{text(i.worker) if i.worker else 'NULL'},{'NULL' if started is None else instant(started)},"
        f"{'NULL' if ended is None else instant(ended)},"
        f"{'NULL' if started is None or ended is None else ended - started}"
    )


def _origin_columns(i: Instance) -> str:
    """actor_type, actor_id, command_id, traceparent: of runs that somebody asked for."""
    if i.actor is None and not i.command_id and i.traceparent is None:
        return "NULL,NULL,NULL,NULL"
    actor = "NULL,NULL" if i.actor is None else f"{text(i.actor.type)},{text(i.actor.id)}"
    return f"{actor},{filled_or_null(i.command_id)},{text_or_null(i.traceparent)}"


def _result(ending: Ending | None) -> str:
    return "NULL" if ending is None or ending.result is None else text(ending.result.decode())


def _member(value: str | None) -> str:
    return "NULL" if value is None else f"'{value}'"
