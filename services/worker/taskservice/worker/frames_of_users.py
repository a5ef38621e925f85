"""Where in the users' own code something was raised: tracebacks without the frames that called it. Pure but for
reading source lines.
"""

import asyncio
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType
from typing import Final

MAX_FRAMES: Final = 30
"""Of each exception: the innermost ones."""
MAX_HEAD_CHARS: Final = 4_000
MAX_TAIL_CHARS: Final = 8_000
"""Together with the head below the 16 KiB of a line as long as most of it is ASCII; the end says most."""

_OURS: Final = str(Path(__file__).parent)
_CALLERS: Final = frozenset({_OURS, str(Path(asyncio.__file__).parent)})
_LIBRARIES: Final = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def traceback_of(error: BaseException) -> str:
    """The traceback as Python prints it, from the first frame of a handler on; bounded, and never raises."""
    try:
        told = traceback.TracebackException(type(error), error, _from_handler(error.__traceback__), limit=-MAX_FRAMES)
        text = "".join(told.format()).rstrip()
    except Exception as broken:  # noqa: BLE001 (an exception of users may answer anything about itself)
        return f"{type(error).__name__} <no traceback: {type(broken).__name__}>"
    if len(text) <= MAX_HEAD_CHARS + MAX_TAIL_CHARS:
        return text
    left_out = len(text) - MAX_HEAD_CHARS - MAX_TAIL_CHARS
    return f"{text[:MAX_HEAD_CHARS]}\n… [{left_out} characters left out]\n{text[-MAX_TAIL_CHARS:]}"


def place_of(error: BaseException) -> str:
    """`my_tasks.py:7`: the innermost line outside of all libraries, else the innermost one; "" = there is none."""
    place = own = ""
    for frame, line in traceback.walk_tb(_from_handler(error.__traceback__)):
        name = frame.f_code.co_filename
        place = f"{Path(name).name}:{line}"
        own = own if is_library(name) else place
    return own or place


def is_library(filename: str) -> bool:
    """Whether it is code of Python, of an installed package, or of the worker."""
    return filename.startswith(("<frozen ", _OURS, *_LIBRARIES))


def _from_handler(found: TracebackType | None) -> TracebackType | None:
    """The traceback without what called the handler; a handler may well be an installed package's."""
    while found is not None and str(Path(found.tb_frame.f_code.co_filename).parent) in _CALLERS:
        found = found.tb_next
    return found
