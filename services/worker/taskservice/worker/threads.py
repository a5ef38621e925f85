"""Threads for handlers that block. Daemons: one that never returns can't keep the process from ending."""

import queue
import threading
from collections.abc import Callable
from typing import Final

IDLE_S: Final = 30.0
"""After so long without work a thread beyond the kept ones ends."""

Call = Callable[[], None]


class ThreadPool:
    """Up to `maximum` threads, of which `kept` stay when idle; made when there is work.

    The caller bounds the work: it hands over a call only for a slot that it holds.
    """

    def __init__(self, kept: int, maximum: int, name: str = "task") -> None:
        self._kept = min(kept, maximum)
        self._maximum = maximum
        self._name = name
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._made = 0

    @property
    def threads(self) -> int:
        """How many there are."""
        return self._threads

    def submit(self, call: Call) -> None:
        """Have a thread make this call, which must not raise."""
        with self._lock:
            if self._idle > 0:
                self._idle -= 1  # spoken for
            elif self._threads < self._maximum:
                self._threads += 1
                self._made += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._made}", daemon=True).start()
            self._calls.put(call)

    def close(self) -> None:
        """Let idle threads end; busy ones end after their call."""
        with self._lock:
            for _ in range(self._threads):
                self._calls.put(None)

    def _work(self) -> None:
        while True:
            call = self._next()
            if call is None:
                return
            call()
            del call
            with self._lock:
                self._idle += 1

    def _next(self) -> Call | None:
        while True:
            try:
                call = self._calls.get(timeout=IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._idle == 0 or self._threads <= self._kept:
                        continue  # spoken for just now, or one of those that stay
                    self._idle -= 1
                    self._threads -= 1
                    return None
            if call is None:
                with self._lock:
                    self._threads -= 1
            return call
