"""Events, in the form of CloudEvents 1.0."""

from typing import Any, Final

import msgspec

from taskservice.client.values.page import Page

TYPE_PREFIX: Final = "taskservice."


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One decided fact. `data` holds the event's own members, by the contract's names."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    sequence: str
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    dataschema: str = ""
    partitionkey: str = ""
    tenantid: str = ""
    authtype: str | None = None
    authid: str | None = None
    causationid: str | None = None
    correlationid: str | None = None
    traceparent: str | None = None
    data: dict[str, Any] | None = None

    @property
    def position(self) -> int:
        """Where it stands in the log of its partition."""
        return int(self.sequence)

    @property
    def name(self) -> str:
        """Its type without the prefix: `InstanceScheduled`."""
        return self.type.removeprefix(TYPE_PREFIX)


class EventPage(Page[Event], frozen=True, kw_only=True, rename="camel"):
    """A page of events; the service looks at a bounded piece of the log at once, so a page may be empty and not the last.

    :ivar read_until: position up to which the whole log can be read by now.
    """

    read_until: int = 0
