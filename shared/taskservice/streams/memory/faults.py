"""Faults between a process and the server, by the name of the operation that they hit."""

from collections import deque
from collections.abc import Callable
from enum import Enum


class Fault(Enum):
    """What happens to one request."""

    NOT_SENT = "not sent"
    """Nothing is executed; the caller gets `NotSent`."""
    LOST_REPLY = "lost reply"
    """It is executed; the caller gets `OutcomeUnknown`."""


class Faults:
    """What goes wrong next. One for each `MemoryStreams`: a link fails, not the server.

    Operations are named as the scripts are (`append`, `submit`, `renew`, …), reads as `<port>.<method>`
    (`log.read`, `inbox.last_id`).
    """

    def __init__(self) -> None:
        self.down = False
        """True: nothing gets through, until set to False."""
        self.chooser: Callable[[str], Fault | None] | None = None
        """Asked for every operation that no queue below decides: for seeded simulations."""
        self.seen: list[str] = []
        """Every operation that was asked for, in order."""
        self._queued: dict[str, deque[Fault]] = {}

    def lose_reply(self, operation: str, times: int = 1) -> None:
        """The next `times` answers of this operation get lost."""
        self._queued.setdefault(operation, deque()).extend([Fault.LOST_REPLY] * times)

    def refuse(self, operation: str, times: int = 1) -> None:
        """The next `times` requests of this operation never leave."""
        self._queued.setdefault(operation, deque()).extend([Fault.NOT_SENT] * times)

    def next_for(self, operation: str) -> Fault | None:
        """What happens to this request."""
        self.seen.append(operation)
        if self.down:
            return Fault.NOT_SENT
        queued = self._queued.get(operation)
        if queued:
            return queued.popleft()
        return self.chooser(operation) if self.chooser is not None else None
