"""Text of the rows of the other tables, each in the order of its statement in sql/."""

import msgspec

from taskservice.domain.state import Definition
from taskservice.storage.literals import filled_or_null, instant, instant_or_null, text, text_or_null
from taskservice.storage.projection.changes import CommandDecided, HourlyCounts, Line, VersionMade

_encode = msgspec.json.Encoder().encode


def definition_row(definition: Definition) -> str:
    """The whole row, for upsert_definitions."""
    d, spec = definition, definition.spec
    labels = text(_encode(spec.labels).decode()) if spec.labels else "NULL"
    return (
        f"('{d.id}','{d.tenant_id}',{text(spec.task_name)},{text(spec.task_handler)},"
        f"{text_or_null(spec.cron_expression)},'{spec.schedule_type}',{text(spec.task_params)},"
        f"'{'ENABLED' if d.enabled else 'DISABLED'}',{instant(d.created_at)},{instant(d.updated_at)},{d.version},"
        f"{text_or_null(spec.key)},{text(spec.queue)},{text_or_null(spec.owner)},{labels},{text(spec.time_zone)},"
        f"{text(d.created_by)},{text(d.updated_by)},{instant(d.effective_at)},{instant(d.grid_start)},"
        f"{_progress(d)},{instant_or_null(d.deleted_at)},{text(_encode(spec).decode())})"
    )


def progress_row(definition: Definition) -> str:
    """What deciding instants changes, for upsert_definition_progress."""
    return f"('{definition.id}','','',{_progress(definition)})"


def _progress(d: Definition) -> str:
    return (
        f"{instant(d.decided_until)},{instant_or_null(d.last_decided)},{instant_or_null(d.last_fire_at)},"
        f"{instant_or_null(d.armed_at)},{filled_or_null(d.delay_instance)},{filled_or_null(d.last_instance_id)},"
        f"{d.position}"
    )


def version_row(version: VersionMade) -> str:
    """For upsert_versions."""
    v, spec = version, version.spec
    actor = "NULL,NULL" if v.actor is None else f"{text(v.actor.type)},{text(v.actor.id)}"
    return (
        f"('{v.definition_id}',{v.version},'{v.tenant_id}',{text(spec.task_name)},{text(spec.task_handler)},"
        f"{text(spec.queue)},{spec.priority},{text(spec.task_params)},{text(_encode(spec).decode())},"
        f"{1 if v.enabled else 0},{instant(v.effective_at)},{instant(v.created_at)},{actor},{v.position})"
    )


def command_row(command: CommandDecided) -> str:
    """For upsert_commands."""
    c = command
    actor = "NULL,NULL" if c.actor is None else f"{text(c.actor.type)},{text(c.actor.id)}"
    problem = "NULL" if c.problem is None else text(c.problem.decode())
    return (
        f"({text(c.id)},'{c.tenant_id}',{text(c.type)},'{c.status}',{instant(c.submitted_at)},{instant(c.decided_at)},"
        f"{c.position},{actor},{filled_or_null(c.source)},{filled_or_null(c.resource)},{problem})"
    )


def counts_row(key: tuple[str, str, int], counts: HourlyCounts) -> str:
    """For add_stats."""
    tenant_id, definition_id, hour = key
    c = counts
    return (
        f"('{tenant_id}','{definition_id}',{instant(hour)},{c.scheduled},{c.succeeded},{c.failed},{c.cancelled},"
        f"{c.skipped},{c.lost},{c.retries},{c.duration_ms_sum})"
    )


def line_row(line: Line) -> str:
    """For insert_logs. Workers named everything here, so everything is escaped."""
    return (
        f"('{line.id}',{text(line.tenant_id)},{text(line.instance_id)},'{line.level}',{text(line.message)},"
        f"{instant(line.time)},{line.attempt},{line.sequence},{filled_or_null(line.worker)})"
    )
