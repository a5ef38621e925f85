"""How commands print: for a program (`--json`), for a pipe, for a person at a terminal.

With `--json` a command writes one JSON object on a line for each thing that it tells, on stdout, with the members of
the HTTP API; a list is as many lines, nothing at all when it is empty. In a pipe a list is a line of headings and
aligned columns that are never cut. On a terminal there are colours (unless NO_COLOR is set), distances instead of
instants, and lines as wide as it is. What only people need (progress, questions, remarks) goes to stderr.
"""

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TextIO, TypeAlias, TypeVar

import msgspec

from taskservice.cli.cells import ABSENT, SHOWN_OF_IDS, STYLES, Cell, Id, Moment, Status, plain, relative

T = TypeVar("T")
GAP: Final = 2
NARROWEST: Final = 6
Mode: TypeAlias = Literal["json", "plain", "rich"]


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column of a list.

    :ivar cell: what it shows of an item.
    :ivar gives_way: cut first where a terminal is too narrow; in pipes nothing is.
    """

    heading: str
    cell: Callable[[T], Cell]
    gives_way: bool = False


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at it, on something that can more than lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Output:
    """Where a command prints.

    :param now_ms: the present, for distances.
    """

    def __init__(self, *, as_json: bool, now_ms: int) -> None:
        self.now_ms = now_ms
        self.mode: Mode = "json" if as_json else "rich" if is_terminal(sys.stdout) else "plain"

    def json(self, value: Any) -> None:
        """One JSON object on a line."""
        self.line(msgspec.json.encode(value).decode())

    def line(self, text: str = "") -> None:
        """A line on stdout, at once: somebody may wait for it."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def remark(self, text: str) -> None:
        """A line for people, on stderr."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    async def list(self, items: AsyncIterator[T], columns: Sequence[Column[T]], *, of: str) -> int:
        """Items as lines, as JSON objects while they come. Returns how many there were.

        :param of: what they are, for the remark that there are none.
        """
        if self.mode == "json":
            count = 0
            async for item in items:
                self.json(raw(item))
                count += 1
            return count
        found = [item async for item in items]
        if not found:
            self.remark(f"no {of}")
        elif self.mode == "plain":
            self._columns(columns, found)
        else:
            self._table(columns, found)
        return len(found)

    def details(self, item: Any, rows: Iterable[tuple[str, Cell]]) -> None:
        """One thing, a member a line; as JSON the thing itself."""
        if self.mode == "json":
            self.json(raw(item))
            return
        shown = [(name, cell) for name, cell in rows if plain(cell) != ABSENT]
        width = max(len(name) for name, _ in shown)
        if self.mode == "plain":
            for name, cell in shown:
                self.line(f"{name:<{width}}  {plain(cell)}")
            return
        console = _console(sys.stdout)
        for name, cell in shown:
            label = _styled(f"{name:<{width}}  ", "dim")
            console.print(label, self._rich(cell, absolute=True), sep="", soft_wrap=True)

    def status_line(self, status: str, text: str) -> None:
        """A word in its colour, and what it is about."""
        if self.mode == "rich":
            _console(sys.stdout).print(_styled(f"{status:<9}", STYLES.get(status, "")), text, soft_wrap=True)
        else:
            self.line(f"{status:<9} {text}")

    def _columns(self, columns: Sequence[Column[T]], items: Sequence[T]) -> None:
        lines = [[column.heading for column in columns]]
        lines += [[plain(column.cell(item)) for column in columns] for item in items]
        widths = [max(map(len, values)) for values in zip(*lines, strict=True)]
        for line in lines:
            self.line("  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip())

    def _table(self, columns: Sequence[Column[T]], items: Sequence[T]) -> None:
        from rich.table import Table  # noqa: PLC0415 - tens of milliseconds that only a terminal pays

        console = _console(sys.stdout)
        rows = [[self._rich(column.cell(item)) for column in columns] for item in items]
        natural = [
            max(len(column.heading), *(row[index].cell_len for row in rows)) for index, column in enumerate(columns)
        ]
        widths = fitted(natural, [column.gives_way for column in columns], console.width)
        table = Table(box=None, pad_edge=False, header_style="bold dim", padding=(0, GAP, 0, 0))
        for column, width in zip(columns, widths, strict=True):
            table.add_column(column.heading, overflow="ellipsis", no_wrap=True, width=width)
        for row in rows:
            table.add_row(*row)
        console.print(table)

    def _rich(self, cell: Cell, *, absolute: bool = False) -> Any:
        match cell:
            case Id(text):
                return _styled(text if absolute else text[:SHOWN_OF_IDS], "")
            case Moment(str() as text):
                distance = relative(text, self.now_ms)
                return _styled(f"{text}  ({distance})" if absolute else distance, "")
            case Status(text):
                return _styled(text, STYLES.get(text, ""))
            case _:
                text = plain(cell)
                return _styled(text, "dim" if text == ABSENT else "")


def fitted(natural: Sequence[int], gives_way: Sequence[bool], width: int) -> list[int]:
    """The widths of columns on a terminal: columns that give way are cut, the last one first, as far as they must."""
    widths = list(natural)
    excess = sum(widths) + GAP * len(widths) - width
    for index in reversed(range(len(widths))):
        if excess > 0 and gives_way[index]:
            cut = max(min(excess, widths[index] - NARROWEST), 0)
            widths[index] -= cut
            excess -= cut
    return widths


def raw(item: Any) -> Any:
    """What `--json` shows: the members of the contract, all of them where the item kept them as they came."""
    return getattr(item, "members", None) or item


def _console(stream: TextIO) -> Any:
    from rich.console import Console  # noqa: PLC0415 - likewise

    return Console(file=stream, highlight=False, markup=False, emoji=False)


def _styled(text: str, style: str) -> Any:
    from rich.text import Text  # noqa: PLC0415 - likewise

    return Text(text, style=style)
