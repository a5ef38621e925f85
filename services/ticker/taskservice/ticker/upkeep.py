"""What goes along with appends because it is time: the inbox's trim, streams that nothing uses, consumers that are gone.

None of it is worth an append of its own, and none of it is a decision.
"""

from collections.abc import Iterable, Mapping

from taskservice.clock import Clock
from taskservice.domain.decide.draft import Batch
from taskservice.streams.batches import AppendBatch, DispatchEntry, NewStream, RemovedConsumer, Revocation

TRIM_EVERY_MS = 1_000
TRIM_EVERY_APPENDS = 1_000
IDLE_STREAM_MS = 600_000
"""How long a stream must have been of no use before it is removed."""
MAX_REMOVALS = 50


class Upkeep:
    """Turns batches of the arbiter into appends and puts on them what waits to go along."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._trimmed_at = clock.monotonic_ms()
        self._trimmed_to: str | None = None
        self._since_trim = 0
        self._idle_since: dict[str, int] = {}
        self._streams: dict[str, None] = {}
        self._consumers: dict[tuple[str, str], None] = {}
        self._removed: set[str] = set()
        self.confirmed_cursor: str | None = None
        """Inbox cursor of the last batch that the log has; what is below it may be dropped."""

    def to_append(self, batch: Batch) -> AppendBatch:
        """The append of this batch."""
        streams, consumers = self._take_along(batch)
        return AppendBatch(
            epoch=batch.epoch,
            expected_last=batch.expected_last_id,
            events=tuple(batch.events),
            cursor=batch.cursor,
            dispatches=tuple(
                [DispatchEntry(d.suffix, int(d.entry_id.rpartition("-")[2]), d.payload) for d in batch.dispatches]
            ),
            revocations=tuple(
                [Revocation(r.suffix, r.entry_id, r.mode, r.report, r.signal) for r in batch.revocations]
            ),
            new_streams=tuple([NewStream(suffix, info) for suffix, info in batch.new_streams]),
            removed_streams=streams,
            removed_workers=tuple(batch.removed_workers),
            removed_consumers=consumers,
            trim_inbox_to=self._trim_to(),
        )

    def idle_streams(self, registered: Iterable[str], used: set[str]) -> list[str]:
        """Streams that were of no use for ten minutes; they go with the next append that does not name them.

        :param used: what definitions, old versions and open attempts name.
        """
        now = self._clock.monotonic_ms()
        idle = [suffix for suffix in registered if suffix not in used]
        self._idle_since = {suffix: self._idle_since.get(suffix, now) for suffix in idle}
        due = [suffix for suffix, since in self._idle_since.items() if now - since >= IDLE_STREAM_MS][:MAX_REMOVALS]
        for suffix in due:
            del self._idle_since[suffix]
            self._streams[suffix] = None
        return due

    def gone_consumers(self, found: Mapping[str, Iterable[str]]) -> None:
        """Consumers by stream that have neither a worker behind them nor anything pending."""
        for suffix, workers in found.items():
            for worker in workers:
                self._consumers[suffix, worker] = None

    def registry_read(self, registered: Iterable[str]) -> None:
        """Streams that exist: those removed and made anew are no longer gone."""
        self._removed -= set(registered)

    def trim_while_idle(self) -> str | None:
        """Up to where the inbox may be trimmed by itself, since no append has come that would do it; null = nowhere.

        Else what a flood left in it would stay until somebody decides something, and may be what keeps the api from
        taking anything in.
        """
        now = self._clock.monotonic_ms()
        if self.confirmed_cursor == self._trimmed_to or now - self._trimmed_at < 2 * TRIM_EVERY_MS:
            return None
        self._trimmed_at, self._trimmed_to = now, self.confirmed_cursor
        return self.confirmed_cursor

    def _take_along(self, batch: Batch) -> tuple[tuple[str, ...], tuple[RemovedConsumer, ...]]:
        if not self._streams and not self._consumers:
            return (), ()
        named = {suffix for suffix, _ in batch.new_streams}
        named.update(dispatch.suffix for dispatch in batch.dispatches)
        named.update(revocation.suffix for revocation in batch.revocations)
        streams = tuple(suffix for suffix in self._streams if suffix not in named)[:MAX_REMOVALS]
        self._streams.clear()  # what was just named is of use; the rest of it is found idle again
        self._removed.update(streams)
        consumers = tuple(
            RemovedConsumer(suffix, worker)
            for suffix, worker in list(self._consumers)[:MAX_REMOVALS]
            if suffix not in self._removed  # append would take it for a loss
        )
        self._consumers.clear()
        return streams, consumers

    def _trim_to(self) -> str | None:
        self._since_trim += 1
        now = self._clock.monotonic_ms()
        if self.confirmed_cursor is None:
            return None
        if self._since_trim < TRIM_EVERY_APPENDS and now - self._trimmed_at < TRIM_EVERY_MS:
            return None
        self._since_trim, self._trimmed_at, self._trimmed_to = 0, now, self.confirmed_cursor
        return self.confirmed_cursor
