"""Misfired instants of a definition: which of them still run. Pure planning; `fires` turns a plan into events.

An instant is *misfired* when it is decided later than the misfire threshold, or was due while the scheduler was
stopped. Misfired instants that follow each other are a gap, and `misfirePolicy` settles a gap once:

FIRE_ONCE runs the latest · SKIP runs none · FIRE_ALL runs the latest `misfireLimit`, at most 10 a second.

Whatever the policy, an instant that is late by more than `misfireWindowMs` does not run.
"""

from collections.abc import Callable, Iterator
from typing import assert_never

import msgspec

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.schedule.of_spec import schedule_of
from taskservice.domain.state import Definition

GAP_CHUNK = 1_000
"""Instants that one plan skips at most, so that no turn is long."""
RUNS_A_PLAN = 100
"""Instants that one plan runs at most; the rest of the gap is planned next."""
START_SPACING_MS = 100
"""FIRE_ALL starts at most 10 a second."""


class Plan(msgspec.Struct, frozen=True, gc=False):
    """The next instants of a definition: `skipped`, then `run`; both ascending, together not empty."""

    skipped: tuple[int, ...]
    run: tuple[int, ...]

    @property
    def last(self) -> int:
        """The latest instant that it decides."""
        return (self.run or self.skipped)[-1]


def plan_gap(definition: Definition, first: int, *, until: int, now: int, misfired: Callable[[int], bool]) -> Plan:
    """What becomes of the gap that begins with the misfired instant `first`, or of its first part.

    :param until: instants after this are not looked at. :param now: by which lateness is told.
    :param misfired: whether an instant is; in the order of instants it turns false once and for all.
    """
    spec = definition.spec
    keep = _runs_at_most(spec)
    if spec.schedule_type == "FIXED_DELAY":
        return _plan_delay(spec, first, now=now, until=until, misfired=misfired, runs=keep > 0)
    instants: list[int] = []
    for instant in _instants(definition, first):
        if instant > until or not misfired(instant):
            break
        instants.append(instant)
        if len(instants) == GAP_CHUNK + keep:
            return Plan(tuple(instants[:GAP_CHUNK]), ())  # those kept for later are enough, whatever follows
    window = spec.misfire_window_ms
    too_late = 0 if window is None else sum(now - instant > window for instant in instants)
    begin = max(too_late, len(instants) - keep)
    return Plan(tuple(instants[:begin]), tuple(instants[begin : begin + RUNS_A_PLAN]))


def _plan_delay(
    spec: DefinitionSpec, first: int, *, now: int, until: int, misfired: Callable[[int], bool], runs: bool
) -> Plan:
    """FIXED_DELAY: the end of a run arms the next instant, so one runs at most; a skipped one is followed by the
    instant a delay later.
    """
    window = spec.misfire_window_ms
    skipped: list[int] = []
    instant = first
    while instant <= until and misfired(instant) and len(skipped) < GAP_CHUNK:
        if runs and (window is None or now - instant <= window):
            return Plan(tuple(skipped), (instant,))
        skipped.append(instant)
        instant += spec.interval_ms or 1
        if spec.end_at is not None and instant >= spec.end_at:
            break
    return Plan(tuple(skipped), ())


def _runs_at_most(spec: DefinitionSpec) -> int:
    match spec.misfire_policy:
        case "FIRE_ONCE":
            return 1
        case "SKIP":
            return 0
        case "FIRE_ALL":
            return spec.misfire_limit
        case _:
            assert_never(spec.misfire_policy)


def _instants(definition: Definition, first: int) -> Iterator[int]:
    schedule = schedule_of(definition.spec, definition.grid_start, definition.id)
    instant: int | None = first
    while instant is not None:
        yield instant
        instant = schedule.next_after(instant)
