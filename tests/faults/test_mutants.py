"""The hunt for planted bugs: the cheap ones are found on every run, and what does not count as found does not count."""

import ast
import subprocess
from pathlib import Path

import pytest
from tests.faults.mutants.hunt import MUTANTS, PATCHES, Found, Mutant, hunt, named
from tests.tidy.tree import ROOT

from taskservice.testing.checkers import CHECKS

CHEAP = [mutant for mutant in MUTANTS if mutant.name in {"NO_DEDUPE", "NOW_IN_FOLD"}]
MUTANT = Mutant("NO_FENCE", "tests/x.py::test_x", "I9", "for these tests")

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("mutant", CHEAP, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_found_by_the_invariant_that_it_breaks(mutant: Mutant) -> None:
    found = hunt(mutant)

    assert found.as_expected, found


def test_every_patch_is_hunted_and_every_mutant_has_a_patch() -> None:
    assert sorted(mutant.name for mutant in MUTANTS) == sorted(patch.stem for patch in PATCHES.glob("*.patch"))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_its_patch_fits_its_invariant_and_its_test_are_there(mutant: Mutant) -> None:
    patch = PATCHES / f"{mutant.name}.patch"
    fits = subprocess.run(
        ["git", "apply", "--check", str(patch)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    path, _, test = mutant.test.partition("::")
    tests = {node.name for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
             if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}  # fmt: skip

    assert fits.returncode == 0, fits.stderr
    assert mutant.invariant in CHECKS
    assert test in tests


def test_a_failure_that_names_the_invariant_is_a_find() -> None:
    told = "    assert not violations\nE   AssertionError: I8 at position 3: late\nE   I9 at position 4: twice\n"

    assert named(MUTANT, "AssertionError: I8 …", told) == Found(MUTANT, "I9", "at position 4: twice")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("AssertionError: waited 60 s for: it fires", "E   AssertionError: waited 60 s for: it fires"),
        ("RuntimeError: I9 at position 4: twice", "E   RuntimeError: I9 at position 4: twice"),
        ("AssertionError: I8 at position 3: late", "E   AssertionError: I8 at position 3: late"),
        ("Failed: Timeout >300.0s", "E   Failed: Timeout >300.0s"),
    ],
)
def test_any_other_failure_is_none(message: str, told: str) -> None:
    assert not named(MUTANT, message, told).as_expected


def test_no_patch_touches_a_test() -> None:
    touched = {
        line.split()[-1].partition("/")[2]
        for patch in PATCHES.glob("*.patch")
        for line in patch.read_text(encoding="utf-8").splitlines()
        if line.startswith("+++ ")
    }

    assert {Path(path).parts[0] for path in touched} <= {"shared", "services"}
    assert not any("testing" in Path(path).parts for path in touched)
