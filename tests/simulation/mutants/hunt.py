"""Plant each bug into a copy of the core and let the simulation look for it: `make mutants-time`.

A history that breaks with an error does not count as found: an invariant must name the bug.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.run import say, verdict_of
from tests.tidy.tree import ROOT

import taskservice.domain

CORE = Path("shared", "taskservice", "domain")
PATCHES = Path(__file__).parent
SEEDS = 500
GIVE_UP_S = 150


@dataclass(frozen=True)
class Found:
    """What the simulation says of a planted bug; `seed` null = it did not find it."""

    bug: str
    seed: int | None
    what: str


def bugs() -> list[str]:
    """Names of all planted bugs."""
    return sorted(patch.stem for patch in PATCHES.glob("*.patch"))


def hunt(bug: str, seeds: int = SEEDS) -> Found:
    """Plant one bug and look for it, in a process of its own that imports the broken copy.

    :raises subprocess.CalledProcessError: when the patch does not fit the core any more, or the search breaks.
    :raises subprocess.TimeoutExpired: when a broken core comes to no end, which finds nothing either.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(ROOT / CORE, copy / CORE, ignore=shutil.ignore_patterns("__pycache__"))
        patch = PATCHES / f"{bug}.patch"
        subprocess.run(["git", "apply", str(patch)], cwd=copy, check=True, capture_output=True, text=True)
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation.mutants.hunt", "--inside", str(copy), "--seeds", str(seeds)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(copy / "shared")},
            check=True,
            capture_output=True,
            text=True,
            timeout=GIVE_UP_S,
        )
    seed, _, what = done.stdout.strip().partition(" ")
    return Found(bug, int(seed), what) if seed else Found(bug, None, "not found")


def first_violation(copy: Path, seeds: int) -> str:
    """`<seed> <violation>` of the first seed that an invariant breaks in; '' = none does."""
    core = Path(next(iter(taskservice.domain.__path__))).resolve()
    if not core.is_relative_to(copy.resolve()):
        raise RuntimeError(f"the core that was imported is {core}, not the broken copy")
    for seed in range(seeds):
        for invariant, what in verdict_of(seed).broken:
            if invariant.startswith("I"):
                return f"{seed} {what}"
    return ""


def main(arguments: list[str]) -> int:
    """The command line; 0 = every bug was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants.hunt", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many histories at most (500)")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.inside is not None:
        say(first_violation(chosen.inside, chosen.seeds))
        return 0
    missed = 0
    for bug in bugs():
        found = hunt(bug, chosen.seeds)
        missed += found.seed is None
        say(f"{bug:30} {'-' if found.seed is None else f'seed {found.seed}':9} {found.what}")
    say(f"{len(bugs()) - missed} of {len(bugs())} planted bugs found within {chosen.seeds} seeds")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
