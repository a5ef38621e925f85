"""The documentation as its tests see it: pages, and the fenced blocks on them.

The info string of a block says what becomes of it:

| info string | what the tests do |
|---|---|
| `sh` | run, in the order of the page, in one shell |
| `sh background` | started as in a terminal of its own, ended with the page |
| `console` | each `$ command` is run, what stands below it is compared with what it printed |
| `python` | compiled, linted and imported; written to the path that its first line names, if it does |
| `python fragment` | compiled: a part of something |
| `json` | parsed |
| `json definition` | posted to the service |
| `yaml settings` | read as a settings file |
| `yaml` | parsed |
| `promql`, `text` | shown only: no command of ours may stand there |
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.tidy.tree import ROOT, files

KINDS = frozenset(
    {
        "sh", "sh background", "console", "python", "python fragment",
        "json", "json definition", "yaml", "yaml settings", "promql", "text",
    }
)  # fmt: skip
FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}|~{3,})(?P<info>.*)$")
FILE_NAME = re.compile(r"^# (?P<path>[\w./-]+\.py)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, what its info string says, and its lines without their common indent."""

    page: str
    line: int
    kind: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def first_line(self) -> str:
        return self.text.splitlines()[0] if self.text else ""

    @property
    def first_command(self) -> str:
        """The first line without its comment: what the list of commands that are not run knows a block by."""
        return self.first_line.partition(" #")[0].strip()

    @property
    def file_name(self) -> str | None:
        """The file that a Python block says it is, in its first line."""
        found = FILE_NAME.match(self.first_line)
        return found["path"] if found and self.kind.startswith("python") else None


def is_page(path: Path) -> bool:
    """README, CONTRIBUTING and whatever lies under docs/."""
    name = path.relative_to(ROOT)
    return path.suffix == ".md" and (name.parts[0] == "docs" or len(name.parts) == 1 or name.parts[0] == "bench")


@cache
def pages() -> tuple[str, ...]:
    """Every page of the documentation, by its path in the repository."""
    return tuple(sorted(str(path.relative_to(ROOT)) for path in files() if is_page(path)))


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """The fenced blocks of a page, in order."""
    return tuple(_blocks(page, (ROOT / page).read_text(encoding="utf-8").splitlines()))


def all_blocks() -> list[Block]:
    return [block for page in pages() for block in blocks(page)]


def _blocks(page: str, lines: list[str]) -> Iterator[Block]:
    opened: re.Match[str] | None = None
    began, inside = 0, list[str]()
    for number, line in enumerate(lines, start=1):
        fence = FENCE.match(line)
        if opened is None:
            if fence:
                opened, began, inside = fence, number, []
        elif fence and fence["marks"].startswith(opened["marks"]) and not fence["info"].strip():
            yield Block(page, began, opened["info"].strip(), "\n".join(inside))
            opened = None
        else:
            inside.append(line.removeprefix(opened["indent"]))
    assert opened is None, f"{page}:{began}: this block is never closed"
