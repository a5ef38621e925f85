"""Events as everybody outside sees them: CloudEvents 1.0, structured JSON.

The stored form (`domain.events`) is private and may change; this one is the contract of `GET /events`.

::

    shapes      what `data` holds, one struct a type: the schemas that are served come from these
    translate   from a stored event to its `data`
    envelope    the attributes around it, and which of them a filter asks for
"""

from taskservice.domain.public_events.envelope import (
    EVENT_TYPES,
    TYPE_PREFIX,
    PublicEvent,
    Stored,
    correlation_id,
    public_event,
)
from taskservice.domain.public_events.shapes import SCHEMA_VERSION, event_schemas
from taskservice.domain.public_events.translate import InstanceFacts

__all__ = [
    "EVENT_TYPES",
    "SCHEMA_VERSION",
    "TYPE_PREFIX",
    "InstanceFacts",
    "PublicEvent",
    "Stored",
    "correlation_id",
    "event_schemas",
    "public_event",
]
