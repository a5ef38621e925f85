"""Log lines between the handlers and Redis: numbered, cut, bounded. Used by the loop and by threads."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from taskservice.domain.logs import MAX_LINE_BYTES, MAX_LINES_PER_INSTANCE, LogLevel, LogLine
from taskservice.worker.cleaning import clean, cut
from taskservice.worker.context import LineSource

MAX_BUFFERED_LINES: Final = 20_000
MAX_BUFFERED_SIZE: Final = 16 * 1024 * 1024
"""In characters, with LINE_OVERHEAD for each line."""
MAX_REMEMBERED: Final = 10_000
"""Instances whose lines are counted, and attempts whose lost lines are owed a word."""
LINE_OVERHEAD: Final = 200
DROPPED: Final = (
    "log lines were dropped before this one: too many at once, Redis is short of memory, or nobody stores them"
)

Waiting: TypeAlias = tuple[LineSource, LogLine]


class LogBuffer:
    """What waits to be sent. Never waits and never raises: a full buffer drops lines, and says so in one later.

    :param now: the instant for a line, ms since the epoch.
    """

    def __init__(
        self,
        now: Callable[[], int],
        *,
        max_lines: int = MAX_BUFFERED_LINES,
        max_size: int = MAX_BUFFERED_SIZE,
        max_lines_per_instance: int = MAX_LINES_PER_INSTANCE,
    ) -> None:
        self._now = now
        self._max_lines = max_lines
        self._max_size = max_size
        self._max_per_instance = max_lines_per_instance
        self._lock = threading.Lock()
        self._lines: deque[Waiting] = deque()
        self._size = 0
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._owed: dict[LineSource, None] = {}
        self.shedding = False
        """True while Redis is short of memory: lines are dropped at once."""
        self.written = 0
        self.stored = 0
        self.dropped = 0
        self.cut = 0

    def __len__(self) -> int:
        return len(self._lines)

    def write(self, source: LineSource, level: LogLevel, message: str) -> None:
        """Take a line, cut and cleaned; the 100,001st of an instance becomes the word that there are no more."""
        whole = clean(message)
        text = cut(whole, MAX_LINE_BYTES)
        with self._lock:
            self.cut += text is not whole
            count = self._counts.pop(source.instance_id, 0) + 1
            self._counts[source.instance_id] = count
            if len(self._counts) > MAX_REMEMBERED:
                self._counts.popitem(last=False)
            if count > self._max_per_instance:
                if count > self._max_per_instance + 1:
                    return
                level, text = "WARN", f"no more lines: {self._max_per_instance} are kept of one instance"
            self._push(source, level, text)

    def take(self, max_lines: int, max_size: int) -> list[Waiting]:
        """The oldest lines, in order."""
        taken: list[Waiting] = []
        size = 0
        with self._lock:
            while self._lines and len(taken) < max_lines:
                line_size = _size(self._lines[0][1])
                if taken and size + line_size > max_size:
                    break
                taken.append(self._lines.popleft())
                size += line_size
            self._size -= size
        return taken

    def put_back(self, lines: Sequence[Waiting]) -> None:
        """Return what could not be sent, before everything else: it will be sent again under its old numbers."""
        with self._lock:
            self._lines.extendleft(reversed(lines))
            self._size += sum(_size(line) for _, line in lines)

    def took(self, lines: Sequence[Waiting]) -> None:
        """Redis has these lines."""
        with self._lock:
            self.stored += len(lines)

    def refused(self, lines: Sequence[Waiting]) -> None:
        """Redis does not take these lines: drop them."""
        with self._lock:
            self.dropped += len(lines)
            for source, _ in lines:
                self._owe(source)

    def confess(self) -> int:
        """Lines are taken again: one WARN line for each attempt that lost some, saying how many. Answers how many lines.

        What finds no room stays owed: a word that is dropped in its turn would take its number with it.
        """
        confessed = 0
        with self._lock:
            while self._owed and not self._is_full(len(DROPPED) + LINE_OVERHEAD):
                source = next(iter(self._owed))
                del self._owed[source]
                count, source.dropped = source.dropped, 0
                self._push(source, "WARN", f"{count} {DROPPED}")
                confessed += 1
        return confessed

    def _push(self, source: LineSource, level: LogLevel, text: str) -> None:
        source.sequence += 1
        line = LogLine(
            source.tenant_id, source.instance_id, source.attempt, source.sequence, level, self._now(), text
        )  # fmt: skip
        size = _size(line)
        self.written += 1
        if self._is_full(size):
            self.dropped += 1
            self._owe(source)
            return
        self._lines.append((source, line))
        self._size += size

    def _is_full(self, size: int) -> bool:
        """Whether a line of this size is dropped."""
        return self.shedding or len(self._lines) >= self._max_lines or self._size + size > self._max_size

    def _owe(self, source: LineSource) -> None:
        source.dropped += 1
        if len(self._owed) < MAX_REMEMBERED:
            self._owed[source] = None


def _size(line: LogLine) -> int:
    return len(line.message) + LINE_OVERHEAD
