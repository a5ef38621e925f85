"""docs/security.md says of each control which test proves it, or what will bring it: nothing is claimed without."""

import ast
import re

import pytest
from tests.tidy.tree import ROOT

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "security.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| control")
]
NAMED = sorted(set(re.findall(r"`(tests/[^`:]+)(?:::(\w+))?`", "\n".join(" ".join(row) for row in ROWS))))
NOT_BUILT = re.compile(r"\b(comes?|not built)\b")


def test_the_page_was_read() -> None:
    assert len(ROWS) > 40
    assert len(NAMED) > 50


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].replace(" ", "-"))
def test_each_control_has_its_proof_or_says_what_brings_it(row: list[str]) -> None:
    assert len(row) == 3
    assert "`tests/" in row[2] or row[2] == "the same" or NOT_BUILT.search(row[2]), row


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_what_is_named_as_proof_exists(path: str, name: str) -> None:
    file = ROOT / path
    assert file.exists()
    if name:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}, (
            f"{path} has no {name}"
        )
