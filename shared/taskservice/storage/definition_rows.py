"""Rows of task_definitions as the domain's Definition."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.state import Definition
from taskservice.storage.literals import ms_of, ms_or_none

COLUMNS: Final = (
    *("id", "tenant_id", "version", "spec", "status", "created_at", "updated_at", "created_by", "updated_by"),
    *("effective_at", "grid_start", "decided_until", "last_decided", "last_fire_at", "armed_at", "delay_instance"),
    *("last_instance_id", "deleted_at", "position"),
)
"""The order that `decode_definition` wants."""

decode_spec = msgspec.json.Decoder(DefinitionSpec).decode


def decode_definition(row: Sequence[Any]) -> Definition:
    """The definition of a row in the order of `COLUMNS`; its `versions` hold the current one."""
    spec = decode_spec(row[3])
    return Definition(
        id=row[0],
        tenant_id=row[1],
        version=row[2],
        spec=spec,
        enabled=row[4] == "ENABLED",
        created_at=ms_of(row[5]),
        updated_at=ms_of(row[6]),
        created_by=row[7],
        updated_by=row[8],
        effective_at=ms_of(row[9]),
        grid_start=ms_of(row[10]),
        decided_until=ms_of(row[11]),
        last_decided=ms_or_none(row[12]),
        last_fire_at=ms_or_none(row[13]),
        armed_at=ms_or_none(row[14]),
        delay_instance=row[15] or "",
        last_instance_id=row[16] or "",
        deleted_at=ms_or_none(row[17]),
        position=row[18],
        versions={row[2]: spec},
    )
