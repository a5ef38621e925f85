"""The leader's judgement: commands, reports and the clock become events. Pure: no clock, no random, no I/O.

`Arbiter` is the one entrance. It evolves each event as it is decided, so that the next decision sees it, and collects
them in `Batch`es that are appended whole. A decision depends on the state, the item, `now` and measured facts (which
workers live, how far the inbox was read) and on nothing else.
"""

from taskservice.domain.decide.arbiter import Arbiter, InboxItem
from taskservice.domain.decide.draft import Batch

__all__ = ["Arbiter", "Batch", "InboxItem"]
