"""Outcomes of commands that change nothing (any more): all others are the outcome by what they changed."""

from taskservice.domain.events.event import Event


class CommandAccepted(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Outcome of a command that changed nothing by itself, or of a batch after its last item."""

    resource: str = ""


class CommandRejected(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Outcome of a command that was refused; `code` is a problem code of the contract."""

    code: str
    detail: str
    resource: str = ""
    current_version: int | None = None
    current_status: str | None = None
