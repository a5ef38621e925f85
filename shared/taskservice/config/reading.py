"""Reading a file that an operator names: never more of it than a settings file or a secret can need."""

from pathlib import Path


class UnreadableError(Exception):
    """A file can't be used; the message says why in a few words, without its name."""


def read_text(path: Path, *, largest_bytes: int) -> str:
    """The text of a file in UTF-8.

    :raises FileNotFoundError: there is none, which callers may take as an empty one.
    :raises UnreadableError: it can't be read, is no UTF-8, or is larger than that.
    """
    try:
        with path.open("rb") as file:
            data = file.read(largest_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableError(error.strerror or type(error).__name__) from None
    if len(data) > largest_bytes:
        raise UnreadableError(f"it is larger than {largest_bytes} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableError("it is not UTF-8") from None
