"""A ticker of several partitions: each line of its log says which partition it is about."""

import asyncio
import io
import json

import pytest
import structlog

from taskservice.telemetry.logs import configure_logging
from taskservice.ticker.main import run_partition

pytestmark = pytest.mark.usefixtures("logging_as_before")


async def test_what_a_partition_logs_and_what_it_starts_logs_says_which_it_is() -> None:
    out = io.StringIO()
    configure_logging("ticker", as_json=True, stream=out)
    log = structlog.get_logger("taskservice.ticker.tests")

    async def watchdog() -> None:
        log.error("ALARM: nobody leads")

    async def ticker() -> None:
        await asyncio.create_task(watchdog())

    async with asyncio.TaskGroup() as group:
        for partition in range(3):
            group.create_task(run_partition(partition, ticker()))
    log.info("of the process")

    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line.get("partition")) for line in lines] == [
        ("ALARM: nobody leads", 0),
        ("ALARM: nobody leads", 1),
        ("ALARM: nobody leads", 2),
        ("of the process", None),
    ]
