"""Events as schemas see them: `data` is one of many shapes, and each of those has a schema of its own."""

from typing import Any, TypeAlias

import msgspec

from taskservice.domain.public_events import PublicEvent

Data: TypeAlias = dict[str, Any] | None


def _stand_in() -> type[msgspec.Struct]:
    """The same members, all of them required, with any object as `data`."""
    fields = msgspec.structs.fields(PublicEvent)
    members = [(one.encode_name, Data if one.name == "data" else one.type) for one in fields]
    return msgspec.defstruct(
        "PublicEvent", members, kw_only=True, namespace={"__doc__": "One event: CloudEvents 1.0, structured JSON."}
    )


PublicEventView = _stand_in()
EventPageView = msgspec.defstruct(
    "EventPage",
    [("items", list[PublicEventView]), ("nextCursor", str | None)],  # type: ignore[valid-type] # made at run time
    kw_only=True,
    namespace={"__doc__": "A page of events. It may be empty although there are more."},
)
