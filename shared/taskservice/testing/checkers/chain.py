"""I1, I2, I24 of the log itself: one gapless chain, in which an epoch follows another and nobody comes back."""

from taskservice.domain import events as e
from taskservice.testing.checkers.evidence import LogRecord
from taskservice.testing.checkers.violation import demand

NOTHING = "0-0"


class Chain:
    """The log so far: its last id, and which epochs began."""

    def __init__(self) -> None:
        self._epoch = 0
        self._position = 0

    def check(self, record: LogRecord) -> None:
        """The next record follows the last one.

        I1: positions run on without gaps, over epochs too, and an epoch begins with EpochStarted, which names its
        predecessor. I2: nothing of an epoch comes after a later one. I24: an epoch begins once.
        """
        event, position = record.event, record.position
        demand(record.epoch >= self._epoch, "I2", position, f"{record.id} comes after epoch {self._epoch} began")
        demand(position == self._position + 1, "I1", position, f"{record.id} follows {self._id}")
        if isinstance(event, e.EpochStarted):
            demand(record.epoch > self._epoch, "I24", position, f"epoch {record.epoch} began twice")
            demand(event.epoch == record.epoch, "I1", position, f"{record.id} says that epoch {event.epoch} began")
            names = f"{record.id} names {event.previous_id} as its predecessor, which is {self._id}"
            demand(event.previous_id == self._id, "I1", position, names)
        else:
            demand(record.epoch == self._epoch, "I1", position, f"{record.id}: its epoch began without EpochStarted")

    def take(self, record: LogRecord) -> None:
        """It is the last one now."""
        self._epoch, self._position = max(self._epoch, record.epoch), record.position

    @property
    def _id(self) -> str:
        return f"{self._epoch}-{self._position}" if self._position else NOTHING
