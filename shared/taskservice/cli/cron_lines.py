"""The bulk form of `taskservice cron next`: a JSON object a line in, a JSON object a line out.

In: `expr`, `zone`, `start_ms`, `n`, and if wanted `dialect` (QUARTZ, UNIX), `dst` (ONCE, QUARTZ) and `id` (what `H` is a
hash of). Out: `{"next_ms": […]}`, the fires strictly after `start_ms`, fewer than n when the schedule ends; or
`{"error": "…"}`. A faulty line never stops the others, and no line takes longer than 50 ms.
"""

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from taskservice.domain.definition.spec import CronDialect, DstPolicy
from taskservice.domain.schedule.calendar import Schedule
from taskservice.domain.schedule.cron import Cron
from taskservice.domain.schedule.cron_parse import CronError, parse_cron
from taskservice.domain.schedule.zones import is_zone, zone_of

MOST_FIRES = 500
LONGEST_LINE = 16_384
_LATEST_START = 253_402_300_799_999  # the year 9999; nothing fires after 2099

_DIALECTS: dict[str, CronDialect] = {"QUARTZ": "QUARTZ", "UNIX": "UNIX"}
_POLICIES: dict[str, DstPolicy] = {"ONCE": "ONCE", "QUARTZ": "QUARTZ"}


class Question(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line; members that are not listed are ignored."""

    expr: str
    zone: str
    start_ms: int
    n: int
    dialect: str | None = None
    dst: str | None = None
    id: str = ""


class Fires(msgspec.Struct, frozen=True, gc=False):
    """The instants asked for, in milliseconds since the epoch."""

    next_ms: list[int]


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why there are none."""

    error: str


_decode = msgspec.json.Decoder(Question).decode
_encode = msgspec.json.Encoder().encode


def answers(questions: BinaryIO) -> Iterator[bytes]:
    """One line for each line read, in order; empty lines are passed over."""
    while line := questions.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            while line and not line.endswith(b"\n"):
                line = questions.readline(LONGEST_LINE + 1)
            yield _encode(Refusal(f"a line has at most {LONGEST_LINE} bytes")) + b"\n"
        elif not line.isspace():
            yield _encode(answer(line)) + b"\n"


def answer(line: bytes) -> Fires | Refusal:
    """What one line asks for."""
    try:
        question = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Refusal(f"not a question: {error}")
    fault = _fault(question)
    if fault is not None:
        return Refusal(fault)
    dialect = _DIALECTS.get((question.dialect or "").upper())
    parsed = parse_cron(question.expr, dialect, question.id)
    if isinstance(parsed, CronError):
        return Refusal(f"expr, {parsed.field or 'as a whole'}: {parsed.reason} (position {parsed.position})")
    policy = _POLICIES[(question.dst or "ONCE").upper()]
    schedule = Cron(parsed, zone_of(question.zone), policy)
    return Fires(following(schedule, question.start_ms, question.n))


def following(schedule: Schedule, instant: int, count: int) -> list[int]:
    """The first `count` fires strictly after `instant`, fewer when the schedule ends."""
    fires: list[int] = []
    while len(fires) < count:
        found = schedule.next_after(instant)
        if found is None:
            break
        fires.append(found)
        instant = found
    return fires


def _fault(question: Question) -> str | None:
    if not is_zone(question.zone):
        return f"zone: not an IANA time zone: {question.zone[:100]!r}"
    if not 0 <= question.n <= MOST_FIRES:
        return f"n: 0 to {MOST_FIRES} fires can be asked for at once"
    if not -_LATEST_START <= question.start_ms <= _LATEST_START:
        return "start_ms: milliseconds since the epoch, up to the year 9999"
    if question.dialect is not None and question.dialect.upper() not in _DIALECTS:
        return "dialect: QUARTZ or UNIX, or none: then the number of fields tells"
    if question.dst is not None and question.dst.upper() not in _POLICIES:
        return "dst: ONCE or QUARTZ"
    return None
