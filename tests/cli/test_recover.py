"""`taskservice recover` on a real database and Redis, as a person runs it when the tickers say EMPTY or DIVERGED."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from taskservice.cli.exit_codes import ExitCode
from taskservice.cli.main import main
from taskservice.storage.archive import FIRST_SHA256, pack_events
from taskservice.storage.database import Database, open_database
from taskservice.storage.leases import MysqlEpochStore
from taskservice.storage.migrate import migrate
from taskservice.storage.projection.prepare import _event_segment
from taskservice.streams.answers import LogEntry
from taskservice.streams.batches import ArchivedEntry
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys

pytestmark = [pytest.mark.timeout(120), pytest.mark.fault("F16", invariants="I3 I20")]
LEASE_MS = 1_000
ARCHIVED = (LogEntry(4, 1, b'{"ts":1}', None), LogEntry(4, 2, b'{"ts":2}', "70-0"))


class Shell:
    """Runs `recover` on this test's servers."""

    def __init__(self, mysql_url: str, redis_url: str, database: Database, streams: RedisStreams) -> None:
        self.env = {
            "TASKSERVICE_MYSQL_URL": mysql_url,
            "TASKSERVICE_REDIS_URL": redis_url,
        }
        self.database = database
        self.streams = streams
        self.epochs = MysqlEpochStore(database, "test")

    async def recover(self, *args: str) -> Result:
        given = ("recover", "--set", f"app.task.distributed-lock.redis.default-expire-time={LEASE_MS}", *args)
        result = await asyncio.to_thread(CliRunner().invoke, main, given, env=self.env, prog_name="taskservice")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    async def told(self, *args: str) -> tuple[int, dict[str, Any]]:
        result = await self.recover("--from-archive", "--json", *args)
        return result.exit_code, msgspec.json.decode(result.stdout)

    async def log(self) -> list[str]:
        return [entry.id for entry in await self.streams.log.read("0-0", 100)]


@pytest.fixture
async def shell(mysql_url: str, redis_url: str) -> AsyncIterator[Shell]:
    """An archive that ends with 4-2, and an empty Redis."""
    await migrate(mysql_url)
    database = open_database(mysql_url)
    streams = RedisStreams(redis_url, Keys(0), client_name="test")
    shell = Shell(mysql_url, redis_url, database, streams)
    await shell.epochs.take_epoch(0, 3, 2)
    segment = pack_events(0, ARCHIVED, first_ts=1, last_ts=2, previous_sha256=FIRST_SHA256)
    async with database.acquire() as connection:
        await connection.execute(_event_segment(segment))
    yield shell
    await streams.close()
    await database.close()


async def test_an_empty_redis_is_looked_at_recovered_and_recovered_once(shell: Shell) -> None:
    dry, found = await shell.told("--dry-run")
    assert await shell.log() == []
    done, outcome = await shell.told("--yes")
    again, refusal = await shell.told("--yes")

    assert (dry, done, again) == (ExitCode.OK, ExitCode.OK, ExitCode.REFUSED)
    assert found == {
        "partition": 0,
        "logHead": None,
        "archiveHead": "4-2",
        "witnessed": 2,
        "found": "EMPTY",
        "recovered": False,
        "restored": None,
        "setAside": None,
        "epoch": None,
        "why": None,
    }
    assert outcome == found | {"recovered": True, "restored": "4-2", "epoch": 5}
    assert (refusal["recovered"], refusal["found"]) == (False, "WHOLE")
    assert "nothing to recover" in refusal["why"]
    assert await shell.log() == ["4-2"]
    lease = await shell.epochs.lease(0)
    assert (lease.epoch, lease.recovering, len(lease.losses)) == (5, 5, 1)


async def test_words_say_what_is_there_and_what_will_be_done(shell: Shell) -> None:
    refused = await shell.recover("--from-archive")
    nothing_said = await shell.recover()
    done = await shell.recover("--from-archive", "--yes")

    assert refused.exit_code == ExitCode.USAGE  # nobody can answer the question
    assert nothing_said.exit_code == ExitCode.USAGE
    assert await shell.log() == ["4-2"]
    assert done.exit_code == ExitCode.OK
    assert "found      EMPTY" in done.stdout
    assert "archive    ends with 4-2" in done.stdout
    assert "the log goes on after 4-2 with the next leader" in done.stdout


async def test_a_log_that_parted_is_refused_by_name_and_set_aside_on_demand(shell: Shell) -> None:
    await shell.streams.lock.acquire("somebody", LEASE_MS)
    other = [ArchivedEntry("9-1", b"x", None), ArchivedEntry("9-2", b"y", "80-0"), ArchivedEntry("9-3", b"z", "90-0")]
    await shell.streams.log.restore("somebody", "0-0", other)

    code, refusal = await shell.told("--yes")
    assert (code, refusal["found"]) == (ExitCode.REFUSED, "DIVERGED")
    assert "taskservice recover --from-archive --discard-log" in refusal["why"]
    code, outcome = await shell.told("--yes", "--discard-log")

    assert (code, outcome["setAside"]) == (ExitCode.OK, "task:{p0}:events:aside:9-3")
    assert await shell.log() == ["4-2"]
    (loss,) = (await shell.epochs.lease(0)).losses
    assert (loss.from_position, loss.to_position, outcome["epoch"]) == (1, 3, 10)


@pytest.mark.parametrize(
    ("given", "kept", "lost"),
    [
        pytest.param(["4-1", "4-2", "4-3", "4-4"], 0, (3, 4), id="the archive has the first two"),
        pytest.param(["4-1", "4-2"], 0, (0, 0), id="the archive has all"),
        pytest.param(["4-1", "4-2", "9-3", "9-4"], 0, (3, 4), id="a later epoch went on"),
        pytest.param(["3-1", "3-2"], 0, (1, 2), id="an older epoch than any that is archived"),
        pytest.param(["4-1", "4-2", "4-3", "4-4"], 1, (3, 4), id="the first entry is left"),
        pytest.param(["4-1", "9-2", "9-3", "9-4"], 2, (2, 4), id="an entry is left that the archive has otherwise"),
        pytest.param(["4-1", "4-2", "4-3", "4-4", "4-5"], -1, (3, 5), id="trimmed beyond the archive"),
    ],
)
async def test_of_a_log_whose_entries_were_deleted_what_the_archive_lacks_is_lost(
    shell: Shell, given: list[str], kept: int, lost: tuple[int, int]
) -> None:
    """`kept`: so many of the first entries are left; -1: the last one."""
    await shell.streams.lock.acquire("somebody", LEASE_MS)
    entries = [ArchivedEntry(entry_id, b"x", "80-0") for entry_id in given]
    await shell.streams.log.restore("somebody", "0-0", entries)
    gone = given[kept:] if kept >= 0 else given[:kept]
    await shell.streams.commands.call("XDEL", Keys(0).events, *gone)

    code, outcome = await shell.told("--yes", "--discard-log")

    assert (code, outcome["setAside"]) == (ExitCode.OK, f"task:{{p0}}:events:aside:{given[-1]}")
    assert await shell.log() == ["4-2"]
    (loss,) = (await shell.epochs.lease(0)).losses
    assert (loss.from_position, loss.to_position) == lost


async def test_a_leader_that_lives_is_left_alone(shell: Shell) -> None:
    await shell.streams.lock.acquire("the leader", 60_000)

    code, refusal = await shell.told("--yes")

    assert code == ExitCode.REFUSED
    assert "a leader lives" in refusal["why"]
    assert await shell.log() == []


async def test_stores_that_do_not_answer_are_told_from_a_refusal(shell: Shell) -> None:
    shell.env["TASKSERVICE_REDIS_URL"] = "redis://127.0.0.1:1/0"

    result = await shell.recover("--from-archive", "--yes")

    assert result.exit_code == ExitCode.UNREACHABLE
