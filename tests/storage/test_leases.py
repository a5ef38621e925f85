import asyncio

import pytest

from taskservice.lease.epochs import EpochStore
from taskservice.lease.outcomes import Loss
from taskservice.storage.archive import FIRST_SHA256, pack_events
from taskservice.storage.database import Database
from taskservice.storage.leases import MysqlEpochStore
from taskservice.storage.projection.prepare import _event_segment
from taskservice.streams.answers import LogEntry


@pytest.fixture
def epochs(database: Database) -> EpochStore:
    return MysqlEpochStore(database, "t1")


async def archive(database: Database, *segments: list[LogEntry]) -> None:
    previous = FIRST_SHA256
    async with database.acquire() as connection:
        for entries in segments:
            segment = pack_events(0, entries, first_ts=1, last_ts=2, previous_sha256=previous)
            previous = segment.sha256
            await connection.execute(_event_segment(segment))


async def test_every_epoch_is_above_all_before_and_above_the_logs(epochs: EpochStore) -> None:
    assert (await epochs.take_epoch(0, 0, 0)).epoch == 1
    assert (await epochs.take_epoch(0, 0, 0)).epoch == 2
    assert (await epochs.take_epoch(0, 10, 0)).epoch == 11
    assert (await epochs.take_epoch(0, 3, 0)).epoch == 12
    assert (await epochs.take_epoch(1, 5, 0)).epoch == 6


async def test_the_highest_witnessed_position_is_kept(epochs: EpochStore) -> None:
    assert (await epochs.take_epoch(0, 0, 100)).witnessed == 100
    assert (await epochs.take_epoch(0, 0, 40)).witnessed == 100
    assert (await epochs.take_epoch(0, 0, 170)).witnessed == 170
    await epochs.testify(0, 180)
    await epochs.testify(0, 20)
    await epochs.testify(5, 20)
    assert (await epochs.lease(0)).witnessed == 180
    assert (await epochs.lease(5)).witnessed == 0


async def test_a_recovery_is_remembered_until_a_later_one(epochs: EpochStore) -> None:
    first = await epochs.take_epoch(0, 0, 0)
    assert first.recovering == 0
    await epochs.begin_recovery(0, first.epoch, ())
    assert (await epochs.take_epoch(0, 0, 0)).recovering == first.epoch
    await epochs.begin_recovery(0, 0, ())
    assert (await epochs.take_epoch(0, 0, 0)).recovering == first.epoch


async def test_losses_are_written_down_once_and_for_every_recovery(epochs: EpochStore) -> None:
    first = await epochs.take_epoch(0, 0, 0)
    assert list(first.losses) == []
    tail = Loss(from_position=4, to_position=9, what="a tail")
    await epochs.begin_recovery(0, first.epoch, (tail,))
    await epochs.begin_recovery(0, first.epoch, (tail, Loss(from_position=0, to_position=0, what="w" * 2_000)))
    await epochs.take_epoch(1, 0, 0)
    await epochs.begin_recovery(1, 1, (Loss(from_position=1, to_position=1, what="elsewhere"),))
    second = await epochs.take_epoch(0, 0, 0)
    await epochs.begin_recovery(0, second.epoch, (tail,))

    seen = await epochs.lease(0)

    assert (seen.epoch, seen.recovering) == (second.epoch, second.epoch)
    assert [(one.epoch, one.from_position, one.to_position, one.what[:6]) for one in seen.losses] == [
        (second.epoch, 4, 9, "a tail"),
        (first.epoch, 4, 9, "a tail"),
        (first.epoch, 0, 0, "wwwwww"),
    ]
    assert (await epochs.take_epoch(0, 0, 0)).losses == seen.losses


async def test_a_lease_that_nobody_took_is_read_as_zeros(epochs: EpochStore) -> None:
    found = await epochs.lease(0)

    assert (found.epoch, found.recovering, found.witnessed, list(found.losses)) == (0, 0, 0, [])
    assert (await epochs.take_epoch(0, 0, 0)).epoch == 1


@pytest.mark.fault("F11", invariants="I24")
async def test_of_many_candidates_no_two_get_the_same_epoch(database: Database) -> None:
    stores = [MysqlEpochStore(database, f"t{number}") for number in range(8)]

    grants = await asyncio.gather(*(store.take_epoch(0, 0, 0) for store in stores * 10))

    assert sorted(grant.epoch for grant in grants) == list(range(1, 81))


async def test_the_election_waits_for_a_commit_under_way(database: Database, epochs: EpochStore) -> None:
    """Whoever reads the archive's head after the epoch was taken reads the final one."""
    await epochs.take_epoch(0, 0, 0)
    projector = await database.connect()
    await projector.execute("START TRANSACTION")
    await projector.fetch("SELECT epoch FROM scheduler_leases WHERE `partition` = 0 LOCK IN SHARE MODE")

    taking = asyncio.ensure_future(epochs.take_epoch(0, 0, 0))
    done, _ = await asyncio.wait((taking,), timeout=0.3)
    assert not done
    await projector.execute("COMMIT")

    assert (await taking).epoch == 2
    projector.close()


async def test_the_archive_is_read_on_from_any_position(database: Database, epochs: EpochStore) -> None:
    assert await epochs.archive_head(0) is None
    assert await epochs.archived_entries(0, 0) == []
    entries = [LogEntry(1 if n < 6 else 3, n, b"event %d" % n, f"{n}-0" if n % 2 else None) for n in range(1, 11)]
    await archive(database, entries[:4], entries[4:9], entries[9:])

    head = await epochs.archive_head(0)
    assert head is not None
    assert (head.last_id, head.position) == ("3-10", 10)
    for after in range(11):
        found: list[tuple[str, bytes, str | None]] = []
        position = after
        while rows := await epochs.archived_entries(0, position):
            found += [(row.id, row.event, row.cursor) for row in rows]
            position += len(rows)
        assert found == [(entry.id, entry.event, entry.cursor) for entry in entries[after:]]
