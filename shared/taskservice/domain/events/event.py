"""What every event carries."""

import msgspec


class Actor(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who asked: an api key, or the system itself."""

    type: str
    id: str


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag=True, gc=False):
    """What all events carry; see the module text."""

    ts: int
    at: int
    tenant_id: str = ""
    cause: str = ""
    outcome: bool = False
    command_id: str = ""
    command_type: str = ""
    source: str = ""
    actor: Actor | None = None
    traceparent: str | None = None
