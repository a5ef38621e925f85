"""What verify found."""

from collections.abc import Callable

import msgspec

ABSENT = "no row"
SOME = "a row"


class Difference(msgspec.Struct, frozen=True, gc=False):
    """One cell, or one row (column `*`), that is not what the log says."""

    table: str
    id: str
    column: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.table}\t{self.id}\t{self.column}\texpected {self.expected}\tfound {self.found}"


class Report:
    """Counts, and differences as they come.

    :param tell: is called with each difference.
    """

    def __init__(self, tell: Callable[[Difference], None]) -> None:
        self._tell = tell
        self.events = 0
        self.log_lines = 0
        self.rows = 0
        self.differences = 0
        self.positions: dict[int, int] = {}
        """Last position by partition."""

    @property
    def clean(self) -> bool:
        """Whether the tables equal the log."""
        return self.differences == 0

    def differ(self, table: str, row_id: object, column: str, expected: object, found: object) -> None:
        """Note a difference."""
        self.differences += 1
        self._tell(Difference(table, _spelled(row_id), column, _spelled(expected), _spelled(found)))

    def summary(self) -> str:
        """One line."""
        up_to = ", ".join(
            f"position {position}" + (f" of partition {partition}" if len(self.positions) > 1 else "")
            for partition, position in sorted(self.positions.items())
        )
        counted = f"{self.events} events, {self.rows} rows compared up to {up_to}"
        if self.clean:
            return f"verify: clean: {counted}"
        return f"verify: {self.differences} differences: {counted}"


def _spelled(value: object) -> str:
    if isinstance(value, tuple):
        return "/".join(map(str, value))
    return value if isinstance(value, str) else repr(value)
