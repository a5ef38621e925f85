"""Noticing that the event loop stood still: nearly always a handler that blocks it, which then looks like an outage.

Or the whole process was stopped, or its host: then another thread of it stood still as well, and no handler is at fault.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self

import structlog

LOOK_S: Final = 0.25
LONG_S: Final = 1.0
"""So long without a turn of the loop is said."""
AFTERMATH_S: Final = 1.0
"""What times out so soon after is the fault of the standstill."""
MAX_NAMES: Final = 5

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class _Pulse:
    """A thread that counts, as often as the loop is looked at: what stops the process stops it, a blocked loop does not."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self.count = 0

    def start(self) -> None:
        """Count from now on."""
        self._ended.clear()
        threading.Thread(target=self._run, name="loop-watch", daemon=True).start()

    def end(self) -> None:
        """No more."""
        self._ended.set()

    def begin_count(self) -> None:
        """From 0 again."""
        self.count = 0

    def _run(self) -> None:
        while not self._ended.wait(LOOK_S):
            self.count += 1


class LoopWatch:
    """Looks four times a second how late the loop is. One for each loop, however many lives use it.

    Used as a context manager on the loop that it watches; without that it says nothing.
    """

    def __init__(self) -> None:
        self._sources: list[Callable[[], Iterable[str]]] = []
        self._seen: dict[str, None] = {}
        self._due = 0.0
        self._excuse_until = -1.0
        self._timer: asyncio.TimerHandle | None = None
        self._pulse = _Pulse()

    def __enter__(self) -> Self:
        self._pulse.start()
        self._arm(asyncio.get_running_loop())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._pulse.end()

    def listen(self, running: Callable[[], Iterable[str]]) -> Callable[[], None]:
        """`running` names the handlers that are on the loop now; the answer takes that back."""
        self._sources.append(running)
        return lambda: self._sources.remove(running)

    def called(self, handler: str) -> None:
        """It is called on the loop now: should it block and return before the next look, it is named all the same."""
        self._seen[handler] = None

    def excuses(self) -> bool:
        """Whether the loop stood still just now, so that what timed out says nothing about who was to answer."""
        loop = asyncio.get_running_loop()
        self._look(loop)  # this turn may have come before the timer's
        return loop.time() < self._excuse_until

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._pulse.begin_count()
        self._due = loop.time() + LOOK_S
        self._timer = loop.call_later(LOOK_S, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._look(loop)
        self._seen = dict.fromkeys(name for running in self._sources for name in running())
        self._arm(loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        late_s = now - self._due
        if self._timer is None or late_s <= LONG_S:
            return
        self._due = now  # once for each standstill
        self._excuse_until = now + AFTERMATH_S
        names = list(self._seen)
        stood_still = f"the event loop stood still for {late_s:.1f} s"
        if not names:
            words = f"{stood_still}; no handler ran on it: the host was held up"
            log.warning(words)
            return
        if self._pulse.count * LOOK_S < late_s / 2:
            words = f"{stood_still}, and no other thread of this process ran: it was stopped, or its host held up"
            log.warning(words)
            return
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        words = f"{stood_still}; a handler blocks it: write it as def, or don't block"
        log.warning(words, running=", ".join(names[:MAX_NAMES]) + more)
