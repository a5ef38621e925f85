"""state(rows at p) == fold(log to p): random histories, cut at random positions, written and loaded again."""

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.histories.history import History

from taskservice.domain.event_codec import decode_event
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.state import State
from taskservice.projector.folding import Folding
from taskservice.storage.database import Database
from taskservice.storage.loader import load_state
from taskservice.storage.projection import Committed, ProjectionWriter, mark_of, prepare
from taskservice.storage.rows import CheckpointRow
from taskservice.streams.answers import LogEntry


def as_values(state: State) -> dict[str, Any]:
    """Everything that a state is, with the order of what is ordered."""
    values: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(state, journal=None, keys={}), str_keys=False)
    values["keys"] = dict(state.keys)
    values["order of ended"] = list(state.ended)
    values["order of open"] = {one.id: list(one.open_ids) for one in state.definitions.values()}
    return values


def fold(entries: list[LogEntry]) -> State:
    state = State(partition=0)
    for entry in entries:
        evolve(state, decode_event(entry.event), entry.epoch, entry.position)
        fold_cursor(state, entry.cursor)
    return state


async def empty(database: Database) -> None:
    async with database.acquire() as connection:
        for table in (
            *("task_definitions", "task_definition_versions", "task_instances", "task_logs", "task_commands"),
            *("task_stats_hourly", "event_segments", "log_segments", "projection_checkpoints"),
        ):
            await connection.execute(f"DELETE FROM {table}")


@pytest.mark.fault("F57", invariants="I17 I19")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 250), cuts=st.lists(st.floats(0, 1), max_size=5))
async def test_rows_hold_the_state_at_every_cut(database: Database, seed: int, steps: int, cuts: list[float]) -> None:
    await empty(database)
    entries = History(Random(seed)).grow(steps).entries
    ends = sorted({*(int(cut * len(entries)) for cut in cuts), len(entries)} - {0})
    writer = ProjectionWriter(database, 0)
    await writer.prepare()
    state, mark, begin = State(partition=0), mark_of(CheckpointRow(partition=0)), 0
    try:
        for end in ends:
            folding = Folding(state)
            for entry in entries[begin:end]:
                folding.fold(entry)
            batch = prepare(
                state,
                folding.changes,
                folding.entries,
                [],
                before=mark,
                first_ts=folding.first_ts,
                last_ts=folding.last_ts,
            )
            assert await writer.write(batch, lambda: 0) == Committed()

            loaded = await load_state(database, 0)

            assert as_values(loaded.state) == as_values(fold(entries[:end]))
            mark, begin = batch.after, end
            assert mark_of(loaded.checkpoint) == mark
    finally:
        writer.close()
