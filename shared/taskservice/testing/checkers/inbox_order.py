"""Where an event's cause lies in the inbox: `<milliseconds>-<sequence>#<number>`; other causes are clocks of the leader."""

import re
from typing import NamedTuple

_CAUSE = re.compile(r"(\d+)-(\d+)#(\d+)")
_CURSOR = re.compile(r"(\d+)-(\d+)(?:/(\d+))?")
LAST = (1 << 60) - 1
"""Number of what comes after all items of an entry."""


class Item(NamedTuple):
    """An item of an inbox entry; items compare in the order of the inbox. `at`: the time of all that it says."""

    at: int
    sequence: int
    number: int


def item_of(cause: str) -> Item | None:
    """The item that a cause names; None = it is none of the inbox."""
    found = _CAUSE.fullmatch(cause)
    return None if found is None else Item(int(found[1]), int(found[2]), int(found[3]))


def first_undecided(cursor: str) -> Item | None:
    """The first item that a cursor leaves (of an entry that is done, one beyond all of its items); None = no cursor."""
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        return None
    return Item(int(found[1]), int(found[2]), LAST + 1 if found[3] is None else int(found[3]))
