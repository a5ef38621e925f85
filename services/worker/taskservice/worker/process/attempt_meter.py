"""What one attempt has used so far, against what it may use."""

from typing import Final

from taskservice.domain.logs import MAX_LINES_PER_INSTANCE
from taskservice.worker.process import tree
from taskservice.worker.process.messages import Exceeded, Limits, Line

MAX_PROCESSES: Final = 256
"""Of one attempt, at once: more than a pipeline needs, fewer than hurt the host."""
MAX_OUTPUT_BYTES: Final = 64 * 1024 * 1024
"""Of one attempt: what it says in all, kept or not."""
LOOK_S: Final = 0.05
LOOK_AT_MEMORY_S: Final = 0.02


class AttemptMeter:
    """One attempt. Made when its handler or program begins.

    :param limits: of the definition; processes and output are bounded for all alike.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lines_left = MAX_LINES_PER_INSTANCE + 1  # the one beyond becomes the word that there are no more
        self._output_bytes = 0
        self._cpu_before = tree.cpu_ms(tree.descendants())

    @property
    def look_s(self) -> float:
        """How long to wait between two looks."""
        return LOOK_S if self._limits.memory_bytes is None else LOOK_AT_MEMORY_S

    def look(self) -> Exceeded | None:
        """The limit that is exceeded now."""
        pids = tree.descendants(at_most=MAX_PROCESSES)
        if len(pids) > MAX_PROCESSES:
            return Exceeded("processes", MAX_PROCESSES, len(pids))
        if self._output_bytes > MAX_OUTPUT_BYTES:
            return Exceeded("output", MAX_OUTPUT_BYTES, self._output_bytes)
        memory_limit, cpu_limit = self._limits.memory_bytes, self._limits.cpu_ms
        if memory_limit is not None and tree.memory_bytes(pids) > memory_limit:
            used = tree.memory_share_bytes(pids)
            if used > memory_limit:
                return Exceeded("memory", memory_limit, used)
        if cpu_limit is not None:
            used = tree.cpu_ms(pids) - self._cpu_before
            if used > cpu_limit:
                return Exceeded("cpu", cpu_limit, used)
        return None

    def output(self, size_bytes: int) -> bool:
        """So many bytes were written; False when nothing of it can be kept any more."""
        self._output_bytes += size_bytes
        return self._lines_left > 0

    def keep(self, lines: list[Line]) -> tuple[Line, ...]:
        """Of these lines those that are still within the bound."""
        kept = lines[: self._lines_left]
        self._lines_left -= len(kept)
        return tuple(kept)
