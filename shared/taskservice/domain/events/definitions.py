"""Events of definitions, and the due instants that were decided not to run."""

from typing import Literal, TypeAlias

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.events.event import Event

SkipReason: TypeAlias = Literal["OVERLAP", "MISFIRE", "SCHEDULER_STOPPED", "LIMIT"]
FireLimit: TypeAlias = Literal["WAITING_FIRES", "OPEN_INSTANCES"]


class DefinitionCreated(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Version 1 exists; it governs the instants after `effective_at`."""

    definition_id: str
    spec: DefinitionSpec
    enabled: bool
    effective_at: int
    warnings: tuple[str, ...] = ()


class DefinitionUpdated(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """A new version; it governs the instants after `effective_at`."""

    definition_id: str
    version: int
    spec: DefinitionSpec
    enabled: bool
    effective_at: int


class DefinitionEnabled(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """It fires again, strictly later than `effective_at`."""

    definition_id: str
    version: int
    effective_at: int
    note: str = ""


class DefinitionDisabled(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """It has no due instants after `effective_at`."""

    definition_id: str
    version: int
    effective_at: int
    note: str = ""


class DefinitionDeleted(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """No further instants; what is PENDING is cancelled, what runs finishes unless `cancel_running`."""

    definition_id: str
    effective_at: int
    cancel_running: bool = False


class FireSkipped(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """The instants from `first` to `last` of the definition (`count` of them) were decided not to run."""

    definition_id: str
    definition_version: int
    reason: SkipReason
    first: int
    last: int
    count: int = 1
    blocked_by: str | None = None
    limited_by: FireLimit | None = None
