"""Rows as views: which handlers live workers know is looked up once a page."""

from collections.abc import Sequence

from taskservice.api.definitions.views import DefinitionView, definition_view
from taskservice.api.parts import ApiRequest
from taskservice.api.ports import DefinitionRow
from taskservice.api.workers.roster import handlers_for


async def describe_all(request: ApiRequest, rows: Sequence[DefinitionRow]) -> list[DefinitionView]:
    """The views of these rows."""
    if not rows:
        return []
    parts = request.parts
    workers = await parts.workers(request.tenant_id)
    now_ms = parts.clock.now_ms()
    return [
        definition_view(
            row,
            handlers=None if workers is None else handlers_for(workers, row.definition.spec),
            now_ms=now_ms,
        )
        for row in rows
    ]


async def describe(request: ApiRequest, row: DefinitionRow) -> DefinitionView:
    """The view of one row."""
    return (await describe_all(request, (row,)))[0]


def etag(row: DefinitionRow) -> str:
    """`"<version>"`."""
    return f'"{row.definition.version}"'
