"""Plant each bug into a copy of the product and run the test that must find it: `make mutants`.

A bug is found when the test's failure names the invariant that the bug breaks, and nothing else counts: no crash, no
timeout, no test that could not begin. A bug that passes unseen says that the checkers see nothing.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.tidy.tree import ROOT

PATCHES: Final = Path(__file__).parent
PORTIONS: Final = ("shared", "services/api", "services/ticker", "services/worker", "services/projector")
GIVE_UP_S: Final = 240
WITNESS_VARIABLE: Final = "MUTANT_WITNESSES"
WITNESS: Final = f"""

import os as _os
from pathlib import Path as _Path
_Path(_os.environ["{WITNESS_VARIABLE}"], str(_os.getpid())).touch()
"""
"""Planted beside the bug: each process that imports the package `telemetry` from the copy leaves a file."""
VIOLATION: Final = re.compile(r"^E\s+(?:AssertionError: )?(I\d+) at position (\d+): (.*)$", re.MULTILINE)
PROMISES: Final = "tests/faults/test_promises.py"
POINTS: Final = "tests/faults/test_killed_at_a_step.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A planted bug: the patch of that name, the test that must find it, and by which invariant.

    :ivar in_processes: the test starts the services as processes, which must have the bug as well.
    """

    name: str
    test: str
    invariant: str
    what: str
    in_processes: bool = False


MUTANTS: Final = (
    Mutant(
        "NO_FENCE",
        f"{PROMISES}::test_what_a_leader_sent_arrives_too_late_and_is_refused",
        "I9",
        "append writes whatever comes, under the ids that follow",
    ),
    Mutant(
        "NO_DEDUPE",
        f"{PROMISES}::test_a_command_that_is_sent_again_under_its_key_is_taken_once",
        "I5",
        "submit remembers no key",
    ),
    Mutant(
        "MAXLEN_TRIM",
        f"{PROMISES}::test_a_projector_that_comes_late_finds_the_whole_log_and_makes_of_it_what_anybody_makes",
        "I20",
        "the log keeps its last entries, whoever has read them",
    ),
    Mutant(
        "SWALLOW_1205",
        f"{PROMISES}::test_a_lock_wait_that_timed_out_leaves_no_row_behind_the_checkpoint",
        "I17",
        "the projector goes on after a lock wait that timed out",
    ),
    Mutant(
        "ACK_BEFORE_RESULT",
        f"{POINTS}::test_a_worker_dies_with_a_result_that_nobody_knows",
        "I11",
        "the worker takes the entry out of its stream before it reports the result",
        in_processes=True,
    ),
    Mutant(
        "NOW_IN_FOLD",
        f"{PROMISES}::test_a_projector_that_comes_late_finds_the_whole_log_and_makes_of_it_what_anybody_makes",
        "I19",
        "evolve asks the clock",
    ),
    Mutant(
        "BLIND_RETRY",
        f"{PROMISES}::test_a_batch_that_is_sent_again_after_a_lost_answer_is_in_the_log_once",
        "I9",
        "a batch that is sent again is added again",
    ),
    Mutant(
        "SILENT_WATCHDOG",
        f"{PROMISES}::test_what_waited_while_nobody_led_is_said_by_who_leads_next",
        "I26",
        "the watchdog sees what stands still and writes nothing down",
    ),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What the hunted test said. `invariant` is '' when it named none; `why` then tells what happened instead."""

    mutant: Mutant
    invariant: str
    what: str

    @property
    def as_expected(self) -> bool:
        """Whether the invariant that the bug breaks is named."""
        return self.invariant == self.mutant.invariant


def hunt(mutant: Mutant) -> Found:
    """Plant the bug, run the test.

    :raises subprocess.CalledProcessError: the patch does not fit the product any more.
    :raises RuntimeError: the test did not run on the copy.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for portion in ("shared", "services"):
            shutil.copytree(ROOT / portion, copy / portion, ignore=shutil.ignore_patterns("__pycache__"))
        patch = PATCHES / f"{mutant.name}.patch"
        subprocess.run(["git", "apply", str(patch)], cwd=copy, check=True, capture_output=True, text=True)
        return _found(mutant, copy)


def pass_without_bugs(mutants: Sequence[Mutant]) -> bool:
    """Whether the hunted tests pass on the product as it is; what they say goes to the terminal if they do not."""
    tests = dict.fromkeys(mutant.test for mutant in mutants)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--faults=all", *tests],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        say(done.stdout)
    return done.returncode == 0


def _found(mutant: Mutant, copy: Path) -> Found:
    telemetry = copy / "shared" / "taskservice" / "telemetry" / "__init__.py"
    telemetry.write_text(telemetry.read_text(encoding="utf-8") + WITNESS, encoding="utf-8")
    witnesses, report = copy / "witnesses", copy / "report.xml"
    witnesses.mkdir()
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(copy / portion) for portion in PORTIONS),
        "PYTHONDONTWRITEBYTECODE": "1",
        WITNESS_VARIABLE: str(witnesses),
    }
    command = [sys.executable, "-m", "pytest", "-q", "--faults=all", f"--junitxml={report}", mutant.test]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=GIVE_UP_S)
        except subprocess.TimeoutExpired:
            process.terminate()
            return Found(mutant, "", f"no answer within {GIVE_UP_S} s")
        _see_that_the_copy_ran(mutant, witnesses, process.pid, said)
    return _judged(mutant, report, said)


def _see_that_the_copy_ran(mutant: Mutant, witnesses: Path, pytest_pid: int, said: str) -> None:
    """:raises RuntimeError: another product than the copy was tested."""
    seen = {int(path.name) for path in witnesses.iterdir()}
    others = seen - {pytest_pid}
    if (mutant.in_processes and not others) or (not mutant.in_processes and pytest_pid not in seen):
        raise RuntimeError(f"{mutant.test} did not run on the copy with the bug:\n{said}")


def _judged(mutant: Mutant, report: Path, said: str) -> Found:
    """What the report says of the one test: that it passed, what it named, or that it broke in another way."""
    if not report.exists():
        return Found(mutant, "", f"the test did not run: {last_line(said)}")
    cases = list(ET.parse(report).iter("testcase"))
    failures = [failure for case in cases for failure in case.iter("failure")]
    if len(cases) != 1 or any(case.find("error") is not None for case in cases):
        return Found(mutant, "", f"the test broke: {last_line(said)}")
    if not failures:
        return Found(mutant, "", "not found: the test passes")
    return named(mutant, failures[0].get("message", ""), failures[0].text or "")


def named(mutant: Mutant, message: str, told: str) -> Found:
    """Of what a failure tells the violation of the expected invariant, or else the first; none = it broke otherwise."""
    violations = [match.groups() for match in VIOLATION.finditer(told)]
    if not message.startswith("AssertionError") or not violations:
        return Found(mutant, "", f"the test failed otherwise: {message.splitlines()[0][:200]}")
    expected = [violation for violation in violations if violation[0] == mutant.invariant]
    invariant, position, what = (expected or violations)[0]
    return Found(mutant, invariant, f"at position {position}: {what}")


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def say(line: str) -> None:
    """To the terminal, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """The command line; 0 = every bug was found, by the invariant that it breaks."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutants.hunt", description=__doc__)
    parser.add_argument("names", nargs="*", help="which ones; all if none is named")
    chosen = [mutant for mutant in MUTANTS if mutant.name in parser.parse_args(arguments).names] or list(MUTANTS)
    if not pass_without_bugs(chosen):
        say("the tests fail without any planted bug: nothing is hunted")
        return 1
    missed = 0
    for mutant in chosen:
        found = hunt(mutant)
        missed += not found.as_expected
        test = mutant.test.rpartition("::")[2]
        say(f"{mutant.name:17} | {test} | {found.invariant or 'MISSED'} | {found.what}")
    say(f"{len(chosen) - missed} of {len(chosen)} planted bugs found by the invariant that they break")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
