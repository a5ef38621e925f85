"""The SQL files: one statement each, read once. `%(name)s` marks a parameter, `:rows` the rows of a multi-row write."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

from taskservice.storage.literals import Value, literal

ROWS = ":rows"


@cache
def statement(name: str) -> str:
    """The text of `sql/<name>.sql` without its comment lines.

    :raises FileNotFoundError: when there is no such file.
    """
    body = resources.files("taskservice.storage").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip().removesuffix(";")


@cache
def around_rows(name: str) -> tuple[str, str]:
    """What stands before and after the rows of a multi-row statement."""
    before, found, after = statement(name).partition(ROWS)
    if not found:
        raise ValueError(f"sql/{name}.sql has no {ROWS}")
    return before, after


def filled(sql: str, values: Mapping[str, Value | Iterable[str | int]]) -> str:
    """The statement with its parameters spelled out.

    :raises KeyError: for a parameter without a value.
    """
    return sql % {name: literal(value) for name, value in values.items()}
