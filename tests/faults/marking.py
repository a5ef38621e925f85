"""The marker `fault`, the option `--faults`, and the table of faults at the end of a run.

Used on any test in any folder: `@pytest.mark.fault("F5", invariants="I1 I2", slice=True)`; a test that shows several
faults has several marks.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

MARKER: Final = (
    'fault(id, invariants="", slice=False): shows what holds under that fault of the catalogue (docs/faults.md); '
    "slice: belongs to what every run does, else only `--faults=all` runs it if it lies below tests/faults"
)
PROPERTY: Final = "fault"
FOLDER: Final = Path(__file__).resolve().parent
HEADER: Final = ("fault", "test", "seconds", "invariants", "result")
RESULTS: Final = {"passed": "held", "failed": "BROKEN", "error": "ERROR", "skipped": "skipped"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    fault: str
    test: str
    seconds: float
    invariants: str
    result: str

    @property
    def order(self) -> tuple[int, str]:
        """By the fault's number, then by test."""
        return int(self.fault.removeprefix("F")), self.test


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--faults`."""
    parser.addoption(
        "--faults",
        choices=("all", "slice"),
        default=None,
        help="which tests of tests/faults to run: the fixed slice (also when left out), or all; prints the table of faults",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line("markers", MARKER)
    if config.getoption("--faults") is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Progress(config), "faults-progress")


class Progress:
    """Tells of each test that shows a fault when it has ended: a line instead of a dot."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._started_at = time.monotonic()

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """No letter for what has a line."""
        if report.outcome == "passed" and report.when == "call" and _faults_of(report):
            return "passed", "", ""
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A line once the test has ended."""
        faults = _faults_of(report)
        if not faults or (report.when != "call" and report.outcome == "passed"):
            return
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None:
            return
        minutes, seconds = divmod(int(time.monotonic() - self._started_at), 60)
        terminal.ensure_newline()
        terminal.write_line(
            f"{minutes:3d}:{seconds:02d}  {RESULTS[report.outcome]:7}  {report.duration:6.1f} s  "
            f"{' '.join(faults):8}  {_short(report.nodeid)}"
        )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is not asked for, and writes each mark where the report of the test carries it along."""
    everything = config.getoption("--faults") == "all"
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        marks = list(item.iter_markers("fault"))
        outside_slice = bool(marks) and not any(mark.kwargs.get("slice") for mark in marks)
        below = Path(item.path).is_relative_to(FOLDER)
        (left_out if outside_slice and below and not everything else kept).append(item)
        for mark in marks:
            item.user_properties.append((PROPERTY, f"{mark.args[0]}|{mark.kwargs.get('invariants', '')}"))
    items[:] = kept
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table, if `--faults` was given."""
    if config.getoption("--faults") is None:
        return
    rows = sorted(_rows(terminalreporter), key=lambda row: row.order)
    if not rows:
        return
    terminalreporter.section("faults")
    cells = [HEADER, *((row.fault, row.test, f"{row.seconds:.1f}", row.invariants, row.result) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADER))]
    for line in cells:
        terminalreporter.write_line(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
    held = {row.fault for row in rows} - {row.fault for row in rows if row.result != RESULTS["passed"]}
    terminalreporter.write_line(
        f"{len(held)} of {len({row.fault for row in rows})} faults held, in {len(rows)} rows of {_tests(rows)} tests"
    )


def _faults_of(report: pytest.TestReport) -> list[str]:
    return [str(value).partition("|")[0] for name, value in report.user_properties if name == PROPERTY]


def _short(nodeid: str) -> str:
    return nodeid.removeprefix("tests/")


def _tests(rows: Iterable[Row]) -> int:
    return len({row.test for row in rows})


def _rows(terminalreporter: pytest.TerminalReporter) -> list[Row]:
    rows = []
    for outcome, shown in RESULTS.items():
        for report in terminalreporter.stats.get(outcome, []):
            if not isinstance(report, pytest.TestReport):
                continue  # of a file that can't be read: pytest tells of it
            if outcome == "passed" and report.when != "call":
                continue
            for name, value in report.user_properties:
                if name == PROPERTY:
                    fault, _, invariants = str(value).partition("|")
                    rows.append(Row(fault, _short(report.nodeid), report.duration, invariants, shown))
    return rows
