"""The reference page is the document."""

import re

from tests.tidy.tree import ROOT

from taskservice.api.open.contract.document import OPERATIONS
from taskservice.api.open.reference import reference

PAGE = ROOT / "docs" / "reference" / "http.md"


def test_the_page_is_up_to_date() -> None:
    how = "run: .venv/bin/python -m taskservice.api.open.reference > docs/reference/http.md"

    assert PAGE.read_text(encoding="utf-8") == reference(), how


def test_every_operation_has_a_section_and_every_anchor_leads_to_one() -> None:
    text = reference()
    sections = {title.lower() for title in re.findall(r"^#{2,3} (\S+)$", text, re.MULTILINE)}

    assert {one.lower() for one in OPERATIONS} <= sections
    assert set(re.findall(r"\(#([^)]+)\)", text)) <= sections


def test_rows_of_a_table_have_as_many_cells_as_its_heading() -> None:
    columns = 0
    for line in reference().splitlines():
        if not line.startswith("|"):
            columns = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        columns = columns or cells
        assert cells == columns, line
