"""Signs of life: a beat each sixth of the worker TTL, and what its answer says this worker may read."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import structlog

from taskservice.clock import Clock
from taskservice.domain.definition.spec import Isolation
from taskservice.domain.dispatch import StreamInfo
from taskservice.domain.workers import WorkerInfo, encode_worker, slot_kind
from taskservice.streams.answers import BeatLost, BeatTaken
from taskservice.streams.batches import Beat
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import Beats
from taskservice.telemetry.crash_points import crash_point
from taskservice.worker.ledger import Ledger
from taskservice.worker.metrics import WorkerMetrics
from taskservice.worker.slots import Bell
from taskservice.worker.taking import Taker
from taskservice.worker.trust import RedisClock, Trust

BEATS_A_TTL: Final = 6
NAMED_MS: Final = 10_000
"""How long after a reconnect a beat names what ended shortly before: the leader looks each second, and at two beats."""
LEAST_PAUSE_S: Final = 0.05
"""Between two beats that something asked for: a burst of new streams is one beat."""

_decode_stream: Final = msgspec.json.Decoder(StreamInfo).decode
log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class WorkerLostError(Exception):
    """The leader has declared this worker lost: its entries are revoked, its id is spent."""


class Beater:
    """Beats for one worker id.

    :param info: what a beat says, without its number.
    :param running: how many handlers run now.
    :param first_answered: told when Redis has answered the first beat.
    """

    def __init__(
        self,
        beats: Beats,
        info: WorkerInfo,
        *,
        ttl_ms: int,
        clock: Clock,
        trust: Trust,
        redis_clock: RedisClock,
        takers: Mapping[Isolation, Taker],
        ledger: Ledger,
        metrics: WorkerMetrics,
        running: Callable[[], int],
        first_answered: Callable[[], None],
    ) -> None:
        self._beats = beats
        self._info = info
        self._interval_s = ttl_ms / 1000 / BEATS_A_TTL
        self._clock = clock
        self._trust = trust
        self._redis_clock = redis_clock
        self._takers = takers
        self._ledger = ledger
        self._metrics = metrics
        self._running = running
        self._first_answered = first_answered
        self._bell = Bell()
        self._number = 0
        self._rev = -1
        self._registry: dict[str, StreamInfo] = {}
        self._left_out: dict[str, int] = {}
        self._refused: set[str] = set()
        self._more_pending = 0
        self._cut_off = False
        self._reconnects = 0
        self._names_ends_until = 0
        self.draining = False
        self.control_from: str | None = None
        """Where control is read from: what the first beat answered; None before that."""

    def at_once(self) -> None:
        """Do not wait for the next beat's time."""
        self._bell.ring()

    def leave_out(self, suffix: str) -> None:
        """A stream is gone, or has no group: beat at once, and read it again after the next regular beat."""
        self._left_out[suffix] = self._clock.monotonic_ms()
        self._bell.ring()

    def refuse(self, suffix: str, why: str) -> None:
        """What lies in that stream can't be done here, though the beat says otherwise: read it no more.

        So what it hands back goes to others, and not to it again and again.
        """
        if suffix not in self._refused:
            self._refused.add(suffix)
            log.error("work that this worker can't do; it is handed back", stream=suffix, why=why)
        self._assign()

    @property
    def answered(self) -> bool:
        """Whether the first beat was answered."""
        return self.control_from is not None

    async def run_once(self) -> float:
        """Beat, and wait for the next one's time; answers a short pause.

        :raises StreamsError: not answered; what is pending must be looked at once it is.
        :raises WorkerLostError: this id is spent.
        """
        await self.beat()
        await self._bell.wait(self._interval_s)
        return LEAST_PAUSE_S if self.answered else 0.0

    async def beat(self) -> None:
        """One beat. Raises as `run_once`."""
        sent_at, held = self._clock.monotonic_ms(), len(self._ledger)
        self._number += 1
        streams = tuple(suffix for taker in self._takers.values() for suffix in taker.suffixes)
        message = Beat(
            worker=self._info.id,
            value=encode_worker(self._described()),
            first=self.control_from is None,
            known_rev=self._rev,
            streams=streams,
        )
        try:
            crash_point("worker.before_beat")
            answer = await self._beats.beat(message)
            crash_point("worker.after_beat")
        except StreamsError:
            self._cut_off = True
            raise
        match answer:
            case BeatLost():
                raise WorkerLostError(self._info.id)
            case BeatTaken():
                round_trip_ms = self._clock.monotonic_ms() - sent_at
                self._redis_clock.measured(answer.now_ms, sent_at, round_trip_ms)
                self._trust.renew(sent_at)
                self._metrics.beats += 1
                if self.control_from is None:
                    self.control_from = answer.control_last_id
                    self._first_answered()
                self._compare_pending(answer.pending, max(held, len(self._ledger)))
                self._read(answer)

    def _described(self) -> WorkerInfo:
        return msgspec.structs.replace(
            self._info,
            beat=self._number,
            running=self._running(),
            state="DRAINING" if self.draining else "ACTIVE",
            not_pending=tuple(
                entry
                for taker in self._takers.values()
                for entry in taker.missing
                if self._ledger.get(entry) is not None
            )
            + self._ended_before_reconnect(),
        )

    def _ended_before_reconnect(self) -> tuple[str, ...]:
        """Ends that Redis acknowledged and may have lost since, together with their delivery: another would run them again.

        The leader knows which of them it has read; that one is pending again is found out by the takers.
        """
        now_ms = self._clock.monotonic_ms()
        reconnects = sum(taker.reconnects for taker in self._takers.values())
        if reconnects != self._reconnects:
            self._reconnects = reconnects
            self._names_ends_until = now_ms + NAMED_MS
        return self._ledger.recent_ends(now_ms) if now_ms < self._names_ends_until else ()

    def _read(self, answer: BeatTaken) -> None:
        if answer.registry is not None:
            self._rev = answer.rev
            self._registry = {suffix: _decode_stream(text) for suffix, text in answer.registry.items()}
        self._assign()
        for taker in self._takers.values():
            taker.wake()

    def _assign(self) -> None:
        now_ms = self._clock.monotonic_ms()
        patience_ms = self._interval_s * 1000 * 0.9
        self._left_out = {name: at for name, at in self._left_out.items() if now_ms - at < patience_ms}
        by_kind: dict[Isolation, list[str]] = {kind: [] for kind in self._takers}
        for suffix, stream in sorted(self._registry.items()):
            kind = slot_kind(self._info, stream)
            if kind in by_kind and suffix not in self._left_out and suffix not in self._refused:
                by_kind[kind].append(suffix)
        for kind, suffixes in by_kind.items():
            self._takers[kind].read_only(suffixes)

    def _compare_pending(self, pending: int, held: int) -> None:
        """Two beats running with more pending than held, or a beat after unanswered ones: a read may be lost."""
        self._more_pending = self._more_pending + 1 if pending > held else 0
        if self._more_pending >= 2 or self._cut_off:
            self._more_pending = 0
            self._cut_off = False
            for taker in self._takers.values():
                taker.look_at_pending()
