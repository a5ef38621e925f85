"""The reference pages that are written by hand name what the code has, and nothing else."""

import re
from typing import get_args

from tests.tidy.tree import ROOT

from taskservice.api.wire.problems import PROBLEMS
from taskservice.domain.events import AnyEvent

ROW = re.compile(r"^\| (.*?) \|", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")


def first_column(page: str) -> set[str]:
    """The names in code type that stand in the first column of a page's tables."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return {name for cell in ROW.findall(text) for name in CODE.findall(cell)}


def test_every_event_has_a_row_and_every_row_an_event() -> None:
    attributes = {name for name in first_column("docs/reference/events.md") if name[0].islower()}

    assert first_column("docs/reference/events.md") - attributes == {event.__name__ for event in get_args(AnyEvent)}


def test_every_problem_has_a_row_with_its_status() -> None:
    text = (ROOT / "docs/reference/problems.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", text, re.MULTILINE))

    assert rows == {code: str(kind.status) for code, kind in PROBLEMS.items()}
