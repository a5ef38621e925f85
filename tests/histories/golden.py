"""Golden logs: what earlier versions wrote, byte for byte, and the digest of what it folds to.

A log that was written once must fold to the same state for ever: a renamed member, a default that changed, an upcaster
that is missing show here before they show in somebody's deployment. A file is never changed; an event type that no file
holds yet needs a new one::

    python -m tests.histories.golden 3-what-it-adds

A line of a file is an entry: its id, its cursor (`-` = none), the event's bytes. The first line is the digest.
"""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
from tests.histories.history import History

from taskservice.domain.event_codec import decode_event
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.state import State
from taskservice.streams.answers import LogEntry

FOLDER: Final = Path(__file__).parent / "golden_logs"
SUFFIX: Final = ".log"
STEPS: Final = 900
LOOK_EVERY: Final = 25
NO_CURSOR: Final = "-"


def golden_logs() -> list[Path]:
    """All of them, oldest first."""
    return sorted(FOLDER.glob(f"*{SUFFIX}"))


def read_golden(path: Path) -> tuple[str, list[LogEntry]]:
    """The digest that a file promises, and its entries."""
    digest, *lines = path.read_bytes().splitlines()
    return digest.decode(), [_entry(line) for line in lines]


def digest_of(entries: Iterable[LogEntry]) -> str:
    """SHA-256 of what the log folds to, of every 25th state on the way: what ended is forgotten after a minute."""
    digest = hashlib.sha256()
    state = State(partition=0)
    for entry in entries:
        evolve(state, decode_event(entry.event), entry.epoch, entry.position)
        fold_cursor(state, entry.cursor)
        if entry.position % LOOK_EVERY == 0:
            digest.update(_values_of(state))
    digest.update(_values_of(state))
    return digest.hexdigest()


def write_golden(name: str, entries: Sequence[LogEntry]) -> Path:
    """A new file; an old one is never written again.

    :raises FileExistsError: there is one of that name.
    """
    path = FOLDER / f"{name}{SUFFIX}"
    lines = [f"{one.id} {one.cursor or NO_CURSOR} ".encode() + one.event for one in entries]
    with path.open("xb") as file:
        file.write(b"\n".join([digest_of(entries).encode(), *lines]) + b"\n")
    return path


def _values_of(state: State) -> bytes:
    """Everything that a state is, with the order of what is ordered."""
    values: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(state, journal=None, keys={}), str_keys=True)
    return msgspec.json.encode({**values, "keys": list(state.keys.items())})


def _entry(line: bytes) -> LogEntry:
    entry_id, cursor, event = line.split(b" ", 2)
    epoch, _, position = entry_id.partition(b"-")
    return LogEntry(int(epoch), int(position), event, None if cursor == NO_CURSOR.encode() else cursor.decode())


if __name__ == "__main__":
    sys.stdout.write(f"{write_golden(sys.argv[1], History(Random(sys.argv[1])).grow(STEPS).entries)}\n")
