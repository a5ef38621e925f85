"""I17, I18, I21: the tables are what the log makes up to their position, which only moves on, and answers keep to it."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from taskservice.storage.archive import ArchivedEvent
from taskservice.storage.verify.expected import checkpoint_columns, definition_columns, instance_columns
from taskservice.storage.verify.replay import Replay
from taskservice.testing.checkers.declared_losses import declared_losses
from taskservice.testing.checkers.evidence import Columns, Evidence, LogRecord, ReadModel
from taskservice.testing.checkers.violation import Violation

KEYS: Mapping[str, tuple[str, ...]] = {
    "task_definitions": ("id",),
    "task_definition_versions": ("definition_id", "version"),
    "task_instances": ("id",),
    "task_commands": ("id",),
    "task_stats_hourly": ("tenant_id", "definition_id", "hour"),
    "projection_checkpoints": ("partition",),
}
"""Tables that the log alone makes, and their primary keys."""
OF_ARCHIVE = frozenset({"segment_sha256", "log_stream_id", "log_segment_number", "log_segment_sha256"})
"""Columns of the checkpoint that the segments make, and not the events."""
MOST_TOLD = 20


def rows_beside_the_fold(evidence: Evidence) -> list[Violation]:
    """I17: every row and column is what the log makes up to the checkpoint, and no row is there that it does not make."""
    model = evidence.read_model
    if model is None:
        return []
    if model.position > evidence.head:
        what = f"the tables are at {model.position}, the log ends at {evidence.head}"
        return [Violation("I17", model.position, what)]
    expected = expected_tables([record for record in evidence.log if record.position <= model.position])
    found = []
    for table, rows in model.tables.items():
        if table in KEYS:
            found += [Violation("I17", model.position, what) for what in _differences(table, expected[table], rows)]
    return found[:MOST_TOLD]


def expected_tables(log: Sequence[LogRecord]) -> dict[str, list[Columns]]:
    """What the tables hold after this log, by the proof of `taskservice verify` and not by the projector."""
    replay = Replay(0)
    ended: dict[str, Columns] = {}
    for record in log:
        replay.take(ArchivedEvent(record.epoch, record.position, record.raw, record.cursor))
        for instance_id in replay.reopened:
            ended.pop(instance_id, None)
        replay.reopened.clear()
        ended.update((name, instance_columns(one.instance, one.event)) for name, one in replay.ended.items())
        replay.ended.clear()
    state = replay.state
    return {
        "task_definitions": [definition_columns(one) for one in replay.definitions.values()],
        "task_definition_versions": list(replay.versions.values()),
        "task_instances": [*ended.values(), *(instance_columns(one, None) for one in state.instances.values())],
        "task_commands": list(replay.commands.values()),
        "task_stats_hourly": list(replay.counts.values()),
        "projection_checkpoints": [checkpoint_columns(state, {})] if log else [],
    }


def checkpoints_that_go_back(evidence: Evidence) -> list[Violation]:
    """I18: the checkpoint only moves on, and is never ahead of the log.

    But for a log whose end was taken away, until the loss is told: the next leader restores it first.
    """
    found = []
    losses = declared_losses(evidence)
    for sample in evidence.samples:
        if sample.position > sample.head and not any(one.begun_ms <= sample.at_ms <= one.told_ms for one in losses):
            what = f"the checkpoint is {sample.position} at {sample.at_ms}, and the log ends at {sample.head}"
            found.append(Violation("I18", sample.position, what))
    for before, after in pairwise(sorted(evidence.samples, key=lambda one: one.at_ms)):
        if after.position < before.position:
            what = f"the checkpoint went back from {before.position} to {after.position} at {after.at_ms}"
            found.append(Violation("I18", after.position, what))
    return found


def answers_from_before(evidence: Evidence) -> list[Violation]:
    """I21: who asks to see a position is answered from there on, or that it takes too long; never from before."""
    return [
        Violation("I21", call.min_position, f"{call.kind} asked for {call.min_position} and was shown {call.position}")
        for call in evidence.calls
        if call.outcome == "ok" and call.min_position is not None and (call.position or 0) < call.min_position
    ]


def _differences(table: str, expected: Iterable[Columns], found: Iterable[Columns]) -> Iterable[str]:
    wanted = {_key(table, row): row for row in expected}
    for row in found:
        key = _key(table, row)
        other = wanted.pop(key, None)
        if other is None:
            yield f"{table} {key}: the log makes no such row"
            continue
        for column in sorted((row.keys() | other.keys()) - OF_ARCHIVE):
            should, has = other.get(column, "no such column"), row.get(column, "no such column")
            if should != has:
                yield f"{table} {key}: {column} is {has!r}, the log makes {should!r}"
    for key in wanted:
        yield f"{table} {key}: the row is missing"


def _key(table: str, row: Columns) -> Any:
    values = tuple(row.get(name) for name in KEYS[table])
    return values[0] if len(values) == 1 else values


__all__ = [
    "KEYS",
    "ReadModel",
    "answers_from_before",
    "checkpoints_that_go_back",
    "expected_tables",
    "rows_beside_the_fold",
]
