"""`evolve(state, event, epoch, position)`: the only function that changes a State.

It is shared by leader, standby, projector, replay and verify. It is total (an event that does not fit changes nothing
but the head), deterministic, in place, idempotent for a redelivered event, and never looks at a calendar.
"""

from taskservice.domain.evolve.fold import evolve, fold_cursor

__all__ = ["evolve", "fold_cursor"]
