"""Broken input and output, sorted by what it tells.

::

    StorageError
    ├── Unavailable    no connection, an answer that did not come in time, a server that shuts down: what was sent may
    │                  have been done or not; ask again on a new connection
    ├── Conflict       a deadlock or a lock that was not given in time: roll back and do the whole transaction again
    └── Refused        the server does not take this statement: a bug, foreign data or a missing migration
"""


class StorageError(Exception):
    """Any failure to speak with the database."""


class Unavailable(StorageError):  # noqa: N818 - it says what is known, and callers read it as a word
    """The database can't be asked now."""


class Conflict(StorageError):  # noqa: N818 - likewise
    """Another transaction was in the way."""


class Refused(StorageError):  # noqa: N818 - likewise
    """An answer that no retry changes. `code` is the server's number."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
