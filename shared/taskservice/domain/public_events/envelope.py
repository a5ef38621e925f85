"""The attributes of CloudEvents 1.0 around the content of an event."""

from typing import Literal

import msgspec

from taskservice.domain import events as e
from taskservice.domain.event_codec import UnknownEvent
from taskservice.domain.ids import instance_id_of_fire
from taskservice.domain.public_events.shapes import SCHEMA_VERSION, Shape
from taskservice.domain.public_events.translate import InstanceFacts, data_of, time_text

TYPE_PREFIX = "taskservice."
EVENT_TYPES: tuple[str, ...] = tuple(member.__name__ for member in e.AnyEvent.__args__)
"""Every type, without its prefix."""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """An event where it lies in the log."""

    partition: int
    epoch: int
    position: int
    event: e.AnyEvent | UnknownEvent


class PublicEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event in structured JSON. Unset attributes are null, which CloudEvents allows."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str
    subject: str
    time: str
    sequence: str
    partitionkey: str
    tenantid: str
    authtype: str
    authid: str | None
    causationid: str | None
    correlationid: str | None
    traceparent: str | None
    data: Shape | None


def public_event(stored: Stored, facts: InstanceFacts | None, installation_id: str) -> PublicEvent:
    """The event as everybody sees it.

    :param facts: of the instance it is about, None when it is about none or the row is gone.
    """
    event = stored.event
    name = event.type if isinstance(event, UnknownEvent) else type(event).__name__
    known = None if isinstance(event, UnknownEvent) else event
    actor = None if known is None else known.actor
    traceparent = None if known is None else known.traceparent
    return PublicEvent(
        id=f"{stored.partition}-{stored.epoch}-{stored.position}",
        source=f"/taskservice/{installation_id}",
        type=TYPE_PREFIX + name,
        dataschema=f"/schemas/events/{name}/{SCHEMA_VERSION}",
        subject="scheduler" if known is None else _subject(known),
        time=time_text(event.ts),
        sequence=f"{stored.position:020d}",
        partitionkey=event.tenant_id,
        tenantid=event.tenant_id,
        authtype="system" if actor is None else actor.type,
        authid=None if actor is None else actor.id,
        causationid=None if known is None else _causation_id(known),
        correlationid=None if known is None else correlation_id(known, facts),
        traceparent=traceparent or (None if facts is None else facts.traceparent),
        data=None if known is None else data_of(known, facts),
    )


def correlation_id(event: e.AnyEvent, facts: InstanceFacts | None) -> str | None:
    """The id that everything of one fire, or of one command, shares: the instance's id, or the command's."""
    instance_id: str = getattr(event, "instance_id", "")
    if instance_id:
        return (facts.command_id if facts is not None else "") or instance_id
    if isinstance(event, e.FireSkipped):
        return instance_id_of_fire(event.definition_id, event.first)
    return event.command_id or _causation_id(event)


def _causation_id(event: e.AnyEvent) -> str | None:
    """The command, or the entry of the inbox that held the report; what the clock decided has no such id."""
    return event.command_id or (event.cause if "#" in event.cause else None)


def _subject(event: e.AnyEvent) -> str:
    instance_id: str = getattr(event, "instance_id", "")
    if instance_id:
        return f"instances/{instance_id}"
    definition_id: str = getattr(event, "definition_id", "")
    if definition_id:
        return f"definitions/{definition_id}"
    if isinstance(event, e.CommandAccepted | e.CommandRejected):
        return event.resource or "scheduler"
    return "scheduler"
