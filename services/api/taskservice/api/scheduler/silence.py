"""Nobody leads a partition: then nobody can write that into its log, so each api says it in its own."""

import structlog

from taskservice.clock import Clock
from taskservice.domain.status import PartitionStatus
from taskservice.domain.watch import AlarmKind

SILENT_MS = 10_000
"""A leader speaks each second."""
KIND: AlarmKind = "LEADERLESS"

log = structlog.get_logger("taskservice.api.scheduler.silence")


class LeaderSilence:
    """How long the leader of one partition has said nothing new, on this process' monotonic clock."""

    def __init__(self, partition: int, clock: Clock) -> None:
        self._partition = partition
        self._clock = clock
        self._heard_at = clock.monotonic_ms()
        self._last_word: tuple[int, int] | None = None
        self._told = False

    def look(self, status: PartitionStatus | None, *, redis: bool) -> None:
        """What was found just now; `redis`: whether Redis answered at all."""
        now = self._clock.monotonic_ms()
        word = None if status is None else (status.epoch, status.written_at)
        if word is not None and word != self._last_word:
            self._last_word, self._heard_at = word, now
        silent_ms = now - self._heard_at
        if status is not None:
            if self._told:
                log.info("an alarm is over: the leader speaks again", kind=KIND, partition=self._partition)
            self._told = False
        elif silent_ms >= SILENT_MS and not self._told:
            self._told = True
            why = "no leader has spoken" if redis else "Redis does not answer"
            log.error("ALARM: nobody leads", kind=KIND, partition=self._partition, silent_ms=silent_ms, why=why)
