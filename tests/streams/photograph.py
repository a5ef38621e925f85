"""A server in memory that comes back with what it held at some moment."""

import copy
from collections.abc import Callable

from taskservice.streams.memory import MemoryServer


def photograph(server: MemoryServer) -> Callable[[], None]:
    """What the server holds now; call it for the server to be restarted with just that, as from an older disk."""
    kept = copy.deepcopy((server.streams, server.hashes, server.strings))

    def come_back() -> None:
        server.streams, server.hashes, server.strings = copy.deepcopy(kept)
        server.restart()

    return come_back
