"""Rows of task_instances as the domain's Instance."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from taskservice.domain.events import Actor
from taskservice.domain.state import AttemptRecord, Instance
from taskservice.storage.literals import ms_of, ms_or_none

COLUMNS: Final = (
    *("id", "tenant_id", "task_definition_id", "definition_version", "origin", "fire_time", "created_at"),
    *("updated_at", "position", "execution_params", "status", "ready_at", "not_before", "attempt", "next_attempt"),
    *("entry_epoch", "entry_position", "dispatched_at", "execution_node", "start_time", "end_time", "failures"),
    *("worker_losses", "cancel_requested_at", "timeout_kind", "revoking", "revoke_asked_at", "failure_reason"),
    *("error_type", "error_message", "actor_type", "actor_id", "command_id", "traceparent", "previous_attempts"),
    *("retried_at", "backfill_limit"),
)
"""The order that `decode_instance` wants."""

_decode_records = msgspec.json.Decoder(tuple[AttemptRecord, ...]).decode


def decode_instance(row: Sequence[Any]) -> Instance:
    """The instance of a row in the order of `COLUMNS`."""
    return Instance(
        id=row[0],
        tenant_id=row[1],
        definition_id=row[2],
        definition_version=row[3],
        origin=row[4],
        fire_time=ms_of(row[5]),
        created_at=ms_of(row[6]),
        updated_at=ms_of(row[7]),
        position=row[8],
        params=row[9],
        status=row[10],
        ready_at=ms_of(row[11]),
        not_before=ms_or_none(row[12]),
        attempt=row[13],
        next_attempt=row[14],
        entry_epoch=row[15],
        entry_position=row[16],
        dispatched_at=ms_or_none(row[17]),
        worker=row[18] or "",
        started_at=ms_or_none(row[19]),
        ended_at=ms_or_none(row[20]),
        failures=row[21],
        worker_losses=row[22],
        cancel_requested_at=ms_or_none(row[23]),
        timeout_kind=row[24],
        revoking=row[25],
        revoke_asked_at=ms_or_none(row[26]),
        failure_reason=row[27],
        error_type=row[28] or "",
        error_message=row[29] or "",
        actor=None if row[30] is None else Actor(type=row[30], id=row[31]),
        command_id=row[32] or "",
        traceparent=row[33],
        previous_attempts=_decode_records(row[34]) if row[34] else (),
        retried_at=ms_or_none(row[35]),
        backfill_limit=row[36],
    )
