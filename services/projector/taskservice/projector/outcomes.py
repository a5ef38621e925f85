"""Outcomes of commands, from the one event of each that says so."""

import msgspec

from taskservice.domain import events as e
from taskservice.storage.projection import CommandDecided
from taskservice.storage.rows import Problem

_encode_problem = msgspec.json.Encoder().encode


def command_of(event: e.AnyEvent, position: int) -> CommandDecided:
    """The row of the command whose outcome this event is."""
    rejected = isinstance(event, e.CommandRejected)
    return CommandDecided(
        id=event.command_id,
        tenant_id=event.tenant_id,
        type=event.command_type,
        status="REJECTED" if rejected else "ACCEPTED",
        submitted_at=event.at,
        decided_at=event.ts,
        position=position,
        actor=event.actor,
        source=event.source,
        resource=_resource(event),
        problem=_problem(event) if isinstance(event, e.CommandRejected) else None,
    )


def _problem(event: e.CommandRejected) -> bytes:
    return _encode_problem(
        Problem(
            code=event.code,
            detail=event.detail,
            current_version=event.current_version,
            current_status=event.current_status,
        )
    )


def _resource(event: e.AnyEvent) -> str:
    """What the command was about: `instances/<id>`, `definitions/<id>`, `tenants/<id>`, `scheduler`, or nothing of these."""
    match event:
        case e.CommandAccepted() | e.CommandRejected():
            return event.resource
        case e.SchedulerStopped() | e.SchedulerStarted():
            return "scheduler"
        case e.DefinitionCreated() | e.DefinitionUpdated() | e.DefinitionEnabled() | e.DefinitionDisabled():
            return f"definitions/{event.definition_id}"
        case e.TenantSettingsChanged():
            return f"tenants/{event.tenant_id}"
        case e.DefinitionDeleted():
            return f"definitions/{event.definition_id}"
        case _:
            instance_id = getattr(event, "instance_id", "")
            return f"instances/{instance_id}" if instance_id else ""
