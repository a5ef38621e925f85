"""What every decision has at hand: state, agenda, draft, the time, and the item that is being decided."""

from typing import TypedDict

from taskservice.domain import events as e
from taskservice.domain.agenda import Agenda
from taskservice.domain.commands import AnyCommand
from taskservice.domain.decide.draft import Draft
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.state import State


class Stamp(TypedDict):
    """Members that every event of an item carries."""

    ts: int
    at: int
    tenant_id: str
    cause: str


class Asked(TypedDict):
    """Members of an event that a person asked for."""

    actor: e.Actor | None
    traceparent: str | None


class Outcome(TypedDict):
    """Members of the one event that is a command's outcome."""

    outcome: bool
    command_id: str
    command_type: str
    source: str


AHEAD_MS = 2_000
"""An item that bears a time further ahead than this was stamped by a clock that was set."""


class Context:
    """Set anew for each item; `deferred_until` collects instants that wait for proof of how far the inbox was read."""

    def __init__(self, state: State, agenda: Agenda, draft: Draft) -> None:
        self.state = state
        self.agenda = agenda
        self.draft = draft
        self.now = 0
        self.at = 0
        self.read_at = 0
        """The leader's time when it took up the item."""
        self.cause = ""
        self.command: AnyCommand | None = None
        self.clock_in_doubt = False
        """Nothing may be decided by the clocks now."""
        self.restart_horizon = (0, 0)
        self.deferred_until: set[int] = set()
        self.losses_told: list[str] = []
        """What is gone, of all that this term told as LogLossDetected."""

    def begin(self, cause: str, at: int, command: AnyCommand | None) -> None:
        """A new item: its cause, its time, the command that it is (None = a report)."""
        self.cause = cause
        self.at = at
        self.command = command

    @property
    def settles(self) -> bool:
        """Whether what was due before the item is decided before it: if its time is one to go by."""
        return not self.clock_in_doubt and self.at - self.read_at <= AHEAD_MS

    @property
    def ts(self) -> int:
        """When the next event is decided: never before the last one."""
        return max(self.now, self.state.ts)

    def stamp(self, tenant_id: str) -> Stamp:
        """For events of the item."""
        return {"ts": self.ts, "at": self.at, "tenant_id": tenant_id, "cause": self.cause}

    def stamp_clock(self, tenant_id: str, at: int, cause: str) -> Stamp:
        """For events that the clock asked for."""
        return {"ts": self.ts, "at": at, "tenant_id": tenant_id, "cause": cause}

    def asked(self) -> Asked:
        """Who asked, of the item's command."""
        command = self.command
        if command is None:
            return {"actor": None, "traceparent": None}
        return {"actor": command.actor, "traceparent": command.traceparent}

    def outcome(self) -> Outcome:
        """Marks the event as the outcome of the item's command."""
        command = self.command
        if command is None:
            raise ValueError("only a command has an outcome")
        return {
            "outcome": True,
            "command_id": command.id,
            "command_type": type(command).__name__,
            "source": command.source,
        }

    def accept(self, resource: str) -> None:
        """The command changes nothing (any more)."""
        self.draft.begin_item()
        self.draft.emit(
            e.CommandAccepted(resource=resource, **self.stamp(self._tenant()), **self.asked(), **self.outcome())
        )

    def reject(
        self,
        code: str,
        detail: str,
        resource: str,
        *,
        current_version: int | None = None,
        current_status: str | None = None,
    ) -> None:
        """The command is refused: it changes nothing."""
        self.draft.begin_item()
        self.draft.emit(
            e.CommandRejected(
                code=code,
                detail=detail,
                resource=resource,
                current_version=current_version,
                current_status=current_status,
                **self.stamp(self._tenant()),
                **self.asked(),
                **self.outcome(),
            )
        )

    def limit_of(self, spec: DefinitionSpec) -> int | None:
        """How many attempts of the definition may be dispatched at once; None = no limit."""
        limit = spec.max_concurrency
        if limit is None:
            limit = self.state.settings.concurrent_limit
        return limit or None

    def _tenant(self) -> str:
        return "" if self.command is None else self.command.tenant_id
