"""The time of Redis, carried on by the monotonic clock; and whether the clocks agree enough to decide by them.

Commands and reports bear the time of Redis, so the leader decides by the same clock: a step of its own host's clock
moves nothing.
"""

from collections import deque

import msgspec

from taskservice.clock import Clock

TOLERANCE_MS = 2_000
"""Two clocks agree within this."""
AHEAD_MS = 60_000
"""A last `ts` further ahead than this means that the clock went back."""
SAMPLES = 10
STEP_MS = 50
"""A sample further off than its own doubt and this means that Redis' clock was set."""


class _Sample(msgspec.Struct, frozen=True, gc=False):
    offset_ms: int
    round_trip_ms: int


class RedisTime:
    """The time of Redis now, in ms since the Unix epoch; the host's own until it was measured.

    The best of the last ten samples counts: the one with the shortest round trip.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._best: _Sample | None = None

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        if self._best is None:
            return self._clock.now_ms()
        return self._clock.monotonic_ms() + self._best.offset_ms

    def measure(self, sent_at: int, answered_at: int, redis_ms: int) -> int:
        """Redis said `redis_ms` in an answer to what was sent and answered at these monotonic instants.

        :return: by how many ms its clock was set since it was measured last; 0 = it was not.
        """
        sample = _Sample(redis_ms - (sent_at + answered_at) // 2, answered_at - sent_at)
        best, stepped_ms = self._best, 0
        if best is not None:
            doubt_ms = (sample.round_trip_ms + best.round_trip_ms) // 2 + STEP_MS
            if abs(sample.offset_ms - best.offset_ms) > doubt_ms:
                self._samples.clear()
                stepped_ms = sample.offset_ms - best.offset_ms
        self._samples.append(sample)
        self._best = min(self._samples, key=lambda one: one.round_trip_ms)
        return stepped_ms


class HostClock:
    """Whether this host's wall clock jumps against its monotonic one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ms: int | None = None

    def look(self) -> int:
        """By how many ms it was set since the last look; 0 = it was not, or by less than is worth a word."""
        before = self._clock.monotonic_ms()
        wall = self._clock.now_ms()
        took_ms = self._clock.monotonic_ms() - before
        offset_ms = wall - before - took_ms // 2
        stepped_ms = 0 if self._offset_ms is None else offset_ms - self._offset_ms
        self._offset_ms = offset_ms
        return stepped_ms if abs(stepped_ms) > TOLERANCE_MS + took_ms else 0


class ClockReadings(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The same moment by each clock; `mysql` null: it did not answer."""

    redis: int
    own: int
    mysql: int | None
    last_ts: int
    """When the last event was decided."""


def clock_trouble(readings: ClockReadings) -> str | None:
    """Why nothing may be decided by the clock; None = two of three agree, Redis among them, and time did not go back."""
    redis, own, mysql = readings.redis, readings.own, readings.mysql
    if readings.last_ts - redis > AHEAD_MS:
        return f"the last event was decided {readings.last_ts - redis} ms after the time of Redis"
    if abs(redis - own) <= TOLERANCE_MS or (mysql is not None and abs(redis - mysql) <= TOLERANCE_MS):
        return None
    others = f"this host {own - redis:+d} ms"
    others += ", MySQL does not answer" if mysql is None else f", MySQL {mysql - redis:+d} ms"
    return f"no other clock agrees with that of Redis: {others}"
