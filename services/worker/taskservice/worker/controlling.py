"""What the leader tells all workers: cancel signals, and that the set of streams changed."""

from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from taskservice.domain.dispatch import decode_cancel_signal
from taskservice.streams.answers import CancelSignalled, StreamsChanged
from taskservice.streams.ports import Control
from taskservice.worker.intake import Intake

PAGE: Final = 500
BLOCK_MS: Final = 1_000
NOT_YET_S: Final = 0.02

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ControlReader:
    """Reads control from where the first beat said, on a connection of its own.

    :param start: that id; None until the beat is answered.
    :param streams_changed: told when the registry changed.
    """

    def __init__(
        self,
        control: Control,
        intake: Intake,
        *,
        start: Callable[[], str | None],
        streams_changed: Callable[[], None],
    ) -> None:
        self._control = control
        self._intake = intake
        self._start = start
        self._streams_changed = streams_changed
        self._after: str | None = None
        self.reading = False
        """True once a read was answered."""

    async def run_once(self) -> float:
        """One read; answers how long to rest, in seconds.

        :raises StreamsError: nothing is lost: it is read again from the same id.
        """
        if self._after is None:
            self._after = self._start()
            if self._after is None:
                return NOT_YET_S
        # The first read asks only whether it works: a worker is not ready a second later for it.
        entries = await self._control.read(self._after, PAGE, BLOCK_MS if self.reading else 0)
        self.reading = True
        changed = False
        for entry in entries:
            match entry:
                case StreamsChanged():
                    changed = True
                case CancelSignalled(_, _, entry_id, signal):
                    self._cancel(entry_id, signal)
            self._after = entry.id
        if changed:
            self._streams_changed()
        return 0.0

    def _cancel(self, entry_id: str, signal: bytes) -> None:
        try:
            self._intake.signal(entry_id, decode_cancel_signal(signal))
        except msgspec.MsgspecError as error:
            log.error("a cancel signal can't be read", entry=entry_id, error=str(error))  # noqa: TRY400
