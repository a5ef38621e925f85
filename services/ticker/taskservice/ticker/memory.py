"""What one process saw in Redis, kept over every load of its state: the testimony by which a loss is found out."""

from taskservice.domain.state import State
from taskservice.lease.outcomes import Seen
from taskservice.streams.answers import EMPTY_ID
from taskservice.streams.batches import id_order


class Memory:
    """Of one process and one partition.

    A state is dropped when it may hold what the log does not, and with it goes what only this process knew: that the
    log was longer. This does not go with it.
    """

    def __init__(self) -> None:
        self.inbox_id = EMPTY_ID
        self._positions: dict[int, int] = {}

    @property
    def seen(self) -> tuple[Seen, ...]:
        """The last entry seen of each epoch that is remembered."""
        return tuple(Seen(epoch, position) for epoch, position in self._positions.items())

    def saw(self, epoch: int, position: int) -> None:
        """The log has, or had, this entry: an append of it was confirmed, or it was read."""
        self._positions[epoch] = max(position, self._positions.get(epoch, 0))

    def saw_all_of(self, state: State) -> None:
        """All that this state holds was read from the log or confirmed by it."""
        if state.position:
            self.saw(state.epoch, state.position)

    def read_inbox(self, entry_id: str) -> None:
        """An inbox entry was read by this process."""
        self.inbox_id = max(self.inbox_id, entry_id, key=id_order)

    def testified(self, inbox_id: str) -> None:
        """All of it was compared with what Redis has, and what was missing is written down: nothing is said twice.

        :param inbox_id: where the inbox is read on.
        """
        self._positions.clear()
        self.inbox_id = inbox_id
