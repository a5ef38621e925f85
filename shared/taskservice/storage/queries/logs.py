"""Log lines of one instance."""

from functools import cache
from typing import Any

import sqlalchemy as sa

from taskservice.domain.logs import LOG_LEVELS
from taskservice.storage.database import Database, Row
from taskservice.storage.literals import ms_of
from taskservice.storage.queries.tables import given, in_list, logs, text_of
from taskservice.storage.rows import LogFilter, LogRow


async def page(
    database: Database, tenant_id: str, instance_id: str, wanted: LogFilter, after: tuple[int, int] | None, limit: int
) -> list[LogRow]:
    """Lines by (attempt, sequence), beyond `after`."""
    values: dict[str, Any] = {"tenant_id": tenant_id, "instance_id": instance_id, "most": limit}
    conditions = []
    if wanted.level != LOG_LEVELS[0]:
        values["levels"] = LOG_LEVELS[LOG_LEVELS.index(wanted.level) :]
        conditions.append("levels")
    if wanted.attempt is not None:
        values["attempt"] = wanted.attempt
        conditions.append("attempt")
    if wanted.q is not None:
        values["q"] = wanted.q
        conditions.append("q")
    if after is not None:
        values["after_attempt"], values["after_sequence"] = after
        conditions.append("after")
    return [_decode(row) for row in await database.fetch(_page_text(tuple(conditions)), values)]


@cache
def _page_text(conditions: tuple[str, ...]) -> str:
    c = logs.c
    query = sa.select(
        *(c.id, c.task_instance_id, c.attempt, c.sequence, c.log_level, c.log_message, c.log_time, c.execution_node)
    ).where(c.tenant_id == given("tenant_id"), c.task_instance_id == given("instance_id"))
    if "levels" in conditions:
        query = query.where(in_list(c.log_level, "levels"))
    if "attempt" in conditions:
        query = query.where(c.attempt == given("attempt"))
    if "q" in conditions:
        query = query.where(sa.func.locate(given("q"), c.log_message) > sa.literal_column("0"))
    if "after" in conditions:
        beyond = sa.and_(c.attempt == given("after_attempt"), c.sequence > given("after_sequence"))
        query = query.where(c.attempt >= given("after_attempt"), sa.or_(c.attempt > given("after_attempt"), beyond))
    return text_of(query.order_by(c.attempt, c.sequence).limit(given("most")))


def _decode(row: Row) -> LogRow:
    return LogRow(
        id=row[0],
        instance_id=row[1],
        attempt=row[2],
        sequence=row[3],
        level=row[4],
        message=row[5],
        time=ms_of(row[6]),
        worker=row[7] or "",
    )
