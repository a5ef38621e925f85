"""`H`: a number that a hash of the definition's id chooses, so that a thousand hourly definitions do not all start at :00.

`H` is any number of the field (a day of the month up to the 28th, which every month has), `H(0-29)` one of a range,
`H/15` every fifteenth from a start below 15, `H(0-29)/10` the same within a range. The number depends on the id and on
the field alone: an edit of the rest of the expression moves nothing.

Each field has a hash of its own. Shifts of one checksum, which is what croniter's `hash_id` takes, tie the fields
together: `H H * * *` reaches 120 of the day's 1,440 minutes with it.
"""

import re
from hashlib import blake2b

from taskservice.domain.schedule.cron_shape import QUARTZ_SHAPES, UNIX_SHAPES, CronError, Item, Shape

_HASHED = re.compile(r"H(?:\((?P<low>[0-9]+)-(?P<high>[0-9]+)\))?(?:/(?P<step>[0-9]+))?")
_ANYWHERE = re.compile(r"(?<![A-Z@])H(?![A-Z])", re.IGNORECASE)
_BLANKS = re.compile(r"([ \t]+)")


def uses_hash(expression: str) -> bool:
    """Whether an `H` stands in it: its instants then depend on the definition's id."""
    return _ANYWHERE.search(expression) is not None


def hashed_item(text: str, at: int, shape: Shape, hash_id: str) -> Item | CronError:
    """Read `H…`; `at` is where it begins in the expression."""
    match = _HASHED.fullmatch(text)
    if match is None:
        return CronError(shape.name, at, "H stands alone, or as H/15, H(0-29) or H(0-29)/10")
    if shape.hash_high is None:
        return CronError(shape.name, at, "H cannot choose this field")
    low, high = shape.low, shape.high if match["step"] else shape.hash_high
    if match["low"] is not None:
        low, high = int(match["low"]), int(match["high"])
        if not shape.low <= low < high <= shape.high:
            reason = f"the range of H runs forwards, within {shape.low} to {shape.high}"
            return CronError(shape.name, at + match.start("low"), reason)
    if match["step"] is None:
        chosen = _spread(hash_id, shape, low, high)
        return Item("value", chosen, chosen, hashed=True)
    step = int(match["step"])
    if not 1 <= step <= high - low + 1:
        return CronError(shape.name, at + match.start("step"), f"a step within H is 1 to {high - low + 1}")
    return Item("range", _spread(hash_id, shape, low, low + step - 1), high, step, hashed=True)


def spelled_out(expression: str, hash_id: str) -> str:
    """The same expression with the numbers in place of each `H`: definitions that come to the same share a schedule.

    What is no expression comes back with as much of it as can be read.
    """
    parts = _BLANKS.split(expression.strip(" \t").upper())
    tokens = parts[::2]
    shapes = UNIX_SHAPES if len(tokens) == len(UNIX_SHAPES) else QUARTZ_SHAPES
    for index, (token, shape) in enumerate(zip(tokens, shapes, strict=False)):
        if "H" in token:
            parts[2 * index] = ",".join(_spelled(item, shape, hash_id) for item in token.split(","))
    return "".join(parts)


def _spelled(text: str, shape: Shape, hash_id: str) -> str:
    item = hashed_item(text, 0, shape, hash_id) if text.startswith("H") else None
    if not isinstance(item, Item):
        return text
    return str(item.first) if item.form == "value" else f"{item.first}-{item.last}/{item.step}"


def _spread(hash_id: str, shape: Shape, low: int, high: int) -> int:
    digest = blake2b(f"{hash_id}|{shape.name}".encode(), digest_size=8).digest()
    return low + int.from_bytes(digest) % (high - low + 1)
