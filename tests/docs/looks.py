"""Compares what a page shows with what was printed: ids, times and numbers of the moment stand for any other."""

import re

MASKS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z"), "<time>"),
    (re.compile(r"tsk_[A-Za-z0-9_-]+"), "<key>"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r"\b\d+(\.\d+)?"), "<number>"),
)
ANYTHING = "…"


def masked(text: str) -> str:
    """The text without what differs from run to run, blanks run together."""
    for pattern, name in MASKS:
        text = pattern.sub(name, text)
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def alike(expected: str, printed: str) -> bool:
    """Whether that is what the page shows; `…` stands for anything, alone on a line for any number of lines."""
    lines = []
    for line in masked(expected).splitlines():
        whole = line == ANYTHING
        lines.append(r"(?:.*\n)*" if whole else ".*".join(map(re.escape, line.split(ANYTHING))) + r"\n")
    return re.fullmatch("".join(lines), masked(printed) + "\n") is not None
