"""Threads for handlers that block. Daemons: one that never returns can't keep the process from ending."""

import queue
import threading
from collections.abc import Callable
from typing import Final

IDLE_S: Final = 30.0

Call = Callable[[], None]


class ThreadPool:
    """Up to `maximum` threads, of which `kept` stay when idle; made when there is work.

    The caller bounds the work: it hands over a call only for a slot that it holds.

    :param idle_s: how long a thread beyond the kept ones waits for work before it ends.
    """

    def __init__(self, kept: int, maximum: int, name: str = "task", *, idle_s: float = IDLE_S) -> None:
        self._kept = min(kept, maximum)
        self._maximum = maximum
        self._name = name
        self._idle_s = idle_s
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._calls_open = 0
        self._made = 0

    @property
    def threads(self) -> int:
        """How many there are."""
        return self._threads

    def submit(self, call: Call) -> None:
        """Have a thread make this call, which must not raise."""
        with self._lock:
            self._calls_open += 1
            if self._calls_open > self._threads and self._threads < self._maximum:
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
        while (call := self._next()) is not None:
            call()
            del call
            with self._lock:
                self._calls_open -= 1

    def _next(self) -> Call | None:
        while True:
            try:
                call = self._calls.get(timeout=self._idle_s)
            except queue.Empty:
                with self._lock:
                    if self._threads <= max(self._kept, self._calls_open):
                        continue  # one of those that stay, or a call is on its way
                    self._threads -= 1
                return None
            if call is None:
                with self._lock:
                    self._threads -= 1
            return call
