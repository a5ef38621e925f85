"""The table of crash points and the calls in the source are the same: a point that nobody passes is tested in vain."""

import ast
import os
import signal
import subprocess
import sys
import timeit
from collections import Counter
from pathlib import Path

import pytest
from tests.tidy.tree import NAMESPACE_ROOTS

from taskservice.telemetry.crash_points import CRASH_POINTS, arm_crash_points, crash_point
from taskservice.telemetry.service import EXIT_REFUSED

PASSES = """
import os
from taskservice.telemetry.crash_points import arm_crash_points, crash_point as p
arm_crash_points(os.environ)
"""


def calls(source: str) -> list[str]:
    """The names of the points that this source passes; what is no text is shown as it is written."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "crash_point":
            (argument,) = node.args
            found.append(str(argument.value) if isinstance(argument, ast.Constant) else ast.unparse(argument))
    return found


def all_calls() -> list[str]:
    return [
        name
        for root in NAMESPACE_ROOTS
        for path in root.rglob("*.py")
        for name in calls(path.read_text(encoding="utf-8"))
    ]


def test_the_table_names_every_point_and_no_other() -> None:
    assert sorted(set(all_calls())) == sorted(CRASH_POINTS)


def test_a_point_is_one_place() -> None:
    """But for the lock's renewal, which a candidate and a leader send."""
    often = {name for name, times in Counter(all_calls()).items() if times > 1}

    assert often == {"ticker.before_renew", "ticker.after_renew"}


def test_the_search_for_calls_finds_one_that_is_not_spelled_out() -> None:
    assert calls("async def f():\n    crash_point('a.b')\n    x.crash_point(name)\n") == ["a.b", "name"]


def run(program: str, **env: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CRASH_", "TASKSERVICE_"))}
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**inherited, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_it_dies_at_the_nth_pass_and_not_before() -> None:
    program = "for n in range(5):\n    p('ticker.before_append'); p('ticker.after_append'); print(n, flush=True)"

    died = run(PASSES + program, TASKSERVICE_TEST_BUILD="1", CRASH_AT="ticker.after_append:3")

    assert died.returncode == -signal.SIGKILL
    assert died.stdout.split() == ["0", "1"]


def test_it_dies_at_the_first_pass_if_no_number_is_given() -> None:
    assert run(PASSES + "p('api.after_submit')", TASKSERVICE_TEST_BUILD="1", CRASH_AT="api.after_submit").returncode < 0


@pytest.mark.parametrize("build", ["", "0", "true"])
def test_nothing_happens_outside_a_test_build(build: str, tmp_path: Path) -> None:
    record = tmp_path / "passed"

    lived = run(
        PASSES + "p('api.after_submit')",
        TASKSERVICE_TEST_BUILD=build,
        CRASH_AT="api.after_submit:1",
        CRASH_RECORD=str(record),
    )

    assert lived.returncode == 0
    assert not record.exists()


def test_what_is_passed_is_recorded_once(tmp_path: Path) -> None:
    record = tmp_path / "passed"
    record.write_text("ticker.after_load\n")
    program = "for n in range(3):\n    p('api.before_submit'); p('api.after_submit')"

    assert run(PASSES + program, TASKSERVICE_TEST_BUILD="1", CRASH_RECORD=str(record)).returncode == 0
    assert record.read_text().split() == ["ticker.after_load", "api.before_submit", "api.after_submit"]


@pytest.mark.parametrize("wrong", ["ticker.after_apend:1", "ticker.after_append:0", "ticker.after_append:soon"])
def test_a_service_with_a_wrong_name_does_not_start_and_says_what_there_is(wrong: str) -> None:
    program = (
        "from taskservice.telemetry import run_service\n"
        "async def main(stop): print('started')\n"
        "raise SystemExit(run_service(main, service='ticker', as_json=True))"
    )

    refused = run(program, TASKSERVICE_TEST_BUILD="1", CRASH_AT=wrong)

    assert refused.returncode == EXIT_REFUSED
    assert "started" not in refused.stdout
    assert "ticker.after_append" in refused.stderr


def test_a_pass_costs_less_than_a_tenth_of_a_microsecond() -> None:
    arm_crash_points({})
    passes = 20_000

    best = min(timeit.repeat(lambda: crash_point("ticker.before_append"), number=passes, repeat=20)) / passes
    of_a_call = min(timeit.repeat(lambda: None, number=passes, repeat=20)) / passes

    assert best - of_a_call < 100e-9
