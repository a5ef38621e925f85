"""Dispatched runs that nobody takes, though somebody who reads their stream has a slot free (pure)."""

from collections.abc import Iterable, Mapping
from functools import partial
from operator import ne

from taskservice.domain.dispatch import StreamInfo, stream_suffix
from taskservice.domain.state import State
from taskservice.domain.watch import Arrears, Trouble
from taskservice.domain.workers import WorkerInfo
from taskservice.ticker.windows import group_windows


class UntakenRuns:
    """For how long the oldest run that was dispatched and not begun has been the same one, by stream.

    Redis is not asked for it: an entry that somebody deleted by hand lies in no stream, and is taken by nobody.
    """

    def __init__(self) -> None:
        self._arrears: dict[str, Arrears[int]] = {}

    def look(self, monotonic_ms: int, oldest: Mapping[str, int]) -> Trouble | None:
        """The worst of these streams; None = there is none.

        :param oldest: position of the event that dispatched the oldest such run, by stream.
        """
        # of all marks the run that is still the oldest, and no other, is not reached
        self._arrears = {suffix: self._arrears.get(suffix) or Arrears() for suffix in oldest}
        ages = {
            suffix: self._arrears[suffix].look(monotonic_ms, position, partial(ne, position))
            for suffix, position in oldest.items()
        }
        if not ages:
            return None
        worst = max(ages, key=lambda suffix: ages[suffix])
        what = f"the run that event {oldest[worst]} dispatched to the stream {worst} is not begun"
        return Trouble(ages[worst], what)


def oldest_not_begun(state: State, suffixes: Iterable[str]) -> dict[str, int]:
    """Position of the event that dispatched the oldest run of each stream that is not known to run."""
    wanted = set(suffixes)
    found: dict[str, int] = {}
    for position, instance_id in state.dispatched.items():  # in the order of dispatch
        if not wanted:
            break
        instance = state.instances[instance_id]
        if instance.status == "RUNNING":
            continue
        suffix = stream_suffix(state.spec_of(instance))
        if suffix in wanted:
            wanted.remove(suffix)
            found[suffix] = position
    return found


def idle_streams(
    streams: Mapping[str, StreamInfo],
    workers: Mapping[str, WorkerInfo],
    in_flight: Mapping[str, int],
    taken: Mapping[str, int],
) -> list[str]:
    """Streams with runs that nobody took although a live reader has a slot free, or that nobody reads.

    :param in_flight: open dispatched attempts by stream. :param taken: those of them that a worker holds.
    """
    waiting = [suffix for suffix, count in in_flight.items() if count > taken.get(suffix, 0) and suffix in streams]
    if not waiting:
        return []
    full: set[str] = set()
    for window in group_windows(workers, streams, lambda _: 0):
        if sum(taken.get(suffix, 0) for suffix in window.suffixes) >= window.capacity:
            full.update(window.suffixes)
    return [suffix for suffix in waiting if suffix not in full]
