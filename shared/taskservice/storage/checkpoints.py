"""The checkpoint row: how far the tables of a partition are."""

from collections.abc import Sequence
from typing import Any

import msgspec

from taskservice.domain.events import DecisionSettings
from taskservice.domain.tenants import TenantSettings
from taskservice.storage.database import Connection, Database
from taskservice.storage.literals import ms_of, ms_or_none
from taskservice.storage.rows import CheckpointRow
from taskservice.storage.statements import statement

_decode_settings = msgspec.json.Decoder(DecisionSettings).decode
_decode_tenants = msgspec.json.Decoder(dict[str, TenantSettings]).decode


async def read_checkpoint(source: Database | Connection, partition: int) -> CheckpointRow:
    """The checkpoint of a partition; position 0 before the first event.

    :raises StorageError: the database can't be asked.
    """
    rows = await source.fetch(statement("select_checkpoint"), {"partition": partition})
    return decode_checkpoint(rows[0]) if rows else CheckpointRow(partition=partition)


def decode_checkpoint(row: Sequence[Any]) -> CheckpointRow:
    """A row in the order of `select_checkpoint`."""
    return CheckpointRow(
        partition=row[0],
        epoch=row[1],
        position=row[2],
        event_id=row[3],
        cursor=row[4],
        ts=ms_of(row[5]),
        epoch_started_at=ms_of(row[6]),
        epoch_position=row[7],
        recovering=bool(row[8]),
        recovered_epoch=row[9],
        horizon=row[10],
        settings=_decode_settings(row[11]),
        stopped_at=ms_or_none(row[12]),
        stopped_until=ms_of(row[13]),
        tenants=_decode_tenants(row[14]),
        segment_sha256=row[15],
        log_stream_id=row[16],
        log_segment_number=row[17],
        log_segment_sha256=row[18],
    )
