"""The archive as a list of events, and commands as a list, over the rows of a random history."""

from collections.abc import Callable
from random import Random

import pytest
from tests.histories.history import History

from taskservice.domain import events as e
from taskservice.domain.event_codec import decode_event
from taskservice.domain.state import State
from taskservice.projector.folding import Folding
from taskservice.storage.archive import unpack_events
from taskservice.storage.database import Database
from taskservice.storage.migrate import migrate
from taskservice.storage.projection import ProjectionWriter, mark_of, prepare
from taskservice.storage.queries import ReadModel
from taskservice.storage.rows import CheckpointRow, CommandFilter, CommandRow

BATCH = 37
"""Events a segment, but for the last."""


@pytest.fixture
async def history(database: Database) -> History:
    """Projected in batches, so that the archive has many segments."""
    history = History(Random(31)).grow(500)
    writer = ProjectionWriter(database, 0)
    await writer.prepare()
    mark = mark_of(CheckpointRow(partition=0))
    state = State(partition=0)
    for start in range(0, len(history.entries), BATCH):
        folding = Folding(state)
        for entry in history.entries[start : start + BATCH]:
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
        await writer.write(batch, lambda: 0)
        mark = batch.after
    writer.close()
    return history


@pytest.fixture
def reads(database: Database) -> ReadModel:
    return ReadModel(database)


async def test_segments_after_a_position_hold_every_entry_in_order(history: History, reads: ReadModel) -> None:
    expected = [(entry.position, entry.event) for entry in history.entries]
    for after in (0, 1, BATCH - 1, BATCH, BATCH + 1, len(expected) - 1):
        found: list[tuple[int, bytes]] = []
        position = after
        while segments := await reads.event_segments(0, position, 2):
            assert len(segments) <= 2
            for segment in segments:
                found += [(one.position, one.event) for one in unpack_events(segment) if one.position > after]
            position = segments[-1].last_position
        assert found == expected[after:]


async def test_a_time_is_found_in_the_archive(history: History, reads: ReadModel) -> None:
    times = [decode_event(entry.event).ts for entry in history.entries]
    head = len(times)
    for instant in sorted(
        {0, times[0], times[-1], times[-1] + 1, *times[:: head // 25], *(t + 1 for t in times[::40])}
    ):
        earlier = sum(time < instant for time in times)

        found = await reads.position_before(0, instant, head)

        assert found <= earlier, instant
        assert earlier - found < BATCH, instant


async def test_a_time_is_found_with_few_questions(history: History, reads: ReadModel, database: Database) -> None:
    times = [decode_event(entry.event).ts for entry in history.entries]
    async with database.acquire() as connection:
        counted = int((await connection.fetch("SHOW GLOBAL STATUS LIKE 'Questions'"))[0][1])
        await reads.position_before(0, times[len(times) // 3], len(times))
        asked = int((await connection.fetch("SHOW GLOBAL STATUS LIKE 'Questions'"))[0][1]) - counted

    segments = -(-len(times) // BATCH)
    assert segments > 10
    assert asked <= 2 * segments.bit_length() + 6


async def test_facts_of_instances_are_those_of_their_rows(history: History, reads: ReadModel) -> None:
    open_ones = list(history.state.instances.values())
    mine = [one for one in open_ones if one.tenant_id == "acme"]
    ids = [one.id for one in open_ones]

    found = await reads.instance_facts("acme", ids)

    assert found.keys() == {one.id for one in mine}
    assert len(mine) > 3
    for one in mine:
        facts = found[one.id]
        assert (facts.definition_id, facts.definition_version) == (one.definition_id, one.definition_version)
        assert (facts.command_id, facts.traceparent, facts.retried_at) == (
            one.command_id,
            one.traceparent,
            one.retried_at,
        )
    assert await reads.instance_facts("acme", []) == {}


async def test_the_installation_has_one_id_that_stays(mysql_url: str, reads: ReadModel) -> None:
    first = await reads.installation_id()
    await migrate(mysql_url)

    assert len(first) == 36
    assert await reads.installation_id() == first


async def test_every_filter_of_commands_means_what_it_says(history: History, reads: ReadModel) -> None:
    whole = await reads.commands_page("acme", CommandFilter(), None, 10_000)
    events = [decode_event(entry.event) for entry in history.entries]
    asked = {one.command_id for one in events if isinstance(one, e.Event) and one.outcome and one.tenant_id == "acme"}
    actor = next(row.actor.id for row in whole if row.actor is not None)
    table: list[tuple[CommandFilter, Callable[[CommandRow], bool]]] = [
        (CommandFilter(statuses=("ACCEPTED",)), lambda row: row.status == "ACCEPTED"),
        (CommandFilter(statuses=("REJECTED",)), lambda row: row.status == "REJECTED"),
        (CommandFilter(statuses=("REJECTED", "ACCEPTED")), lambda row: True),
        (CommandFilter(actor=actor), lambda row: row.actor is not None and row.actor.id == actor),
        (CommandFilter(actor="it's nobody"), lambda row: False),
    ]

    assert {row.id for row in whole} == asked
    assert [row.id for row in whole] == sorted(asked, reverse=True)
    assert len(asked) > 20
    for wanted, fits in table:
        found = [row.id for row in await reads.commands_page("acme", wanted, None, 10_000)]
        assert found == [row.id for row in whole if fits(row)], wanted
    paged: list[CommandRow] = []
    while page := await reads.commands_page("acme", CommandFilter(), paged[-1].id if paged else None, 7):
        paged += page
    assert paged == whole
    assert await reads.commands_page("somebody else", CommandFilter(), None, 10) == []


async def test_commands_of_a_span_are_found_by_the_time_that_the_inbox_gave_them(
    database: Database, reads: ReadModel
) -> None:
    base = 1_700_000_000_000
    async with database.acquire() as connection:
        for number in range(20):
            made_ms = base + number * 60_000
            submitted = base + number * 60_000 + (400_000 if number % 2 else -400_000)  # clocks differ
            identifier = f"{made_ms:012x}"
            await connection.execute(
                "INSERT INTO task_commands (id, tenant_id, command_type, status, submitted_at, decided_at, position)"
                " VALUES (%(id)s, 'acme', 'X', 'ACCEPTED', FROM_UNIXTIME(%(at)s / 1000), UTC_TIMESTAMP(3), 1)",
                {"id": f"{identifier[:8]}-{identifier[8:]}-7000-8000-{number:012x}", "at": submitted},
            )
    rows = await reads.commands_page("acme", CommandFilter(), None, 100)
    low, high = base + 200_000, base + 800_000

    found = await reads.commands_page("acme", CommandFilter(submitted_from=low, submitted_to=high), None, 100)

    expected = [row.id for row in rows if low <= row.submitted_at < high]
    assert [row.id for row in found] == expected
    assert 3 < len(expected) < 20
