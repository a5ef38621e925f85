"""Text of handlers made safe to store and to show: no control characters, no endless lines. Pure."""

import re
from typing import Final

_ANSI: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_INDENT: Final = "\n    "


def clean(text: str) -> str:
    """`text` without terminal sequences and control characters.

    Tabs and line breaks stay, but what follows a line break is indented: so nothing that a handler was fed can pose as
    a log line of its own where lines are shown as plain text.
    """
    if text.isprintable():  # false also for surrogates; by far the common case
        return text
    text = _SURROGATE.sub("\ufffd", _CONTROL.sub("", _ANSI.sub("", text.replace("\r\n", "\n"))))
    return text.replace("\n", _INDENT) if "\n" in text else text


def cut(text: str, limit_bytes: int) -> str:
    """`text` in at most `limit_bytes` bytes of UTF-8, with a mark that says how much is missing."""
    if len(text) * 4 <= limit_bytes:
        return text
    data = text.encode()
    if len(data) <= limit_bytes:
        return text
    kept_bytes = max(limit_bytes - len(_mark(len(data)).encode()), 0)
    kept = data[:kept_bytes].decode(errors="ignore")
    return kept + _mark(len(data) - len(kept.encode()))


def _mark(missing_bytes: int) -> str:
    return f" … [{missing_bytes} bytes cut]"
