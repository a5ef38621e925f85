"""What the leader must do next: timers, waiting lines and room, all of it derived from the State.

Nothing here is in the log: it is built from the state at takeover (`Agenda.build`) and kept in step event by event
(`Agenda.follow`). Losing it loses nothing.
"""

from taskservice.domain.agenda.agenda import Agenda

__all__ = ["Agenda"]
