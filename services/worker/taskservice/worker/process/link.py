"""The keeper's end of the socket to its worker: never blocks, holds what the worker has not read yet."""

import socket
from typing import Final

import msgspec

from taskservice.worker.process import messages as m
from taskservice.worker.process.frames import BrokenFrameError, FrameBuffer, frame

READ_BYTES: Final = 65_536
CROWDED_BYTES: Final = 1_048_576


class WorkerGoneError(Exception):
    """Nobody is there to work for."""


class WorkerLink:
    """Messages from and to the worker."""

    def __init__(self, control: socket.socket) -> None:
        control.setblocking(False)
        self._control = control
        self._inbox = FrameBuffer()
        self._outbox = bytearray()

    def fileno(self) -> int:
        """For a selector."""
        return self._control.fileno()

    @property
    def unsent(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._outbox)

    @property
    def crowded(self) -> bool:
        """So much waits that nothing should be added: whoever writes so much waits, too."""
        return len(self._outbox) > CROWDED_BYTES

    def read(self) -> list[m.ToKeeper]:
        """What has arrived.

        :raises WorkerGoneError: the other end is closed, or says what no worker says.
        """
        try:
            data = self._control.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            raise WorkerGoneError
        try:
            return [m.decode_to_keeper.decode(payload) for payload in self._inbox.feed(data)]
        except (BrokenFrameError, msgspec.MsgspecError) as error:
            raise WorkerGoneError from error

    def tell(self, message: m.FromKeeper) -> None:
        """Send this, now or when there is room. Raises as `read`."""
        self._outbox += frame(m.encode(message))
        self.write()

    def write(self) -> None:
        """Send what there is room for. Raises as `read`."""
        try:
            while self._outbox:
                del self._outbox[: self._control.send(self._outbox[:READ_BYTES])]
        except BlockingIOError:
            return
        except OSError as error:
            raise WorkerGoneError from error
