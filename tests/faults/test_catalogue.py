"""docs/faults.md tells of every fault, and names exactly the tests that are marked with it."""

from collections import Counter

from tests.faults.catalogue import FAULTS, NONE, PAGE, all_marks, invariants_of, marks_of, rows_of, told, written_anew

MUST_BE_TESTS = {"F14", "F15", "F16", "F17", "F18", "F30", "F36", "F37", "F40", "F41"}
REFUSED_AT_START = {"F20"}
"""Nothing has run that an invariant could judge."""
MOST_WITHOUT_TEST = 5
INVARIANTS = {f"I{number}" for number in range(1, 27)}


def test_every_fault_has_one_row() -> None:
    assert [row.fault for row in rows_of(PAGE.read_text())] == list(FAULTS)


def test_every_fault_has_a_test_or_says_why_it_cannot_occur() -> None:
    rows = rows_of(PAGE.read_text())
    marked = {mark.fault for mark in all_marks()}
    without = [row.fault for row in rows if row.fault not in marked]

    assert [row.fault for row in rows if row.fault not in marked and not row.cannot_occur] == []
    assert [row.fault for row in rows if row.fault in marked and row.cannot_occur] == []
    assert len(without) <= MOST_WITHOUT_TEST
    assert marked >= MUST_BE_TESTS


def test_the_page_names_the_tests_that_are_marked() -> None:
    """If not: `python -m tests.faults.catalogue`."""
    page = PAGE.read_text()
    assert page == written_anew(page, all_marks())


def test_marks_name_faults_and_invariants_that_there_are() -> None:
    unknown = [mark for mark in all_marks() if mark.fault not in FAULTS or not set(mark.invariants) <= INVARIANTS]
    silent = [mark.name for mark in all_marks() if not mark.invariants and mark.fault not in REFUSED_AT_START]
    assert unknown == []
    assert silent == []


def test_marks_are_found_wherever_they_stand() -> None:
    source = """
import pytest
BOTH: Final = "I1 I2"
pytestmark = [pytest.mark.timeout(60), pytest.mark.fault("F1", invariants=BOTH)]

@pytest.mark.fault("F2", invariants="I2 I3", slice=True)
@pytest.mark.fault("F3")
def test_one(): ...

class TestMany:
    @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.fault("F4", invariants="I4")), 2])
    async def test_two(self, x): ...
"""
    found = list(marks_of(source, "tests/x.py"))
    assert Counter((mark.fault, mark.test) for mark in found) == Counter(
        [("F2", "test_one"), ("F3", "test_one"), ("F1", "test_one"), ("F4", "test_two"), ("F1", "test_two")]
    )
    assert {mark.invariants for mark in found if mark.fault == "F1"} == {("I1", "I2")}
    (two,) = [mark for mark in found if mark.fault == "F2"]
    assert (two.name, two.invariants, two.in_slice) == ("tests/x.py::test_one", ("I2", "I3"), True)


def test_invariants_are_told_in_spans() -> None:
    assert invariants_of("I1 I7-I9") == ("I1", "I7", "I8", "I9")
    assert told(["I9", "I1", "I8", "I7", "I2", "I26"]) == "I1 I2 I7–I9 I26"


def test_the_page_is_written_by_its_marks() -> None:
    page = "head\n| F7 | cut off | waits | old | `gone` |\n| F9 | x | Cannot occur here: y | – | – |\n"
    marks = list(marks_of('@pytest.mark.fault("F7", invariants="I25 I3")\ndef test_it(): ...', "tests/a.py"))
    assert written_anew(page, marks) == (
        "head\n| F7 | cut off | waits | I3 I25 | `tests/a.py::test_it` |\n"
        f"| F9 | x | Cannot occur here: y | {NONE} | {NONE} |\n"
    )
