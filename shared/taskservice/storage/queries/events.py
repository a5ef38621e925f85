"""The archive as a list of events: segments by position, and where in it a time lies.

Events of all tenants of a partition lie in one order. There is no index by tenant, type or time: each would cost
every event its microseconds, for the sake of reads that are rare. Times are found by halving, since the time of
decision never goes back within a partition.
"""

from collections.abc import Sequence

from taskservice.domain.public_events import InstanceFacts
from taskservice.storage.archive import EventSegment, decode_event_segment
from taskservice.storage.database import Connection, Database
from taskservice.storage.literals import ms_of, ms_or_none
from taskservice.storage.statements import statement


async def segments(database: Database, partition: int, after: int, most: int) -> list[EventSegment]:
    """The segments that hold something after a position, in order, at most `most`."""
    values = {"partition": partition, "after": after, "most": most}
    return [decode_event_segment(row) for row in await database.fetch(statement("select_event_segments"), values)]


async def position_before(database: Database | Connection, partition: int, instant: int, head: int) -> int:
    """A position before everything that was decided at `instant` or later, and at most one segment before it.

    :param head: the last position; the answer when everything was decided earlier.
    """
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        rows = await database.fetch(statement("select_segment_times"), {"partition": partition, "position": middle})
        if not rows:
            return low
        first, last, first_ts, last_ts = int(rows[0][0]), int(rows[0][1]), rows[0][2], rows[0][3]
        if ms_of(last_ts) < instant:
            low = max(middle, last)
        else:
            high = first - 1
            if ms_of(first_ts) < instant:
                return high
    return min(low, head)


async def instance_facts(database: Database, tenant_id: str, ids: Sequence[str]) -> dict[str, InstanceFacts]:
    """Of these instances; foreign and unknown ones are left out."""
    if not ids:
        return {}
    rows = await database.fetch(statement("select_instance_facts"), {"tenant_id": tenant_id, "ids": ids})
    return {
        row[0]: InstanceFacts(
            definition_id=row[1],
            definition_version=row[2],
            command_id=row[3] or "",
            traceparent=row[4],
            retried_at=ms_or_none(row[5]),
        )
        for row in rows
    }


async def installation_id(database: Database) -> str:
    """The id of this installation, made by the first migration that knew of it."""
    return str((await database.fetch(statement("select_installation_id")))[0][0])
