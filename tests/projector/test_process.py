"""`taskservice projector` as a process: killed at any moment, stopped in order."""

import asyncio
import signal
import sys
from random import Random

import pytest
from tests.histories.history import History
from tests.projector.conftest import Append

from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Database
from taskservice.storage.verify import Difference, verify
from taskservice.testing.waiting import wait_until


async def start(mysql_url: str, redis_url: str, said: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
    """A projector; `said`: where its log lines go."""
    settings = (
        f"taskservice.mysql.url={mysql_url}",
        f"taskservice.redis.url={redis_url}",
        "app.task.distributed-lock.redis.default-expire-time=1000",
    )
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "taskservice.cli.main", "projector"),
        *(part for setting in settings for part in ("--set", setting)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=said,
    )


async def wait_for_position(database: Database, position: int) -> None:
    async def there() -> bool:
        return (await read_checkpoint(database, 0)).position >= position

    await wait_until(there, f"the checkpoint is at {position}", timeout_s=60)


@pytest.mark.fault("F30", invariants="I17 I18")
async def test_projectors_that_are_killed_leave_nothing_half_done(
    database: Database, mysql_url: str, redis_url: str, append: Append
) -> None:
    random = Random(40)
    history = History(random)
    sent = 0
    for _ in range(3):
        history.grow(1_500)
        await append(history.entries[sent:])
        process = await start(mysql_url, redis_url)
        await wait_for_position(database, sent + 1)
        process.kill()
        await process.wait()
        sent = len(history.entries)
    process = await start(mysql_url, redis_url)
    await wait_for_position(database, sent)

    process.send_signal(signal.SIGTERM)

    assert await asyncio.wait_for(process.wait(), 10) == 0
    differences: list[Difference] = []
    report = await verify(database, differences.append)
    assert differences == []
    assert report.events == sent


async def test_a_projector_without_its_database_waits_and_ends_in_order(mysql_url: str, redis_url: str) -> None:
    nowhere = mysql_url.rpartition("/")[0] + "/no_such_database"
    process = await start(nowhere, redis_url, said=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while b"trying again" not in (line := await process.stderr.readline()):
            assert line, "it ended instead"

    process.send_signal(signal.SIGTERM)

    assert await asyncio.wait_for(process.wait(), 10) == 0
