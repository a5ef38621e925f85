"""The worker's side of one keeper."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from taskservice.worker.process import messages as m
from taskservice.worker.process.frames import LENGTH_BYTES, BrokenFrameError, frame, length_of

KEEPER_MODULE: Final = "taskservice.worker.process.keeper"
CLOSE_PATIENCE_S: Final = 8.0
"""A keeper needs milliseconds to end everything below it, and seconds against something that forks without end."""


class SeatLostError(Exception):
    """The keeper is gone. It runs no user code: somebody killed it, or the host is short of memory."""


@dataclass(frozen=True, slots=True)
class KeeperCommand:
    """How keepers are started.

    :ivar modules: what their runners import.
    :ivar environment: of them and all they start.
    """

    modules: Sequence[str]
    environment: Mapping[str, str]

    def start(self, control: socket.socket) -> subprocess.Popen[bytes]:
        """A keeper that serves the other end of this socket.

        Called from the thread of the event loop: the kernel ties the parent-death signal to the *thread* that starts it.

        :raises OSError: it can't be started.
        """
        fd = control.fileno()
        return subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-P", "-m", KEEPER_MODULE, str(fd), str(os.getpid()), *self.modules],
            stdin=subprocess.DEVNULL,
            env=dict(self.environment),
            pass_fds=(fd,),
            start_new_session=True,  # a Ctrl-C at the terminal is the worker's to handle
        )


class Seat:
    """One keeper; made by `open`."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._leader = 0

    @classmethod
    async def open(cls, command: KeeperCommand) -> "Seat":
        """Start a keeper.

        :raises OSError: it can't be started.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = command.start(theirs)
        except OSError:
            ours.close()
            raise
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        return cls(process, reader, writer)

    def tell(self, message: m.ToKeeper) -> None:
        """Send it; without a keeper nothing happens."""
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write(frame(m.encode(message)))

    @property
    def gone(self) -> bool:
        """Whether the keeper has ended: nothing can be run here any more."""
        return self._reader.at_eof() or self._process.poll() is not None

    async def hear(self) -> m.FromKeeper:
        """The next that the keeper says.

        :raises SeatLostError: it is gone; what it kept is ended as far as it is known.
        """
        try:
            header = await self._reader.readexactly(LENGTH_BYTES)
            message = m.decode_from_keeper.decode(await self._reader.readexactly(length_of(header)))
        except (asyncio.IncompleteReadError, OSError, BrokenFrameError, msgspec.MsgspecError) as error:
            self._end_group()
            raise SeatLostError(str(error)) from error
        if isinstance(message, m.Called):
            self._leader = message.pid
        elif isinstance(message, m.Ended):
            self._leader = 0
        return message

    async def close(self) -> None:
        """End the keeper and everything below it, and wait for that."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        try:
            await asyncio.to_thread(self._process.wait, CLOSE_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        self._end_group()

    def _end_group(self) -> None:
        if self._leader:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._leader, signal.SIGKILL)
            self._leader = 0
