"""Commands and their outcomes."""

from typing import Literal

import msgspec

from taskservice.client.values.instance import Actor
from taskservice.client.values.problem import Problem


class Command(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request to change something. `type` and `actor` may be null while it is PENDING; `problem` of a REJECTED one.

    :ivar resource: what it is about: `definitions/<id>`, `instances/<id>`, `tenants/<id>`, `scheduler`.
    """

    id: str
    status: Literal["PENDING", "ACCEPTED", "REJECTED"]
    submitted_at: str
    type: str | None = None
    decided_at: str | None = None
    position: int | None = None
    actor: Actor | None = None
    resource: str | None = None
    problem: Problem | None = None
