"""Play histories and check them: `python -m tests.simulation.run --seeds 2000`, or one, told in full: `--seed 17`."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.simulation.evidence import evidence_of
from tests.simulation.history import History

from taskservice.domain import events as e
from taskservice.testing.checkers import broken_invariants

FAILURES_SHOWN = 10
CHUNK = 20


@dataclass(frozen=True)
class Verdict:
    """What became of one seed."""

    seed: int
    broken: tuple[tuple[str, str], ...]
    """(invariant, what is wrong) of each group of checks that failed."""
    events: int
    crash: bool
    edit: bool
    misfire: bool
    seen: frozenset[str]
    """What else the history held."""


def say(line: object) -> None:
    """A line to whoever watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def verdict_of(seed: int) -> Verdict:
    """Play one history and check it; what breaks with an error is broken, by no invariant's name."""
    history = History(seed)
    try:
        history.play()
    except Exception as error:  # noqa: BLE001 - whatever it is: the seed is what is needed to see it again
        return Verdict(seed, (("error", f"{type(error).__name__}: {error}"),), 0, False, False, False, frozenset())
    broken = tuple((one.invariant, str(one)) for one in broken_invariants(evidence_of(history)))
    events = [entry.event for entry in history.fabric.log]
    threshold = history.settings.misfire_threshold_ms
    seen = set()
    for event in events:
        seen.add(type(event).__name__)
        if isinstance(event, e.FireSkipped):
            seen.add(f"FireSkipped {event.reason}")
        elif isinstance(event, e.InstanceScheduled):
            late = event.origin == "SCHEDULE" and event.ts - event.fire_time > threshold
            seen.add("misfire that ran" if late else f"InstanceScheduled {event.origin}")
    return Verdict(
        seed=seed,
        broken=broken,
        events=len(events),
        crash=history.crashes > 0,
        edit="DefinitionUpdated" in seen,
        misfire=bool(seen & {"FireSkipped MISFIRE", "FireSkipped SCHEDULER_STOPPED", "misfire that ran"}),
        seen=frozenset(seen),
    )


def verdicts(seeds: Iterable[int], processes: int) -> Iterator[Verdict]:
    """Of many seeds, in their order."""
    if processes == 1:
        yield from map(verdict_of, seeds)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(verdict_of, seeds, chunksize=CHUNK)


def tell_one(seed: int) -> int:
    """The whole course of one history, and what is wrong with it."""
    history = History(seed, trace=say).play()
    broken = broken_invariants(evidence_of(history))
    for violation in broken:
        say(violation)
    say(f"seed {seed}: {len(history.fabric.log)} events, {'broken' if broken else 'everything holds'}")
    return 1 if broken else 0


def tell_many(first: int, count: int, processes: int) -> int:
    """How many seeds hold, what they held, and how to run those again that don't."""
    begun = time.monotonic()
    failed = 0
    shares: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    events = 0
    for verdict in verdicts(range(first, first + count), processes):
        events += verdict.events
        seen.update(verdict.seen)
        shares.update({"crash": verdict.crash, "edit": verdict.edit, "misfire": verdict.misfire})
        shares["all three"] += verdict.crash and verdict.edit and verdict.misfire
        if verdict.broken:
            failed += 1
            if failed <= FAILURES_SHOWN:
                say(f"seed {verdict.seed}: {verdict.broken[0][1]}\n    make simulate SEED={verdict.seed}")
    say("what histories held (share of the seeds):")
    for name, number in sorted(seen.items()):
        say(f"  {number / count:6.1%}  {name}")
    held = ", ".join(f"{name} {shares[name] / count:.1%}" for name in ("crash", "edit", "misfire", "all three"))
    took = time.monotonic() - begun
    say(f"{count} seeds, {events} events, {took:.1f} s; shares: {held}; broken: {failed}")
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    """The command line; 0 = everything holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many histories (200)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (0)")
    parser.add_argument("--seed", type=int, help="only this one, with its whole course")
    parser.add_argument("--processes", type=int, default=2, help="how many at once (2)")
    chosen = parser.parse_args(arguments)
    if chosen.seed is not None:
        return tell_one(chosen.seed)
    return tell_many(chosen.first, chosen.seeds, chosen.processes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
