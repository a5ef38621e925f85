"""GET /definitions/{id}?asOf=TIME: the definition as it was then."""

from collections.abc import Sequence

import msgspec

from taskservice.api.parts import ApiRequest
from taskservice.api.ports import DefinitionRow, DefinitionVersion, InstanceFilter
from taskservice.api.wire.problems import not_found
from taskservice.domain.timeline import Timeline


async def row_as_of(request: ApiRequest, definition_id: str, instant: int) -> DefinitionRow:
    """The row as it was: the version that was the latest then, and what had fired by then.

    `nextFireAt` is counted from then; `lastStatus` is not known, since a status is not kept for the past.

    :raises ProblemError: the 404, also of a time before it was created or after it was deleted.
    :raises StorageDown: it can't be read.
    """
    reads, tenant_id = request.parts.reads, request.tenant_id
    row = await request.parts.definition(tenant_id, definition_id, deleted=True)
    one = row.definition
    versions = await reads.definition_versions(tenant_id, definition_id)
    known = _latest(versions, instant)
    if known is None or (one.deleted_at is not None and one.deleted_at <= instant):
        raise not_found()
    timeline = Timeline(definition_id, [version for version in versions if version.version <= known.version])
    fired = InstanceFilter(definition_id=definition_id, origin="SCHEDULE", fire_to=instant + 1)
    any_run = InstanceFilter(definition_id=definition_id, fire_to=instant + 1)
    last_fires = await reads.instances(tenant_id, fired, None, 1)
    last_runs = await reads.instances(tenant_id, any_run, None, 1)
    last_fire = last_fires[0].instance.fire_time if last_fires else None
    was = msgspec.structs.replace(
        one,
        version=known.version,
        spec=known.spec,
        enabled=known.enabled,
        updated_at=known.created_at,
        updated_by="" if known.actor is None else known.actor.id,
        grid_start=timeline.grid_start_of(known.version),
        decided_until=instant,
        armed_at=None,
        deleted_at=None,
        last_fire_at=last_fire,
        last_instance_id=last_runs[0].instance.id if last_runs else "",
    )
    return DefinitionRow(definition=was)


def _latest(versions: Sequence[DefinitionVersion], instant: int) -> DefinitionVersion | None:
    """The last one that was decided by then."""
    return next((one for one in reversed(versions) if one.created_at <= instant), None)
