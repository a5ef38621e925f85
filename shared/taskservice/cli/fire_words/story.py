"""What a sentence about an instant is made of."""

from typing import Protocol

import msgspec

from taskservice.client import Instance, LedgerEntry
from taskservice.client.values import DisabledSpan


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the ledger, the run that it led to, and the run that stood in its way."""

    entry: LedgerEntry
    run: Instance | None = None
    blocker: Instance | None = None


class Words(Protocol):
    """A language."""

    def of_entry(self, story: Story) -> str:
        """What happened to the instant, or to several."""
        ...

    def of_span(self, span: DisabledSpan) -> str:
        """Why nothing was due in a span."""
        ...

    def of_no_instant(self, time: str) -> str:
        """That a time is no due instant."""
        ...
