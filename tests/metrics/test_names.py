"""The check of names can fail, and the reference page itself passes it."""

import re

import pytest
from tests.metrics.shown import FIRST_DESIGN, PAGE, documented, faults
from tests.tidy.tree import ROOT

USED = re.compile(r"\b((?:taskservice|task|scheduler|process|python_gc)_\w+)(?:\{([^}]*)\})?")
"""A metric in a query, with its matchers."""


@pytest.mark.parametrize(
    ("name", "kind", "labels", "fault"),
    [
        ("taskservice_runs", "counter", (), "_total"),
        ("taskservice_runs_total", "gauge", (), "_total"),
        ("taskservice_run_ms", "histogram", (), "unit"),
        ("taskservice_seconds_of_runs", "histogram", (), "at the end"),
        ("taskservice_run_count", "gauge", (), "suffix"),
        ("taskservice_run_gauge", "gauge", (), "type"),
        ("taskservice__runs_total", "counter", (), "underscores"),
        ("taskserviceRuns_total", "counter", (), "underscores"),
        ("taskservice_runs_total", "counter", ("tenant",), "tenant"),
        ("taskservice_runs_total", "counter", ("instance",), "instance"),
    ],
)
def test_a_bad_name_is_found(name: str, kind: str, labels: tuple[str, ...], fault: str) -> None:
    assert any(fault in said for said in faults(name, kind, "Text.", labels))


def test_a_good_name_is_not() -> None:
    assert faults("taskservice_run_duration_seconds", "histogram", "Text.", ("partition",)) == []
    assert faults("process_cpu_seconds_total", "counter", "Text.", ()) == []
    assert faults("taskservice_runs_total", "counter", " ", ()) == ["no help text"]


def test_every_documented_name_is_good_and_stands_once() -> None:
    rows = documented()
    bad = {row.name: found for row in rows if (found := faults(row.name, row.kind, row.text, row.labels))}

    assert bad == {}
    assert len({row.name for row in rows}) == len(rows)
    assert {row.name for row in rows} >= FIRST_DESIGN


def test_the_unit_of_a_row_is_that_of_its_name() -> None:
    wrong = []
    for row in documented():
        last = row.name.removesuffix("_total").rpartition("_")[2]
        expected = last if last in {"seconds", "bytes"} else ""
        if row.name in FIRST_DESIGN:  # they were named before there was a rule
            expected = "seconds" if row.name == "task_execution_duration_avg" else ""
        if row.unit != expected:
            wrong.append((row.name, row.unit))

    assert wrong == []


def queries() -> list[str]:
    """The queries and alerts of the pages for operators."""
    found: list[str] = []
    for page in (PAGE, ROOT / "docs" / "how-to" / "operate.md"):
        text = page.read_text(encoding="utf-8")
        found += re.findall(r"```promql\n(.*?)```", text, re.DOTALL)
    alerts = PAGE.read_text(encoding="utf-8").partition("| condition |")[2]
    return found + re.findall(r"^\| `([^`]+)` \|", alerts, re.MULTILINE)


def test_what_the_queries_name_exists() -> None:
    rows = {row.name: row for row in documented()}
    unknown: list[str] = []
    used = 0
    for query in queries():
        for name, matchers in USED.findall("\n".join(line for line in query.splitlines() if not line.startswith("#"))):
            used += 1
            row = rows.get(name) or rows.get(re.sub(r"_(bucket|sum|count)$", "", name))
            labels = set(re.findall(r"(\w+)\s*[=!]", matchers))
            if row is None or (name.endswith("_bucket") and row.kind != "histogram") or labels - row.labels:
                unknown.append(f"{name}{{{matchers}}}")

    assert unknown == []
    assert used >= 20


def test_a_query_of_something_unknown_is_found() -> None:
    assert USED.findall('rate(taskservice_x_total{reason="A", b!="c"}[5m])') == [
        ("taskservice_x_total", 'reason="A", b!="c"')
    ]
