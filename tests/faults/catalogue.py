"""docs/faults.md against the marks of the tests: which test shows which fault.

The first three columns of the page's table are written by hand; the last two follow from the marks. Write them anew
with `python -m tests.faults.catalogue`.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "faults.md"
TESTS: Final = ROOT / "tests"
FAULTS: Final = tuple(f"F{number}" for number in range(1, 58))
CANNOT_OCCUR: Final = "Cannot occur here:"
"""How the third column begins where there is no test."""
NONE: Final = "–"
BREAK: Final = "<br>"
MARKED: Final = "pytest.mark.fault"
ROW: Final = re.compile(r"\| (?P<fault>F\d+) \|(?P<cells>.*)\|")


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """One test's mark."""

    fault: str
    path: str
    test: str
    invariants: tuple[str, ...]
    in_slice: bool

    @property
    def name(self) -> str:
        """As pytest takes it, from the root."""
        return f"{self.path}::{self.test}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the page."""

    fault: str
    what: str
    holds: str
    invariants: str
    tests: str

    @property
    def cannot_occur(self) -> bool:
        """Whether it says why there is no test."""
        return self.holds.startswith(CANNOT_OCCUR)

    @property
    def text(self) -> str:
        """As it stands in the page."""
        return f"| {self.fault} | {self.what} | {self.holds} | {self.invariants} | {self.tests} |"


def marks_of(source: str, path: str) -> Iterator[Mark]:
    """The marks of a file: on its tests, on their rows, and those that `pytestmark` puts on all of them."""
    tree = ast.parse(source)
    tests = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    constants = _constants(tree)
    everywhere = [
        call
        for node in tree.body
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == "pytestmark" for target in node.targets)
        for call in _calls(node.value)
    ]
    for test in tests:
        own = [call for decorator in test.decorator_list for call in _calls(decorator)]
        for call in (*own, *everywhere):
            yield _mark(call, constants, path, test.name)


def all_marks(folder: Path = TESTS) -> list[Mark]:
    """Every mark of every test, each once, by fault, file and test."""
    found = {
        mark
        for path in folder.rglob("test_*.py")
        if MARKED in (source := path.read_text(encoding="utf-8"))
        for mark in marks_of(source, str(path.relative_to(ROOT)))
    }
    return sorted(found, key=lambda mark: (int(mark.fault.removeprefix("F")), mark.path, mark.test))


def invariants_of(words: str) -> tuple[str, ...]:
    """`I1 I7-I9` as I1, I7, I8, I9."""
    found = []
    for word in words.split():
        first, _, last = word.replace("I", "").replace("–", "-").partition("-")
        found += [f"I{number}" for number in range(int(first), int(last or first) + 1)]
    return tuple(found)


def told(invariants: Iterable[str]) -> str:
    """The other way round: three and more in a row as a span."""
    numbers = sorted({int(name.removeprefix("I")) for name in invariants})
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    words = []
    for span in spans:
        words += [f"I{span[0]}–I{span[-1]}"] if len(span) > 2 else [f"I{number}" for number in span]
    return " ".join(words)


def rows_of(page: str) -> list[Row]:
    """The rows of the page's table."""
    found = []
    for line in page.splitlines():
        match = ROW.fullmatch(line)
        if match:
            cells = [cell.strip() for cell in match["cells"].split("|")]
            found.append(Row(match["fault"], *cells))
    return found


def written_anew(page: str, marks: Sequence[Mark]) -> str:
    """The page with the columns that follow from the marks."""
    by_fault: dict[str, list[Mark]] = {}
    for mark in marks:
        by_fault.setdefault(mark.fault, []).append(mark)
    lines = page.splitlines()
    for index, line in enumerate(lines):
        if ROW.fullmatch(line):
            (row,) = rows_of(line)
            lines[index] = _row(row, by_fault).text
    return "\n".join(lines) + "\n"


def _row(row: Row, by_fault: Mapping[str, Sequence[Mark]]) -> Row:
    marks = by_fault.get(row.fault, ())
    invariants = {name for mark in marks for name in mark.invariants}
    tests = dict.fromkeys(f"`{mark.name}`" for mark in marks)
    return Row(row.fault, row.what, row.holds, told(invariants) or NONE, BREAK.join(tests) or NONE)


def _calls(node: ast.AST) -> list[ast.Call]:
    return [
        inner
        for inner in ast.walk(node)
        if isinstance(inner, ast.Call) and ast.unparse(inner.func) == MARKED and inner.args
    ]


def _constants(tree: ast.Module) -> dict[str, str]:
    """Texts that have a name in this file."""
    found: dict[str, str] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                found[name] = text
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                found[name] = text
            case _:
                pass
    return found


def _mark(call: ast.Call, constants: Mapping[str, str], path: str, test: str) -> Mark:
    words = {
        keyword.arg: constants[keyword.value.id]
        if isinstance(keyword.value, ast.Name)
        else ast.literal_eval(keyword.value)
        for keyword in call.keywords
    }
    fault = str(ast.literal_eval(call.args[0]))
    return Mark(fault, path, test, invariants_of(str(words.get("invariants", ""))), bool(words.get("slice", False)))


if __name__ == "__main__":
    PAGE.write_text(written_anew(PAGE.read_text(encoding="utf-8"), all_marks()), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: {len(all_marks())} marks\n")
