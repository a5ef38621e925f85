"""Which lines are asked for, and the name of a line in cursors and events."""

import msgspec

from taskservice.api.ports import LogFilter, LogRow

_MAX = 4_294_967_295


class Asked(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Lines of one instance by (attempt, sequence), beyond `after`."""

    tenant_id: str
    instance_id: str
    wanted: LogFilter
    after: tuple[int, int] | None


def line_id(line: LogRow) -> str:
    """`<attempt>-<sequence>`: its place in the log of its instance."""
    return f"{line.attempt}-{line.sequence}"


def line_of(text: str) -> tuple[int, int] | None:
    """(attempt, sequence) of a line's name; None for anything else."""
    attempt, _, sequence = text.partition("-")
    if not all(part.isascii() and part.isdigit() and len(part) <= 10 for part in (attempt, sequence)):
        return None
    found = int(attempt), int(sequence)
    return found if max(found) <= _MAX else None
