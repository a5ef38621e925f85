"""Broken input and output, sorted by what it tells about the outcome.

::

    StreamsError
    ├── NotSent             nothing was executed: connect failed, or the server said that it can't serve now
    │   └── NotServed       … the latter: LOADING, READONLY, MISCONF, BUSY, …
    ├── OutcomeUnknown      sent, and no answer came: it may have been executed, once, or never
    └── ServerRefusal       an error answer that no wrapper expects (wrong type, syntax): a bug or foreign data
        └── NoScript        EVALSHA of a script that the server does not hold; never leaves this package
"""


class StreamsError(Exception):
    """Any failure to speak with Redis."""


class NotSent(StreamsError):  # noqa: N818 - it says what is known, and callers read it as a word
    """Nothing was executed; sending it again is a first attempt."""


class NotServed(NotSent):
    """Redis answered that it can't serve this now (LOADING, READONLY, MISCONF, NOREPLICAS, …); nothing was executed."""


class OutcomeUnknown(StreamsError):  # noqa: N818 - it says what is known, and callers read it as a word
    """The request was sent and its answer never came: timeout, or the connection ended. It may have been executed."""


class ServerRefusal(StreamsError):  # noqa: N818 - likewise
    """An error answer of Redis. `code` is its first word."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class NoScript(ServerRefusal):
    """The server does not hold the script."""
