"""The marker chooses what runs, and the table tells of what ran: shown on a small tree of tests of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import pytest

@pytest.mark.fault("F7", invariants="I24 I25", slice=True)
def test_of_the_slice(): pass

@pytest.mark.fault("F30", invariants="I17")
@pytest.mark.fault("F5", invariants="I1 I2")
def test_of_two_faults(): pass

@pytest.mark.fault("F12")
def test_that_fails(): assert False

@pytest.mark.fault("F13")
def test_whose_fixture_fails(request): request.getfixturevalue("there is none")

@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.fault("F9", slice=True))])
def test_of_which_one_row_is_marked(number): pass

def test_without_mark(): pass
"""
WITH_PLUGIN = "from pathlib import Path\nimport tests.faults.marking as marking\nmarking.FOLDER = Path(__file__).resolve().parent\n"


def outcome(folder: Path, *arguments: str) -> str:
    """What pytest prints, run over a folder that takes the place of tests/faults."""
    (folder / "test_sample.py").write_text(TESTS)
    (folder / "conftest.py").write_text(WITH_PLUGIN)
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.faults.marking", *arguments]
    return subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    ).stdout


def table(output: str) -> list[list[str]]:
    """Fault, test, invariants and result of each row."""
    rows = [re.split(r"  +", line) for line in output.splitlines() if re.match(r"F\d+ ", line)]
    return [[row[0], row[1].rpartition("::")[2], *row[3:]] for row in rows]


def test_without_the_option_the_slice_runs_and_no_table_is_printed(tmp_path: Path) -> None:
    said = outcome(tmp_path)
    assert "4 passed, 3 deselected" in said
    assert table(said) == []


@pytest.mark.parametrize("processes", ["0", "2"])
def test_all_of_them_run_and_stand_in_the_table_in_the_order_of_the_faults(tmp_path: Path, processes: str) -> None:
    said = outcome(tmp_path, "--faults=all", "-n", processes)
    assert table(said) == [
        ["F5", "test_of_two_faults", "I1 I2", "held"],
        ["F7", "test_of_the_slice", "I24 I25", "held"],
        ["F9", "test_of_which_one_row_is_marked[2]", "held"],
        ["F12", "test_that_fails", "BROKEN"],
        ["F13", "test_whose_fixture_fails", "BROKEN"],
        ["F30", "test_of_two_faults", "I17", "held"],
    ]
    assert "4 of 6 faults held, in 6 rows of 5 tests" in said


def test_a_file_that_cannot_be_read_hides_no_row(tmp_path: Path) -> None:
    (tmp_path / "test_unreadable.py").write_text("import there_is_none")
    said = outcome(tmp_path, "--faults=slice", "--continue-on-collection-errors")
    assert [row[0] for row in table(said)] == ["F7", "F9"]
    assert "1 error" in said


def test_the_slice_alone_has_its_table(tmp_path: Path) -> None:
    assert [row[0] for row in table(outcome(tmp_path, "--faults=slice"))] == ["F7", "F9"]
