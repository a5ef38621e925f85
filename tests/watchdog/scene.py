"""What the tests of the watchdog stand on: bounds that a test can wait for, clocks that can be set, an archive that
follows the log or does not, and how an alarm is seen from outside.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.ticker.house import House

from taskservice.api.metrics import Metrics
from taskservice.api.scheduler.views import PartitionFacts, healthy
from taskservice.clock import SystemClock
from taskservice.domain import events as e
from taskservice.domain.watch import ALARM_WORDS, AlarmKind, WatchBounds
from taskservice.streams.batches import ArchivedEntry
from taskservice.testing.waiting import wait_until

BOUND_MS = 400
PATIENCE_S = 60.0
ARCHIVE_PAUSE_S = 0.02

Line = MutableMapping[str, Any]


def bounds(kind: AlarmKind | None = None, **others: int) -> WatchBounds:
    """Only this kind is an alarm within a test's time; all are over soon."""
    named = {
        "UNDECIDED_INSTANT": "instant_ms",
        "UNDECIDED_COMMAND": "command_ms",
        "UNTAKEN_DISPATCH": "dispatch_ms",
        "PROJECTION_BEHIND": "projection_ms",
        "LEADERLESS": "leaderless_ms",
    }
    long = dict.fromkeys(named.values(), 3_600_000)
    short = {named[kind]: BOUND_MS} if kind in named else {}
    return WatchBounds(**{**long, "calm_ms": BOUND_MS // 2, **short, **others})


class SetClock(SystemClock):
    """The clock of a machine that somebody sets."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


class Archive:
    """The projector's archive: it follows the log while it is `alive`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.alive = True

    async def run(self) -> None:
        archive = self._house.epochs.archive
        while True:
            if self.alive:
                known = len(archive)
                archive += [ArchivedEntry(one.id, one.event, one.cursor) for one in (await self._house.log())[known:]]
            await asyncio.sleep(ARCHIVE_PAUSE_S)  # the pace of a projector with a window


@asynccontextmanager
async def archiving(house: House) -> AsyncIterator[Archive]:
    archive = Archive(house)
    task = asyncio.get_running_loop().create_task(archive.run())
    try:
        yield archive
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# --- an alarm from outside -------------------------------------------------------------------------------------------


async def health_metric(house: House) -> float:
    """`scheduler_health_status` as an api shows it, by the status that the leader wrote."""
    facts = [
        PartitionFacts(partition=0, status=await house.status(), stopped=False, projected=None, lag_ms=0),
    ]
    text = Metrics().render(facts)[0].decode()
    values = {sample.name: sample.value for found in text_string_to_metric_families(text) for sample in found.samples}
    assert healthy(facts) == bool(values["scheduler_health_status"])
    return values["scheduler_health_status"]


async def told_active(house: House, kind: AlarmKind) -> float:
    """`taskservice_alarm_active` of that kind."""
    status = await house.status()
    facts = [PartitionFacts(partition=0, status=status, stopped=False, projected=None, lag_ms=0)]
    for found in text_string_to_metric_families(Metrics().render(facts)[0].decode()):
        for sample in found.samples:
            if sample.name == "taskservice_alarm_active" and sample.labels["kind"] == kind:
                return sample.value
    return 0


async def raised(house: House, kind: AlarmKind) -> list[e.AlarmRaised]:
    return [event for event in await house.events() if isinstance(event, e.AlarmRaised) and event.kind == kind]


async def cleared(house: House, kind: AlarmKind) -> list[e.AlarmCleared]:
    return [event for event in await house.events() if isinstance(event, e.AlarmCleared) and event.kind == kind]


async def wait_well(house: House) -> None:
    """A leader speaks, and nothing is amiss."""

    async def well() -> bool:
        return await health_metric(house) == 1

    await wait_until(well, "the scheduler is well", timeout_s=PATIENCE_S)


async def wait_raised(house: House, kind: AlarmKind, number: int = 1) -> e.AlarmRaised:
    """The alarm is an event, and makes the scheduler unwell."""

    async def seen() -> bool:
        return len(await raised(house, kind)) >= number and await told_active(house, kind) == 1

    await wait_until(seen, f"{kind} is raised and shown", timeout_s=PATIENCE_S)
    assert await health_metric(house) == 0
    return (await raised(house, kind))[number - 1]


async def wait_cleared(house: House, kind: AlarmKind, number: int = 1) -> e.AlarmCleared:
    """The alarm is over, and nothing else is on."""

    async def seen() -> bool:
        return len(await cleared(house, kind)) >= number

    await wait_until(seen, f"{kind} is cleared", timeout_s=PATIENCE_S)
    await wait_well(house)
    return (await cleared(house, kind))[number - 1]


def check_lines(lines: Iterable[Line], kind: AlarmKind, alarms: int = 1) -> None:
    """The log has an ALARM line for each alarm of this kind and one for its end, and no other alarm."""
    lines = [line for line in lines if "kind" in line and "alarm" in line["event"].lower()]
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [ALARM_WORDS[kind]] * alarms
    assert [line["kind"] for line in lines] == [kind] * (2 * alarms)
    assert [line["log_level"] for line in lines] == ["error", "info"] * alarms


def check_pair(begin: e.AlarmRaised, end: e.AlarmCleared, bound_ms: int) -> None:
    """It was raised when it had lasted for the bound, and its end names the same beginning."""
    assert begin.ts - begin.since >= bound_ms
    assert begin.at == begin.since == end.since
    assert end.ts >= begin.ts
    assert begin.detail
    assert begin.tenant_id == end.tenant_id == ""
