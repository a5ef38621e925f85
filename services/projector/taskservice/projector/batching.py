"""From a loaded state on: the batch in the making and the mark that the next one starts from."""

from collections.abc import Callable

from taskservice.clock import Clock
from taskservice.domain.event_codec import UnknownEvent
from taskservice.domain.state import State
from taskservice.projector.folding import Folding
from taskservice.projector.window import is_full, next_window_ms, wait_ms
from taskservice.storage.projection import Mark, PreparedBatch, prepare
from taskservice.streams.answers import LogEntry, LogLinesEntry


class Batching:
    """Folds what is read and cuts it into batches.

    :param state: as loaded; changed in place.
    :param mark: of the checkpoint that it was loaded with.
    :param tell_unknown: hears of events that only a newer release knows: they are archived, and make no rows.
    """

    def __init__(
        self, state: State, mark: Mark, clock: Clock, tell_unknown: Callable[[UnknownEvent, int], None]
    ) -> None:
        self.state = state
        self._mark = mark
        self._clock = clock
        self._tell_unknown = tell_unknown
        self._folding = Folding(state)
        self._begun_at = 0
        self._window_ms = next_window_ms(0)

    @property
    def whole(self) -> bool:
        """Whether it ends where an append ends, as every batch must.

        Half an append is no decision: its inbox cursor comes with its last entry. An archive that ended within one
        could not be led on from after a loss, but by deciding again what the half had decided.
        """
        entries = self._folding.entries
        return not entries or entries[-1].cursor is not None

    @property
    def full(self) -> bool:
        """Whether the batch in the making takes no more; an append is at most 500 events and 1 MiB more."""
        return self.whole and is_full(len(self._folding.entries) + len(self._folding.line_entries), self._folding.bytes)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return self._folding.empty

    def take(self, entry: LogEntry) -> None:
        """Fold the next entry of the log.

        :raises Discontinuity: it is not the next one. :raises NoWayOn: nothing past it can be folded.
        """
        self._begin()
        unknown = self._folding.fold(entry)
        if unknown is not None:
            self._tell_unknown(unknown, entry.position)

    def take_lines(self, entry: LogLinesEntry) -> None:
        """Take the next entry of the stream of log lines."""
        self._begin()
        self._folding.fold_lines(entry)

    def wait_ms(self) -> float | None:
        """How long the batch should wait for company; None when there is nothing to write, or half an append."""
        if self._folding.empty or not self.whole:
            return None
        return wait_ms(
            window_ms=self._window_ms,
            age_ms=self._clock.monotonic_ms() - self._begun_at,
            urgent=bool(self._folding.changes.commands),
            full=self.full,
        )

    def cut(self) -> PreparedBatch:
        """The batch, ready to be written; the next one begins."""
        folding = self._folding
        batch = prepare(
            self.state,
            folding.changes,
            folding.entries,
            folding.line_entries,
            before=self._mark,
            first_ts=folding.first_ts,
            last_ts=folding.last_ts,
        )
        self._mark = batch.after
        self._window_ms = next_window_ms(len(folding.entries))
        self._folding = Folding(self.state)
        return batch

    def _begin(self) -> None:
        if self._folding.empty:
            self._begun_at = self._clock.monotonic_ms()
