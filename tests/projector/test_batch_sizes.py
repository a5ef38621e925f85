"""However large entries are, no statement is larger than what a server takes: 16 MiB (`max_allowed_packet`)."""

import random

from taskservice.clock import ManualClock
from taskservice.domain.logs import MAX_LINE_BYTES, LogBatch, LogLine, encode_log_batch
from taskservice.domain.state import State
from taskservice.projector.batching import Batching
from taskservice.projector.window import MAX_BYTES
from taskservice.storage.projection import mark_of
from taskservice.storage.rows import CheckpointRow
from taskservice.streams.answers import LogLinesEntry

MAX_ALLOWED_PACKET = 16 * 1_048_576
INSTANCE = "01890000-0000-7000-8000-000000000001"


def incompressible(number: int) -> LogLinesEntry:
    """An entry of about 1 MiB that packs badly and whose characters are all written escaped in SQL."""
    chance = random.Random(number)
    messages = ["".join(chance.choices("\\'\"\x00名é\n", k=MAX_LINE_BYTES // 3)) for _ in range(80)]
    lines = tuple(
        LogLine("tenant", INSTANCE, 1, number * 1_000 + index, "INFO", 1_790_000_000_000, message)
        for index, message in enumerate(messages)
    )
    return LogLinesEntry(f"1-{number}", encode_log_batch(LogBatch(worker="w", lines=lines)))


def test_the_largest_batch_is_cut_into_statements_that_every_server_takes() -> None:
    batching = Batching(State(partition=0), mark_of(CheckpointRow(partition=0)), ManualClock(), lambda *_: None)
    number, size = 0, 0
    while not batching.full:
        number += 1
        entry = incompressible(number)
        size += len(entry.lines)
        batching.take_lines(entry)

    batch = batching.cut()

    assert MAX_BYTES <= size <= MAX_BYTES + 1_048_576
    assert batch.log_lines == 80 * number
    largest = max(len(statement.encode()) for statement in batch.statements)
    assert largest < MAX_ALLOWED_PACKET
    assert sum(len(statement.encode()) for statement in batch.statements) < 4 * MAX_ALLOWED_PACKET
