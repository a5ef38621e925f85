"""A schedule that is heard in a span of time only."""

from dataclasses import dataclass

from taskservice.domain.schedule.calendar import Schedule


@dataclass(frozen=True, slots=True)
class Window:
    """The instants of `schedule` within [start_at, end_at); null leaves that side open."""

    schedule: Schedule
    start_at: int | None
    end_at: int | None

    def next_after(self, instant: int) -> int | None:
        """The first instant strictly after `instant` that lies in the window."""
        if self.start_at is not None and instant < self.start_at:
            instant = self.start_at - 1
        if self.end_at is not None and instant >= self.end_at - 1:
            return None
        found = self.schedule.next_after(instant)
        if found is None or (self.end_at is not None and found >= self.end_at):
            return None
        return found
